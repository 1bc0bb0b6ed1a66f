"""Conformance of metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rlpa_bench.interfaces import Column, JudgeInfo, Record, Value
from rlpa_bench.testing.common import COMMON, deterministic
from rlpa_bench.testing.probe import Bench, Probe, first
from rlpa_bench.testing.report import Fault
from rlpa_bench.testing.scenes import JUDGES, records
from rlpa_bench.types import Status

SETS: Mapping[str, tuple[str, Status]] = {
    "scored": ("one", "scored"),
    "scored otherwise": ("two", "scored"),
    "unjudged": ("one", "error"),
}
"""Name of a set of records -> what its scores are drawn by, and their status."""


async def perform(bench: Bench, backward: bool) -> None:
    """Columns with and without judges; values of finished and failed dialogues, scored in two ways and not at all."""
    metric: Any = bench.component

    async def columns(judges: Mapping[str, JudgeInfo]) -> list[Column]:
        return list(metric.columns(judges))

    async def measure(record: Record) -> list[Value]:
        return list(metric.measure(record, JUDGES))

    await bench.ask("columns", columns, JUDGES)
    await bench.ask("columns without judges", columns, {})
    for name, (salt, status) in SETS.items():
        made = await records(JUDGES, salt, status)
        for record in reversed(made) if backward else made:
            where = f"{record.dialogue.case}/{record.dialogue.seed}"
            await bench.ask(f"values of {where}, {name}", measure, record)


def _columns(probe: Probe) -> dict[str, Column]:
    answer = probe.performance().answers[0]
    if answer.error:
        raise Fault(f"columns failed: {answer.error}")
    if wrong := next((column for column in answer.raw if not isinstance(column, Column)), None):
        raise Fault(f"columns gives a {type(wrong).__name__}, not a Column")
    names = [column.name for column in answer.raw]
    first([f"two columns are called {name!r}" for name in dict.fromkeys(names) if names.count(name) > 1])
    return {column.name: column for column in answer.raw}


def _values(probe: Probe, name: str) -> list[tuple[str, Record, list[Value]]]:
    done = [a for a in probe.performance().answers if a.what.endswith(f", {name}") and not a.error]
    return [(answer.what, answer.about, answer.raw) for answer in done]


def columns(probe: Probe) -> None:
    """It has columns, each with a scale that is one and, for a curve, a source and a function."""
    found = _columns(probe)
    if not found:
        raise Fault(f"fills no column in a run with the judges {', '.join(JUDGES)}")
    for column in found.values():
        if None not in (column.low, column.high) and not (column.low or 0) < (column.high or 0):
            raise Fault(f"column {column.name!r} has the scale [{column.low}, {column.high}]; low must be below high")
        if bool(column.curve_of) != (column.curve is not None):
            raise Fault(f"column {column.name!r} needs both curve_of and curve, or neither")


def scales(probe: Probe) -> None:
    """Values are finite numbers within the scale of a declared column, or None."""
    declared = _columns(probe)
    for what, _, values in _values(probe, "scored") + _values(probe, "unjudged"):
        for value in values:
            if not isinstance(value, Value) or value.column not in declared:
                raise Fault(f"{what}: {getattr(value, 'column', value)!r} is no value of a declared column")
            column, number = declared[value.column], value.value
            if number is None:
                continue
            low = -math.inf if column.low is None else column.low
            high = math.inf if column.high is None else column.high
            if not math.isfinite(number) or not low <= number <= high:
                raise Fault(f"{what}: {value.column} is {number!r}, outside [{low:g}, {high:g}]")
            if column.binary and number not in (column.low, column.high):
                raise Fault(f"{what}: {value.column} is {number!r}, but the column is declared binary")


def honest_about_missing(probe: Probe) -> None:
    """What was not judged or not played has no number: a failure is missing, never 0."""
    for what, record, values in _values(probe, "scored"):
        played = len(record.dialogue.turns)
        first([f"{what}: {v.column} is {v.value:g} at turn {v.turn}, which was never played; yield None and a reason"
               for v in values if v.turn is not None and v.turn > played and v.value is not None])  # fmt: skip
    reading = _read_scores(probe)
    for what, _, values in _values(probe, "unjudged"):
        first([f"{what}: {v.column} is {v.value:g} although its verdict failed; yield None and the reason"
               for v in values if v.column in reading and v.value is not None])  # fmt: skip


def _read_scores(probe: Probe) -> set[str]:
    """Columns whose values follow the judges' scores."""
    one, two = _values(probe, "scored"), _values(probe, "scored otherwise")
    moved = set()
    for (_, _, first_), (_, _, second) in zip(one, two, strict=True):
        for a, b in zip(first_, second, strict=False):
            if a.column == b.column and a.value != b.value:
                moved.add(a.column)
    return moved


CHECKS = {
    **COMMON,
    "deterministic": deterministic,
    "columns": columns,
    "scales": scales,
    "missing is missing": honest_about_missing,
}
