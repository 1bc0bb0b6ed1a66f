"""Units behind the diagnostics: what is forgotten, and how turns fail before anything is known of the user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rlpa_bench.free_matching import matcher
from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.options import Options
from rlpa_bench.types import Item, Turn
from rlpa_bench_plugins.metrics.alignment import aligned


class SignsMetric(Metric):
    """Facts forgotten, failing cold turns and the gap to warm turns, x100; read by the report's diagnostics.

    A turn is cold until the user has told a first fact. It fails if its output is malformed, if its profile states a
    fact although none was told, or if the first judge of alignment gives it the bottom of its scale.
    """

    name = "signs"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [
            Column("forgotten", "facts once inferred right, still true, missing at the end", 0, 100, better="lower"),
            Column("cold failures", "failing turns before the user told a fact", 0, 100, better="lower"),
            Column("cold gap", "cold failures minus failures of later turns, per dialogue", -100, 100, better="lower"),
        ]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        yield from self._forgotten(record)
        known = [turn.user.disclosed is not None for turn in record.dialogue.turns]
        if not all(known) or not known:
            yield Value("cold failures", None, None, "ledger unknown", planned=False)
            return
        verdicts = _verdicts(record, judges)
        cold, warm = self._split(record.dialogue.turns)
        early = [bool(turn.malformed) or _invents(turn) or verdicts.get(turn.index, False) for turn in cold]
        late = [bool(turn.malformed) or verdicts.get(turn.index, False) for turn in warm]
        if early:
            why = _unknown(early)
            yield Value("cold failures", None, None if why else 100 * _count(early) / len(early), why)
        if early and late:
            why = _unknown([*early, *late])
            gap = None if why else 100 * (_count(early) / len(early) - _count(late) / len(late))
            yield Value("cold gap", None, gap, why)

    def _forgotten(self, record: Record) -> Iterator[Value]:
        turns, gold = record.dialogue.turns, record.case.gold
        if gold is None or len(turns) < 2:
            return
        last = turns[-1]
        still = {fact.key for fact in gold.at(last.session, last.index).facts}
        right = [self._right(gold.at(turn.session, turn.index).facts, turn) & still for turn in turns]
        ever = set().union(*right[:-1])
        if ever:
            yield Value("forgotten", None, 100 * len(ever - right[-1]) / len(ever))

    def _right(self, facts: Sequence[Item], turn: Turn) -> set[str]:
        if not turn.inferred:
            return set()
        by = matcher(facts, self.context.ontology)
        match = by.match(by.resolve(turn.inferred), by.resolve(facts))
        return {gold.key for _, gold, weight in match.pairs if weight == 1}

    @staticmethod
    def _split(turns: Sequence[Turn]) -> tuple[Sequence[Turn], Sequence[Turn]]:
        first = next((i for i, turn in enumerate(turns) if turn.user.disclosed), len(turns))
        return turns[:first], turns[first:]


def _verdicts(record: Record, judges: Mapping[str, JudgeInfo]) -> dict[int, bool | str]:
    """Turn -> whether the first judge of alignment gives it the bottom of its scale, or why that is not known."""
    found: dict[int, bool | str] = {}
    for info in aligned(judges)[:1]:
        low = info.parts[info.alignment].low
        for turn, value, reason, defined in record.verdicts(info.name, info.alignment):
            if value is not None:
                found[turn] = value <= low
            elif defined:
                found[turn] = reason
    return found


def _count(failing: Sequence[bool | str]) -> int:
    return sum(map(bool, failing))


def _unknown(failing: Sequence[bool | str]) -> str:
    """Why one of the turns is not known to fail or not; empty if all are."""
    return next((why for why in failing if isinstance(why, str)), "")


def _invents(turn: Turn) -> bool:
    return any(not item.is_trait and item.slot for item in turn.inferred)
