"""Which dialogues a page shows: all if they fit, otherwise those with faults first, then an even sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from zlib import compress, decompress

from rlpa_bench.interfaces import Record
from rlpa_bench.report.dialogues import faults


@dataclass(frozen=True, slots=True)
class Shown:
    """A dialogue with its finished HTML."""

    anchor: str
    case: str
    seed: int
    brief: str
    faults: list[str]
    size: int
    """Characters of the HTML."""
    packed: bytes
    """The HTML, compressed: a page shows tens of millions of characters, chosen before any is written."""

    @classmethod
    def of(cls, anchor: str, case: str, seed: int, brief: str, faults: list[str], html: str) -> Shown:
        return cls(anchor, case, seed, brief, faults, len(html), compress(html.encode(), 1))

    @property
    def body(self) -> str:
        return decompress(self.packed).decode()


Render = Callable[[Record, list[str]], Shown]
"""Makes the HTML of a dialogue with the given faults."""


@dataclass
class EvenSample:
    """Every n-th of a stream, where n doubles whenever what is kept outgrows its budget (in characters)."""

    budget: int
    kept: list[Shown] = field(default_factory=list)
    seen: int = 0
    _step: int = 1

    def offer(self, make: Callable[[], Shown]) -> None:
        if self.seen % self._step == 0:
            self.kept.append(make())
            self.fit(self.budget)
        self.seen += 1

    @property
    def size(self) -> int:
        return sum(shown.size for shown in self.kept)

    def fit(self, budget: int) -> None:
        """Thins out evenly until the budget holds; the first always stays."""
        while self.size > budget and len(self.kept) > 1:
            self.kept = self.kept[::2]
            self._step *= 2


@dataclass(frozen=True)
class Selection:
    """The dialogues of one candidate that are shown, and of how many."""

    candidate: str
    shown: list[Shown]
    total: int
    faulty: int
    faulty_shown: int

    @property
    def words(self) -> str:
        """Which dialogues these are, in one sentence."""
        if len(self.shown) == self.total:
            order = ", those with faults first" if 0 < self.faulty < self.total else ""
            return f"All {self.total} dialogues are shown{order}." if self.total > 1 else "One dialogue, shown."
        which = "all" if self.faulty_shown == self.faulty else f"{self.faulty_shown} (an even sample)"
        rest = "an even sample"
        if 0 < self.faulty < self.total:
            rest = f"{which} of the {self.faulty} with faults first, then an even sample of the others"
        return f"{len(self.shown)} of {self.total} dialogues are shown: {rest}. dialogues.jsonl holds all."


def shares(needs: Mapping[str, int], budget: int) -> dict[str, int]:
    """Splits a budget evenly, but whoever needs less leaves the rest to the others.

    Needs are estimates: who is given its fill may exceed it up to an even share.
    """
    given = {}
    for done, (name, need) in enumerate(sorted(needs.items(), key=lambda pair: pair[1])):
        given[name] = max(0, budget) // (len(needs) - done)
        budget -= min(need, given[name])
    return given


def select(records: Iterable[Record], render: Render, budgets: Mapping[str, int]) -> Iterator[Selection]:
    """One selection per candidate that has dialogues, one at a time; ``budgets`` are characters of HTML."""
    for candidate, group in groupby(records, key=lambda record: record.dialogue.candidate):
        yield _select(candidate, group, render, budgets[candidate])


def _select(candidate: str, records: Iterable[Record], render: Render, budget: int) -> Selection:
    bad, good = EvenSample(budget), EvenSample(budget)
    for record in records:
        found = faults(record)
        (bad if found else good).offer(partial(render, record, found))
    bad.fit(max(budget // 2, budget - good.size))
    good.fit(budget - bad.size)
    return Selection(candidate, bad.kept + good.kept, bad.seen + good.seen, bad.seen, len(bad.kept))
