"""Reads the recorded words of judges that ask a model again: does the verdict follow from what the model wrote?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from math import isclose
from typing import Any

from rlpa_bench.interfaces import Judge
from rlpa_bench.leaderboard.checks import Findings
from rlpa_bench.leaderboard.recorded import Voice
from rlpa_bench.scoring import OTHER, judge_subject, turn_subject, with_other_gold
from rlpa_bench.types import Case, Dialogue, Score

TOLERANCE = 1e-9
_AGAIN = re.compile(r"\n--- asked again \([^\n]*\) ---\n")
"""What stands between a judge's first words and those it was asked for again."""


class Reread:
    """Judges of turns that ask one model: each is asked anew, with its recorded words as the model's answer."""

    def __init__(self, judges: Mapping[str, Judge], voices: Mapping[str, Sequence[Voice]], findings: Findings) -> None:
        self.findings = findings
        self.readable = {
            name: (judge, voices[name][0])
            for name, judge in judges.items()
            if judge.target == "turn" and len(voices.get(name, ())) == 1
        }

    async def differs(self, dialogue: Dialogue, case: Case, other: Case | None, given: Sequence[Score]) -> str:
        """The first recorded verdict that its judge's own words do not give, in words; empty if there is none."""
        for (turn, name, repeat), group in groupby(sorted(given, key=_asking), key=_asking):
            scores = {score.part: score for score in group if score.status == "scored"}
            if not scores:
                continue
            known = self.readable.get(name.removesuffix(OTHER))
            words = {score.raw for score in scores.values() if score.raw}
            if known is None or not 1 <= turn <= len(dialogue.turns) or len(words) > 1:
                self._trusted(name)
                continue
            judge, voice = known
            voice.answers = [piece for text in words for piece in _AGAIN.split(text)]
            said = await judge_subject(judge, _subject(dialogue, case, other, turn, name, repeat))
            for part, score in scores.items():
                verdict = said.get(part)
                if verdict is None or (verdict.status == "error" and verdict.reason.startswith("recorded")):
                    self._trusted(name)
                elif not _same(verdict.value, score.value):
                    wrote = verdict.status if verdict.value is None else f"{verdict.value:.10g}"
                    return f"turn {turn}: {name}.{part} is {score.value:.10g}, its judge wrote {wrote}"
        return ""

    def _trusted(self, name: str) -> None:
        text = f"verdicts of {name!r} have no words of its model behind them that could be read again"
        self.findings.flag("judges", "judge-not-reread", text)


def _asking(score: Score) -> tuple[int, str, int]:
    return (score.turn or 0, score.judge, score.repeat)


def _subject(dialogue: Dialogue, case: Case, other: Case | None, turn: int, name: str, repeat: int) -> Any:
    """What the judge was asked about."""
    turns = dialogue.turns
    subject = turn_subject(case, dialogue.seed, turns[: turn - 1], turns[turn - 1])
    if name.endswith(OTHER) and other is not None:
        subject = with_other_gold(subject, other)
    return replace(subject, key=f"{subject.key}#{repeat}") if repeat else subject


def _same(a: float | None, b: float | None) -> bool:
    return a == b if a is None or b is None else isclose(a, b, rel_tol=0, abs_tol=TOLERANCE)
