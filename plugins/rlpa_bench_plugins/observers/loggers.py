"""What the bundled loggers share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from rlpa_bench.types import Call, Dialogue, Turn


class Logger(Protocol):
    """Writes a run down somewhere. Its methods are called one after another in one thread; they may block."""

    def start(self, run: Mapping[str, Any]) -> None:
        """A run begins; ``run`` is the content of run.json."""

    def turn(self, candidate: str, case: str, seed: int, turn: Turn) -> None:
        """A turn was played."""

    def dialogue(self, dialogue: Dialogue) -> None:
        """A dialogue has ended and was judged."""

    def end(self, summary: Mapping[str, Any] | None) -> None:
        """The run is over; ``summary`` is the content of summary.json, or None if it was interrupted."""


@dataclass
class Progress:
    """What one candidate has done so far. Tokens and dollars count what the providers said, calls of all roles."""

    dialogues: int = 0
    failed: int = 0
    turns: int = 0
    malformed: int = 0
    truncated: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    def turn(self, turn: Turn) -> None:
        self.turns += 1
        self.malformed += bool(turn.malformed)
        self.truncated += turn.truncated
        for call in calls(turn):
            self.prompt_tokens += call.prompt_tokens or 0
            self.completion_tokens += call.completion_tokens or 0
            self.cost += call.cost or 0.0

    def dialogue(self, dialogue: Dialogue) -> None:
        self.dialogues += 1
        self.failed += dialogue.ended.startswith("error")


class Counting:
    """Base of loggers that show how far each candidate is."""

    def __init__(self) -> None:
        self._progress: dict[str, Progress] = {}

    @property
    def dialogues(self) -> int:
        """Dialogues of all candidates so far."""
        return sum(progress.dialogues for progress in self._progress.values())

    def count(self, candidate: str) -> Progress:
        return self._progress.setdefault(candidate, Progress())

    def counts(self) -> dict[str, dict[str, float]]:
        """Candidate -> count -> value."""
        return {candidate: asdict(progress) for candidate, progress in self._progress.items()}

    def turn(self, candidate: str, case: str, seed: int, turn: Turn) -> None:
        self.count(candidate).turn(turn)


def calls(turn: Turn) -> tuple[Call, ...]:
    """Every model call of a turn, the user's first."""
    return (*turn.user.calls, *turn.output.calls)


def flat(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings, with dotted names."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{where}.{key}" if where else str(key))
    else:
        yield where, value


def title(run: Mapping[str, Any]) -> str:
    """A name for a run: its suite and when it was begun."""
    return f"{run['suite']} {run['created']}"


def results(summary: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(candidate, column, cell) of a summary, in its order; ``mean`` is None where a cell is withheld or empty."""
    for candidate in summary["order"]:
        for column, cell in summary["rows"][candidate].items():
            yield candidate, column, cell
