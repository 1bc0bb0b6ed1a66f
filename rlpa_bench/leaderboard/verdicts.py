"""The scores that count: those of fixed judges made here, those of others as recorded where they are lawful."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rlpa_bench.interfaces import JudgeInfo
from rlpa_bench.leaderboard.checks import Findings
from rlpa_bench.leaderboard.reread import Reread
from rlpa_bench.leaderboard.terms import Instruments
from rlpa_bench.scoring import OTHER, other_case, score_dialogue
from rlpa_bench.transcripts import score_order
from rlpa_bench.types import Case, Dialogue, Score

Mark = tuple[Any, ...]
"""(turn, judge, part, repeat) of a score."""


class Verdicts:
    """The verdicts on one system."""

    def __init__(self, infos: Mapping[str, JudgeInfo], instruments: Instruments, findings: Findings) -> None:
        self.findings = findings
        judges, cases = instruments.judges, instruments.plan.cases
        self.fixed = [judge for judge in judges.values() if judge.deterministic]
        fixed = {judge.name for judge in self.fixed}
        self.varying = {name: info for name, info in infos.items() if name not in fixed}
        """Judges whose verdicts are taken as recorded."""
        self.others = {case.id: other_case(case, cases) for case in cases}
        varying = {name: judges[name] for name in self.varying if name in judges}
        self.reread = Reread(varying, instruments.voices, findings)
        self._repeats: dict[str, int] = {}

    async def counting(self, dialogue: Dialogue, case: Case, given: Sequence[Score]) -> list[dict[str, Any]]:
        """One dialogue's scores in file order."""
        other, where = self.others[case.id], f"case {dialogue.case!r}, seed {dialogue.seed}"
        made = [s async for s in score_dialogue(dialogue, case, self.fixed, other=other)]
        if len({_mark(score) for score in given}) < len(given):
            self.findings.fail("judges", f"{where} has a verdict twice; submit the scores as they were")
        named = ((score, self._unlawful(score)) for score in given)
        problem = next((f"turn {s.turn}: {s.judge}.{s.part} {wrong}" for s, wrong in named if wrong), "")
        if problem := problem or await self.reread.differs(dialogue, case, other, given):
            self.findings.fail("judges", f"{where}, {problem}; judge the run again")
        self._complete(dialogue, given, where)
        return sorted(map(asdict, [*made, *given]), key=score_order)

    def _unlawful(self, score: Score) -> str:
        """What is wrong with a recorded verdict, in words."""
        info = self.varying.get(score.judge.removesuffix(OTHER))
        if info is None:
            return "is of a judge whose verdicts are made here, or of none of the run's; prepare it anew"
        part = info.parts.get(score.part)
        if part is None:
            return "is no part of its judge"
        if (score.value is not None) != (score.status == "scored"):
            return "has a value exactly when it is not scored"
        if score.value is not None and not part.low <= score.value <= part.high:
            return f"is {score.value}, off its scale {part.low} to {part.high}"
        return ""

    def _complete(self, dialogue: Dialogue, given: Sequence[Score], where: str) -> None:
        found = {_mark(score) for score in given if not score.judge.endswith(OTHER) and score.other is None}
        wanted = {mark for info in self.varying.values() for mark in self._wanted(info, dialogue, found)}
        if lacking := sorted(wanted - found, key=str):
            turn, judge, part, _ = lacking[0]
            text = f"{where} lacks {len(lacking)} verdicts, first turn {turn}: {judge}.{part}; judge the run again"
            self.findings.fail("judges", text)

    def _wanted(self, info: JudgeInfo, dialogue: Dialogue, found: Iterable[Mark]) -> Iterator[Mark]:
        """The verdicts that a judge owes a dialogue; how often it was asked shows in the first one."""
        if info.name not in self._repeats:
            asked = [repeat for _, judge, _, repeat in found if judge == info.name]
            self._repeats[info.name] = max(asked, default=0) + 1
        played: list[int | None] = [turn.index for turn in dialogue.turns]
        units: dict[str, list[int | None]] = {"turn": played, "dialogue": [None]}
        turns = units.get(info.target, [])
        return ((k, info.name, part, r) for k in turns for part in info.parts for r in range(self._repeats[info.name]))


def _mark(score: Score) -> Mark:
    return (score.turn, score.judge, score.part, score.repeat)
