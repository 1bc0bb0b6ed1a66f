"""Keeps texts that nobody may publish out of submissions: persona texts of suites that are ``unpublishable``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rlpa_bench.interfaces import Record
from rlpa_bench.leaderboard.checks import Findings
from rlpa_bench.transcripts import dumps
from rlpa_bench.types import Case

WORDS = 8
"""So many words in a row, as in a persona text, are a quotation."""

_WORD = re.compile(r"[^\W_]+")
_ESCAPE = re.compile(r"\\[nrt\"\\/]")


class Quotes:
    """Looks for word sequences of the cases' texts in whatever a dialogue and its verdicts record."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._texts = {words for case in cases for words in _sequences(case.text)}
        self.first = ""

    def add(self, record: Record) -> None:
        """Scans one dialogue: outputs, words of the user, states, memories, and what judges wrote."""
        if not self._texts or self.first:
            return
        verdicts = [score for by_turn in record.scores.values() for scores in by_turn.values() for score in scores]
        for value in (record.dialogue, [(score.reason, score.raw) for score in verdicts]):
            text = _ESCAPE.sub(" ", dumps(value).decode())
            if found := next((words for words in _sequences(text) if words in self._texts), None):
                self.first = f"case {record.dialogue.case!r}, seed {record.dialogue.seed}: {' '.join(found[:4])!r} …"

    def report(self, findings: Findings) -> None:
        """Refuses a submission that quotes."""
        if self.first:
            findings.fail(
                "content",
                f"quotes {WORDS} or more words of a persona text that may not be published ({self.first}); submit a "
                "run of a suite whose texts are free, such as `aloe`",
            )


def _sequences(text: str) -> Iterator[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    return zip(*(words[i:] for i in range(WORDS)), strict=False)
