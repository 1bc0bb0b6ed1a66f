"""Verdicts of judges that give no alignment score, so that no judge of turns goes unshown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.options import Options
from rlpa_bench_plugins.metrics.alignment import factor
from rlpa_bench_plugins.metrics.panel import members
from rlpa_bench_plugins.metrics.profile import JUDGE


class VerdictsMetric(Metric):
    """Each part of a judge of turns that is no alignment judge, as ``part[judge]``; never a headline."""

    name = "verdicts"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [
            Column(f"{part}[{info.name}]", scale.help, scale.low * unit, scale.high * unit, binary=scale.binary)
            for info in _others(judges)
            for part, scale in info.parts.items()
            if (unit := factor(info, part))
        ]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for info in _others(judges):
            for part in info.parts:
                unit = factor(info, part)
                for turn, value, reason, defined in record.verdicts(info.name, part):
                    yield Value(f"{part}[{info.name}]", turn, None if value is None else value * unit, reason, defined)


def _others(judges: Mapping[str, JudgeInfo]) -> list[JudgeInfo]:
    """Judges of turns that no other metric shows."""
    return [
        info
        for info in judges.values()
        if info.target == "turn" and not info.alignment and info.name != JUDGE and not members(info)
    ]
