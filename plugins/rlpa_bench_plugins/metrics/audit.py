"""The simulated user's faults, and alignment without the dialogues that they spoilt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rlpa_bench.audit import audit
from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.options import Options
from rlpa_bench_plugins.metrics.alignment import aligned, factor


class AuditMetric(Metric):
    """Share of dialogues in which the simulated user is at fault, and AVG over the others."""

    name = "audit"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        text = "dialogues in which the simulated user is at fault (rlpa_bench.audit)"
        columns = [Column("user faults", text, 0, 100, better="", headline=True, binary=True)]
        for info in aligned(judges):
            scale, unit = info.parts[info.alignment], factor(info, info.alignment)
            text = "AVG over the dialogues in which the user is without fault"
            name = _name(info)
            columns.append(Column(name, text, scale.low * unit, scale.high * unit, binary=scale.binary))
        return columns

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        faulty = bool(audit(record.dialogue, record.case, self.context.ontology))
        yield Value("user faults", None, 100.0 * faulty)
        for info in aligned(judges):
            unit = factor(info, info.alignment)
            for turn, value, reason, defined in record.verdicts(info.name, info.alignment):
                scaled = None if value is None else value * unit
                yield Value(_name(info), turn, scaled, reason, defined and not faulty)


def _name(info: JudgeInfo) -> str:
    return f"AVG[{info.name}] without user faults"
