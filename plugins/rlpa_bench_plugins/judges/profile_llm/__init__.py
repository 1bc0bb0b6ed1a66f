"""Judge ``profile-llm``: the inferred profile against the golden one where values are free text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from rlpa_bench.interfaces import Part
from rlpa_bench.matching import CAP, match_weighted, resolve, weight
from rlpa_bench.types import JSON, Item, TurnSubject, Verdict
from rlpa_bench_plugins.asking.answers import Answer, Form
from rlpa_bench_plugins.asking.prompts import Prompt
from rlpa_bench_plugins.judges.asked import AskedJudge, failed, lines, scored

WORTH = {"same": 1.0, "partly": 0.5, "conflict": 0.0}


class Pair(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, json_schema_extra={"additionalProperties": False})

    inferred: int
    golden: int
    relation: Literal["same", "partly", "conflict"]


class Pairs(Form):
    pairs: tuple[Pair, ...]


_ANSWER = '{"nonce": "$nonce", "pairs": [{"inferred": 1, "golden": 1, "relation": "same" or "partly" or "conflict"}]}'


class ProfileLlmJudge(AskedJudge):
    """Profile F1 over facts with a model as scorer of pairs; the one-to-one assignment stays in code.

    RLPA (arXiv 2505.15456, appendix H) has a model count the overlap; models count badly, so this one only names
    related pairs. Equal values of the ontology pair without it, and no pair of opposite polarity counts whatever the
    model says. Output that breaks the contract gets 0, as with the judge ``profile``, and costs no call.
    """

    name = "profile-llm"
    version = "profile-llm/1"
    task = Prompt(__package__, "rubric.v1")
    target = "turn"
    reward = ("f1",)
    parts: ClassVar[Mapping[str, Part]] = {
        "f1": Part(help="F1 over facts, pairs scored by a model"),
        "precision": Part(help="share of inferred facts that are right"),
        "recall": Part(help="share of all golden facts inferred"),
        "contradiction": Part(help="share of inferred facts in conflict with the gold"),
    }

    def describe(self) -> Mapping[str, JSON]:
        return {**super().describe(), "ontology": self.context.ontology.digest}

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        """Verdicts of all four parts; ``precision`` and ``contradiction`` are unscored if nothing was inferred."""
        if not subject.gold.facts:
            return self.all(Verdict(None, "unscored", "no golden facts"))
        nothing = Verdict(None, "unscored", "nothing inferred")
        if subject.malformed:
            reason = f"malformed: {subject.malformed}"
            unscored = Verdict(None, "unscored", reason)
            return self.all(Verdict(0.0, reason=reason)) | {"contradiction": unscored}
        ontology = self.context.ontology
        inferred = [item for item in resolve(subject.inferred, ontology) if not item.is_trait][:CAP]
        golden = [item for item in resolve(subject.gold.facts, ontology) if not item.is_trait]
        if not inferred:
            zero = Verdict(0.0, reason="nothing inferred")
            return {"f1": zero, "precision": nothing, "recall": zero, "contradiction": nothing}
        held = {(item.id, item.polarity) for item in golden if item.id}
        left = [item for item in inferred if (item.id, item.polarity) not in held]
        found = {(item.id, item.polarity) for item in inferred if item.id}
        right = [item for item in golden if (item.id, item.polarity) not in found]
        answer = await self._relations(subject, left, right)
        if answer.form is None:
            return self.all(failed(answer)) | {"f1": failed(answer, raw=True)}
        return self._verdicts(answer, left, right, inferred, golden)

    async def _relations(self, subject: TurnSubject, left: Sequence[Item], right: Sequence[Item]) -> Answer[Pairs]:
        """The related pairs among what the ontology has not paired; asks nothing where nothing is left."""
        if not left or not right:
            return Answer("ok", Pairs(nonce="", pairs=()))
        data: dict[str, JSON] = {"inferred": _numbered(left), "golden": _numbered(right)}
        sizes = len(left), len(right)

        def check(form: Pairs) -> str:
            for pair in form.pairs:
                if not (1 <= pair.inferred <= sizes[0] and 1 <= pair.golden <= sizes[1]):
                    return f"pair {pair.inferred}, {pair.golden} is not among {sizes[0]} and {sizes[1]} entries"
            return ""

        return await self.ask(Pairs, data, subject, answer=_ANSWER, check=check)

    def _verdicts(
        self,
        answer: Answer[Pairs],
        left: Sequence[Item],
        right: Sequence[Item],
        inferred: Sequence[Item],
        golden: Sequence[Item],
    ) -> dict[str, Verdict]:
        assert answer.form is not None
        worth: dict[tuple[str, str], float] = {}
        against: set[str] = set()
        for pair in answer.form.pairs:
            a, b = left[pair.inferred - 1], right[pair.golden - 1]
            opposed = a.polarity != b.polarity
            if pair.relation == "conflict" or opposed:
                against.add(a.key)
            elif not opposed:
                worth[a.key, b.key] = max(WORTH[pair.relation], worth.get((a.key, b.key), 0.0))

        def score(a: Item, b: Item) -> float:
            return max(weight(a, b, self.context.ontology), worth.get((a.key, b.key), 0.0))

        match = match_weighted(inferred, golden, score)
        matched = {item.key for item, _, _ in match.pairs}
        size = len(match.pairs) + len(match.unmatched)
        conflicts = sorted(against - matched)
        counts = f"{len(match.pairs)} matched of {size} inferred and {len(golden)} golden"
        return {
            "f1": scored(answer, match.f1, counts, raw=True),
            "precision": scored(answer, match.precision),
            "recall": scored(answer, match.recall),
            "contradiction": scored(answer, len(conflicts) / size, ", ".join(conflicts)),
        }


def _numbered(items: Sequence[Item]) -> dict[str, JSON]:
    return {str(i): line for i, line in enumerate(lines(items), 1)}
