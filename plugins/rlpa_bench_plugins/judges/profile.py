"""Judge ``profile``: how right the inferred profile is after a turn; no model, no randomness."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import ClassVar

from pydantic import Field

from rlpa_bench.free_matching import matcher
from rlpa_bench.interfaces import Judge, Part
from rlpa_bench.matching import CAP, Match, Matcher
from rlpa_bench.options import Options
from rlpa_bench.types import JSON, Item, TurnSubject, Verdict

Verdicts = dict[str, Verdict]

SHARES = ("hallucination", "lucky", "contradiction", "stale")
"""Parts that are shares of the inferred facts; low is good."""

_NO_LEDGER = "what was disclosed is not known"


class ProfileOptions(Options):
    """Options of the judge ``profile``."""

    cap: int = Field(CAP, ge=1, description="Inferred items that count; twice the largest golden profile.")


class ProfileJudge(Judge):
    """How right the inferred profile is after a turn: a closed vocabulary, matched one to one.

    All parts lie in [0, 1]; the matching is that of :mod:`rlpa_bench.matching`, and of
    :mod:`rlpa_bench.free_matching` (flagged ``free``) where the golden profile has keys beside the ten slots. An
    inferred fact is *supported* by a golden one if the two match with any weight (1, or 0.5 for a broader or narrower
    value).

    - ``f1``, ``precision``, ``recall``: over facts. RLPA (arXiv 2505.15456) has an LLM count the points of one
      profile that the other covers and divides by their lines; the counting here is exact and cannot exceed 1.
    - ``trait_f1``: over personality traits; unscored if the golden profile has none.
    - ``all_f1``: over facts and traits in one list, as RLPA defines profile F1.
    - ``recall_disclosed``: recall over the golden facts that the user has stated so far, since nobody can infer
      what was never said. Unscored before the first disclosure and where the disclosure ledger is unknown. Who
      asks nothing has little to recall: read it beside the share elicited.
    - ``hallucination``: share of inferred facts supported neither by the golden profile nor by the ledger; values
      that held before are not counted here but in ``stale``.
    - ``lucky``: share of inferred facts supported by the golden profile but not by what was disclosed; unscored
      where the ledger is unknown.
    - ``contradiction``: share of inferred facts in conflict with the golden profile: opposite polarity, another
      number, or another value in a slot that holds one.
    - ``stale``: share of inferred facts that equal a superseded value and no golden one; unscored if nothing was
      superseded.

    With nothing inferred, ``precision`` and the shares are unscored and the others 0 (``f1`` is 1 if there was no
    fact to infer either). Output that breaks the contract gets 0 in every F1, precision and recall, since that
    failure is the candidate's own. All parts are unscored where there is no golden profile.
    """

    name = "profile"
    Options = ProfileOptions
    target = "turn"
    deterministic = True
    reward = ("f1",)
    parts: ClassVar[Mapping[str, Part]] = {
        "f1": Part(help="F1 over facts"),
        "precision": Part(help="share of inferred facts that are right"),
        "recall": Part(help="share of all golden facts inferred"),
        "trait_f1": Part(help="F1 over personality traits"),
        "all_f1": Part(help="F1 over facts and traits in one list, RLPA's definition"),
        "recall_disclosed": Part(help="share of the facts disclosed so far that are inferred"),
        "hallucination": Part(help="share of inferred facts that neither gold nor disclosure supports"),
        "lucky": Part(help="share of inferred facts that are right but were not disclosed"),
        "contradiction": Part(help="share of inferred facts in conflict with the gold"),
        "stale": Part(help="share of inferred facts that held before and no longer do"),
    }

    def describe(self) -> Mapping[str, JSON]:
        return {"ontology": self.context.ontology.digest}

    async def judge(self, subject: TurnSubject) -> Verdicts:
        """Verdicts of all ten parts for the inferred profile of one turn."""
        if not subject.gold.items:
            return dict.fromkeys(self.parts, _unscored("no golden profile"))
        if subject.malformed:
            reason = f"malformed: {subject.malformed}"
            failed = dict.fromkeys(self.parts, Verdict(0.0, reason=reason))
            return failed | dict.fromkeys(SHARES, _unscored(reason))
        by = matcher(subject.gold.items, self.context.ontology, self.options.cap)
        inferred, golden = by.resolve(subject.inferred), by.resolve(subject.gold.items)
        facts, gold = _facts(inferred), _facts(golden)
        match = by.match(facts, gold)
        nothing = _unscored("nothing inferred")
        shares = _shares(by, subject, gold, match) if facts else dict.fromkeys(SHARES, nothing)
        return {
            "f1": Verdict(match.f1, reason=_describe(match, facts, gold)),
            "precision": Verdict(match.precision) if facts else nothing,
            "recall": Verdict(match.recall),
            "trait_f1": _traits(by, inferred, golden),
            "all_f1": Verdict(by.match(inferred, golden).f1),
            "recall_disclosed": _recall_disclosed(by, subject, facts),
            **shares,
        }


def _traits(by: Matcher, inferred: list[Item], golden: list[Item]) -> Verdict:
    traits = [item for item in golden if item.is_trait]
    if not traits:
        return _unscored("the golden profile has no traits")
    return Verdict(by.match([item for item in inferred if item.is_trait], traits).f1)


def _recall_disclosed(by: Matcher, subject: TurnSubject, facts: list[Item]) -> Verdict:
    if subject.disclosed is None:
        return _unscored(_NO_LEDGER)
    told = _facts(by.resolve(subject.disclosed))
    if not told:
        return _unscored("nothing disclosed yet")
    return Verdict(by.match(facts, told).recall, reason=f"of {len(told)} disclosed")


def _shares(by: Matcher, subject: TurnSubject, gold: list[Item], match: Match) -> Verdicts:
    """The shares of the inferred facts that count: distinct and within the cap."""
    counted = [*(pair[0] for pair in match.pairs), *match.unmatched]
    told = _facts(by.resolve(subject.disclosed or ()))
    past = _facts(by.resolve(subject.superseded))
    against = {item.key for item, _ in match.contradictions}
    right = {pair[0].key for pair in match.pairs}
    right |= {item.key for item in match.unmatched if _supported(by, item, gold)}
    heard = {item.key for item in counted if _supported(by, item, told)}
    held = {item.key: max(by.weight(item, other) for other in past) for item in counted} if past else {}

    def share(holds: Callable[[str], bool]) -> Verdict:
        found = [item.key for item in counted if holds(item.key)]
        return Verdict(len(found) / len(counted), reason=", ".join(found))

    lucky = share(lambda key: key in right and key not in heard)
    stale = share(lambda key: held.get(key) == 1 and key not in right)
    return {
        "hallucination": share(lambda key: not (key in right or key in heard or held.get(key))),
        "lucky": _unscored(_NO_LEDGER) if subject.disclosed is None else lucky,
        "contradiction": share(lambda key: key in against),
        "stale": stale if past else _unscored("nothing superseded"),
    }


def _supported(by: Matcher, item: Item, others: Iterable[Item]) -> bool:
    return any(by.weight(item, other) for other in others)


def _facts(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if not item.is_trait]


def _describe(match: Match, facts: list[Item], gold: list[Item]) -> str:
    counts = f"{len(match.pairs)} matched of {len(facts)} inferred and {len(gold)} golden"
    return ", ".join([counts, *match.flags])


@lru_cache(64)
def _unscored(reason: str) -> Verdict:
    return Verdict(None, "unscored", reason)
