"""Use of what is known of the user where it is called for, and where it is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.options import Options
from rlpa_bench_plugins.metrics.stating import Stating
from rlpa_bench_plugins.suites.stress.restraint import PERSONAL, PLAIN


class RestraintMetric(Metric):
    """Over-personalisation beside apt personalisation, in planned turns (`aloe-restraint`).

    A reply uses a fact if it names its value, or a narrower one, that the user told before and does not name now. Who
    never uses any is never intrusive: read both columns.
    """

    name = "restraint"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        text = "replies that name a fact of the user where nothing personal is called for, in percent"
        called_for = "replies that name a fact of the user who asks for what suits them, in percent"
        kinds = {_split(kind): f"the same, {kind.partition(': ')[2]}" for kind in PLAIN}
        return [
            Column("intrusive", text, 0, 100, better="lower", headline=True, binary=True),
            *(Column(name, help_, 0, 100, better="lower", binary=True) for name, help_ in kinds.items()),
            Column("apt use", called_for, 0, 100, headline=True, binary=True),
        ]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        planned = {remark.turn: remark.kind for remark in record.case.remarks}
        if record.case.gold is None or not set(PLAIN) & set(planned.values()):
            return
        reading, missing = Stating(record, self.context.ontology), dict(record.missing_turns)
        for turn, kind in planned.items():
            columns = ("intrusive", _split(kind)) if kind in PLAIN else ("apt use",) if kind == PERSONAL else ()
            if not columns or turn > record.dialogue.planned:
                continue
            value = None if turn in missing else 100.0 * self._uses(record, reading, turn)
            for column in columns:
                yield Value(column, turn, value, missing.get(turn, ""))

    @staticmethod
    def _uses(record: Record, reading: Stating, index: int) -> bool:
        """Whether the reply of a turn names a fact told up to it that the user does not name in it."""
        turns = record.dialogue.turns[:index]
        told = {key for turn in turns for key in turn.user.disclosed or ()}
        assert record.case.gold is not None
        facts = [fact for fact in record.case.gold.at(turns[-1].session, index).facts if fact.key in told]
        return bool(reading.named(turns[-1].response, facts) - reading.named(turns[-1].user.text, facts))


def _split(kind: str) -> str:
    return f"intrusive[{kind.partition(': ')[2]}]"
