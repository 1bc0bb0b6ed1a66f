"""Some dialogues of a system in the few words that a board's page shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rlpa_bench.interfaces import JudgeInfo, Record
from rlpa_bench.report.dialogues import brief, faults, turn_views

KEPT = 3
LONGEST = 700
"""Characters of one text that are kept."""
LINES = 12
"""Lines of an inferred profile that are kept."""


@dataclass
class Excerpts:
    """The first dialogue with a fault, then evenly spread ones, ``KEPT`` in all."""

    judges: Mapping[str, JudgeInfo]
    planned: int
    faulty: Record | None = None
    spread: list[Record] = field(default_factory=list)
    seen: int = 0

    def offer(self, record: Record) -> None:
        """Looks at the next dialogue in file order."""
        if self.faulty is None and faults(record):
            self.faulty = record
        elif self.seen % max(1, self.planned // KEPT) == 0 and len(self.spread) < KEPT:
            self.spread.append(record)
        self.seen += 1

    def kept(self) -> tuple[dict[str, Any], ...]:
        """The dialogues as plain JSON."""
        chosen = ([self.faulty] if self.faulty else []) + self.spread
        return tuple(self._shown(record) for record in chosen[:KEPT])

    def _shown(self, record: Record) -> dict[str, Any]:
        dialogue = record.dialogue
        return {
            "case": dialogue.case,
            "seed": dialogue.seed,
            "profile": record.case.cluster,
            "language": record.case.language,
            "ended": cut(dialogue.ended),
            "planned": dialogue.planned,
            "brief": brief(record, self.judges),
            "faults": faults(record),
            "turns": list(self._turns(record)),
        }

    def _turns(self, record: Record) -> Iterator[dict[str, Any]]:
        for view in turn_views(record, self.judges):
            turn = view.turn
            lines = [
                {"text": cut(f"{line.slot}: {line.value}" if line.slot else line.value), "marks": _marks(line.marks)}
                for line in view.lines[:LINES]
            ]
            said = [o for o in view.opinions if not o.title.endswith("under another user's gold")]
            yield {
                "k": turn.index,
                "user": cut(turn.user.text),
                "told": None if view.told is None else list(view.told),
                "reply": cut(turn.response),
                "malformed": turn.malformed,
                "inferred": lines,
                "more": max(0, len(view.lines) - LINES),
                "verdicts": [cut(": ".join(filter(None, (o.title, "; ".join(o.failed))))) for o in said],
            }


def _marks(marks: Any) -> list[list[str]]:
    return [[mark.kind, cut(mark.text)] for mark in marks]


def cut(text: str) -> str:
    """A text short enough for a page; what is left out is counted."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text) - LONGEST:,} more characters)"
