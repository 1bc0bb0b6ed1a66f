"""Curves over turns with their intervals: what a run's summary leaves out and a board draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rlpa_bench.interfaces import JudgeInfo, Metric, Record
from rlpa_bench.statistics import clustered_mean


@dataclass
class Bands:
    """Values by column, turn and profile, of the columns that a headline shows by turn."""

    metrics: Sequence[Metric]
    judges: Mapping[str, JudgeInfo]
    values: dict[str, dict[int, dict[str, list[float]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._limits = {
            column.name: (column.low, column.high)
            for metric in self.metrics
            for column in metric.columns(self.judges)
            if column.by_turn and column.headline
        }
        self._owners = [
            metric for metric in self.metrics if any(c.name in self._limits for c in metric.columns(self.judges))
        ]

    def add(self, record: Record) -> None:
        """One dialogue."""
        for metric in self._owners:
            for value in metric.measure(record, self.judges):
                if value.column in self._limits and value.turn is not None and value.value is not None:
                    turns = self.values.setdefault(value.column, {})
                    turns.setdefault(value.turn, {}).setdefault(record.case.cluster, []).append(value.value)

    def reduced(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Column -> turn -> mean, low, high (95 %, clustered by profile, cut at the scale) and n dialogues."""
        return {
            column: {str(turn): self._cell(column, groups) for turn, groups in sorted(turns.items())}
            for column, turns in self.values.items()
        }

    def _cell(self, column: str, groups: Mapping[str, Sequence[float]]) -> dict[str, Any]:
        means = [sum(values) / len(values) for _, values in sorted(groups.items())]
        estimate = clustered_mean(means)
        least, most = self._limits[column]
        cell: dict[str, Any] = {"mean": estimate.mean, "low": None, "high": None}
        if len(means) > 1:
            cell["low"] = estimate.low if least is None else max(estimate.low, least)
            cell["high"] = estimate.high if most is None else min(estimate.high, most)
        return {**cell, "n": sum(map(len, groups.values()))}
