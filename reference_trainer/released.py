"""Profile F1 as RLPA's released reward function computes it (``multi_turn_rfn.py``), for faithful training runs.

The released formula divides one count of common points by the lines of both profiles, reads one line too many from the
inferred one and holds the count to no bound, so that it reaches neither 1 for a perfect profile nor stays below it for
a stuffed one. As a metric it is unsafe; as a reward it is what the paper's policy was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field
from rlpa_bench_plugins.asking.answers import Form
from rlpa_bench_plugins.asking.prompts import Prompt
from rlpa_bench_plugins.judges.asked import AskedJudge, AskedOptions, failed, lines, scored

from rlpa_bench.contract import Contract
from rlpa_bench.free_matching import matcher
from rlpa_bench.interfaces import Judge, Part
from rlpa_bench.matching import released_f1
from rlpa_bench.options import Options
from rlpa_bench.types import TurnSubject, Verdict

MOST = 1000
"""A count above any profile's length is no answer."""
PARTS: Mapping[str, Part] = {"f1": Part(0.0, float(MOST), help="released profile F1; may exceed 1")}


class ReleasedF1MatchedJudge(Judge):
    """Released profile F1 with the common points counted by the closed matcher: no model, no randomness."""

    name = "released-f1-matched"
    Options = Options
    target = "turn"
    deterministic = True
    reward = ("f1",)
    parts: ClassVar[Mapping[str, Part]] = PARTS

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        """The verdict of one turn; 0 for output that breaks the contract."""
        if (fixed := _fixed(subject)) is not None:
            return {"f1": fixed}
        by = matcher(subject.gold.items, self.context.ontology)
        pairs = by.match(by.resolve(subject.inferred), by.resolve(subject.gold.items)).pairs
        return {"f1": Verdict(_released(subject, len(pairs)), reason=f"{len(pairs)} matched")}


class Count(Form):
    count: int = Field(ge=0, le=MOST)


class ReleasedF1Judge(AskedJudge):
    """Released profile F1 with the common points counted by a model, as RLPA did."""

    name = "released-f1"
    version = "released-f1/1"
    Options = AskedOptions
    task = Prompt(__package__, "released_count.v1", ["en"])
    target = "turn"
    reward = ("f1",)
    parts: ClassVar[Mapping[str, Part]] = PARTS

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        """The verdict of one turn; output that breaks the contract gets 0 and costs no call, as released."""
        if (fixed := _fixed(subject)) is not None:
            return {"f1": fixed}
        data = {"A": lines(subject.inferred), "B": lines(subject.gold.items)}
        answer = await self.asker.ask(
            Count,
            data,
            key=subject.key,
            language="en",
            answer='{"nonce": "$nonce", "count": a number}',
            untrusted=f"{subject.reply}\n{Contract.lines(subject.inferred)}",
        )
        if answer.form is None:
            return {"f1": failed(answer, raw=True)}
        return {"f1": scored(answer, _released(subject, answer.form.count), f"{answer.form.count} counted", raw=True)}


def _fixed(subject: TurnSubject) -> Verdict | None:
    """The verdict that needs no count."""
    if not subject.gold.items:
        return Verdict(None, "unscored", "no golden profile")
    if subject.malformed:
        return Verdict(0.0, reason=f"malformed: {subject.malformed}")
    return None if subject.inferred else Verdict(0.0, reason="nothing inferred")


def _released(subject: TurnSubject, matched: int) -> float:
    inferred = "".join(f"{line}\n" for line in lines(subject.inferred))  # the captured block ends with a line break
    return released_f1(inferred, [str(line) for line in lines(subject.gold.items)], matched)
