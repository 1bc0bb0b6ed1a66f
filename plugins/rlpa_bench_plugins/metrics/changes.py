"""Changed minds: how soon a profile follows, what it keeps too long, and what it changes for no reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.options import Options
from rlpa_bench.types import Item, Turn
from rlpa_bench_plugins.metrics.stating import Stating
from rlpa_bench_plugins.suites.stress.conflict import DISTANCES, KINDS

_SPLITS = (*KINDS, *DISTANCES)


@dataclass(frozen=True, slots=True)
class _Told:
    """One change as the user told it; in force from turn to turn, both included."""

    old: Item
    new: Item | None
    start: int
    end: int


class ChangesMetric(Metric):
    """Updates and false updates in a suite whose cases plan changes and twins without (`aloe-conflict`).

    A change counts from the turn in which the user tells of it. The profile has followed in the first turn in which it
    states the new value and not the old one; where a fact is withdrawn, in which it no longer states it, if it did
    before. A change that is never followed counts as many turns as were left, plus one. In a twin, a turn is a false
    update if the profile contradicts the fact, or no longer states it, though it did before another person was
    spoken of.
    """

    name = "changes"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        text = "changes after which the profile states the new value and not the old one, in percent"
        stale = "turns since a change in which the profile states the old value, in percent; its curve starts there"
        false = "turns of a twin in which the profile has changed though nothing did, in percent"
        turns = "turns from the news to that; all that are left, plus 1, if never"
        return [
            Column("updated", text, 0, 100, headline=True, binary=True),
            *(Column(f"updated[{split}]", f"the same, changes that are {split}", 0, 100) for split in _SPLITS),
            Column("turns to update", turns, low=0, better="lower", headline=True),
            Column("stale rate", stale, 0, 100, better="lower", by_turn=True, headline=True, binary=True),
            Column("false updates", false, 0, 100, better="lower", headline=True, binary=True),
        ]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        kind = record.case.factors.get("change")
        if kind is None or record.case.gold is None:
            return
        reading = Stating(record, self.context.ontology)
        if kind == "none":
            yield from _twin(record, reading)
            return
        splits = (kind, record.case.factors["distance"])
        for told in _changes(record):
            yield from _followed(record.dialogue.turns, reading, told, splits)
        yield from _unplayed(record, splits)


def _changes(record: Record) -> Iterator[_Told]:
    """The changes that the user told of, in order."""
    gold, turns = record.case.gold, record.dialogue.turns
    assert gold is not None
    held = {item.key: item for item in (*gold.items, *(c.new for c in gold.changes if c.new))}
    found = [(change, _news(turns, change.turn, change.new)) for change in gold.changes]
    known = [(change, start) for change, start in found if start]
    for i, (change, start) in enumerate(known):
        end = known[i + 1][1] - 1 if i + 1 < len(known) else len(turns)
        yield _Told(held[change.old], change.new, start, end)


def _news(turns: Sequence[Turn], planned: int, new: Item | None) -> int:
    """The turn in which the user tells of a change; 0 if they never do."""
    if new is None:
        return planned if planned <= len(turns) else 0
    told = (turn.index for turn in turns[planned - 1 :] if new.key in (turn.user.disclosed or ()))
    return next(told, 0)


def _followed(turns: Sequence[Turn], reading: Stating, told: _Told, splits: Sequence[str]) -> Iterator[Value]:
    after = turns[told.start - 1 : told.end]
    stale = [reading.states(turn, told.old) for turn in after]
    for since, old in enumerate(stale, 1):
        yield Value("stale rate", since, 100.0 * old)
    if told.new is None and not (told.start > 1 and reading.states(turns[told.start - 2], told.old)):
        return  # never known, so nothing to give up
    right = [not old and (told.new is None or reading.states(turn, told.new))
             for turn, old in zip(after, stale, strict=True)]  # fmt: skip
    for column in ("updated", *(f"updated[{split}]" for split in splits)):
        yield Value(column, None, 100.0 * any(right))
    yield Value("turns to update", None, float(right.index(True) if any(right) else len(after)))


def _unplayed(record: Record, splits: Sequence[str]) -> Iterator[Value]:
    """Changes planned for turns that never came."""
    assert record.case.gold is not None
    missing = dict(record.missing_turns)
    for change in record.case.gold.changes:
        if change.turn in missing:
            for column in ("updated", "turns to update", *(f"updated[{split}]" for split in splits)):
                yield Value(column, None, None, missing[change.turn])


def _twin(record: Record, reading: Stating) -> Iterator[Value]:
    gold, remarks, turns = record.case.gold, record.case.remarks, record.dialogue.turns
    assert gold is not None
    first = next(remark for remark in remarks if remark.kind == "first")
    start = next(remark.turn for remark in remarks if remark.kind == "elsewhere")
    (item,) = (item for item in gold.items if item.key in first.disclosed)
    if len(turns) >= start and not reading.contradicts(turns[start - 2], item):
        stated = reading.states(turns[start - 2], item)
        for turn in turns[start - 1 :]:
            wrong = reading.contradicts(turn, item) or (stated and not reading.states(turn, item))
            yield Value("false updates", turn.index, 100.0 * wrong)
    for index, reason in record.missing_turns:
        if index >= start:
            yield Value("false updates", index, None, reason)
