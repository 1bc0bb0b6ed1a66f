"""Scores and transcripts x metrics -> summary.json. Streams over the files; holds sums by profile, never dialogues.

Every cell says how many units were planned and scored, why the others are missing, and what the value would be if
all missing ones were worst or best. Intervals are clustered by profile (see rlpa_bench.statistics).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

from rlpa_bench.errors import PluginError
from rlpa_bench.guard import guarding
from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record
from rlpa_bench.statistics import Estimate, clustered_mean, jackknife_curve, wilson_interval
from rlpa_bench.types import Case, Dialogue, Score

MISSING_MARK = 0.01
"""Share of missing units above which bounds are printed beside a value."""
MISSING_LIMIT = 0.05
"""Share of missing units above which a cell is n/a."""


@dataclass
class Cell:
    """Sums of one column for one candidate."""

    dialogues: dict[str, dict[str, array[float]]] = field(default_factory=dict)
    """Cluster -> case -> means over a dialogue's units, one per seed."""
    curve: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    """Cluster -> turn -> [sum, count]."""
    planned: int = 0
    scored: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    missing_by_turn: dict[int, int] = field(default_factory=dict)

    def add(self, cluster: str, case: str, values: Sequence[tuple[int | None, float | None, str]]) -> None:
        """One dialogue's units: (turn, value, reason if missing)."""
        known = []
        self.planned += len(values)
        for turn, value, reason in values:
            if value is None:
                self.reasons[reason] = self.reasons.get(reason, 0) + 1
                if turn is not None:
                    self.missing_by_turn[turn] = self.missing_by_turn.get(turn, 0) + 1
                continue
            known.append(value)
            if turn is not None:
                cell = self.curve.setdefault(cluster, {}).setdefault(turn, [0.0, 0])
                cell[0] += value
                cell[1] += 1
        if known:
            self.scored += len(known)
            self.dialogues.setdefault(cluster, {}).setdefault(case, array("d")).append(math.fsum(known) / len(known))

    def means(self) -> dict[str, float]:
        """Cluster -> mean over its dialogues."""
        return {cluster: _average(m for v in cases.values() for m in v) for cluster, cases in self.dialogues.items()}

    def by_case(self) -> dict[str, float]:
        """Case -> mean over its seeds; what differences are paired on."""
        return {case: _average(means) for cases in self.dialogues.values() for case, means in cases.items()}

    def by_turn(self) -> dict[int, tuple[float, int]]:
        """Turn -> (mean over the cluster means at this turn, number of dialogues behind it)."""
        turns: dict[int, list[tuple[float, int]]] = {}
        for _, curve in sorted(self.curve.items()):
            for turn, (total, count) in curve.items():
                turns.setdefault(turn, []).append((total / count, int(count)))
        return {
            turn: (math.fsum(m for m, _ in cells) / len(cells), sum(n for _, n in cells))
            for turn, cells in sorted(turns.items())
        }


def _average(values: Iterable[float]) -> float:
    known = list(values)
    return math.fsum(known) / len(known)


def summarise(
    records: Iterable[Record],
    metrics: Sequence[Metric],
    judges: Mapping[str, JudgeInfo],
    failed: dict[str, str] | None = None,
) -> dict[str, dict[str, Any]]:
    """Candidate -> column -> cell, for dialogues that come in any order.

    A metric that fails loses all its columns and is noted in ``failed`` (name -> why); the others are as ever.
    """
    failed = {} if failed is None else failed
    owners = columns_of(metrics, judges, failed)
    cells: dict[str, dict[str, Cell]] = {}
    for record in records:
        row = cells.setdefault(record.dialogue.candidate, {})
        for metric in metrics:
            if metric.name not in failed:
                for name, values in _units(metric, record, judges, owners, failed).items():
                    row.setdefault(name, Cell()).add(record.case.cluster, record.case.id, values)
    rows: dict[str, dict[str, Any]] = {candidate: {} for candidate in cells}
    for name, (column, owner) in owners.items():
        try:
            for candidate, row in cells.items():
                if _source(column) in row:
                    rows[candidate][name] = _reduce(column, row)
        except PluginError as error:
            failed[owner] = str(error)
    left = {name for name, (column, _) in owners.items() if _fails(column, owners, failed)}
    return {
        candidate: {name: cell for name, cell in row.items() if name not in left} for candidate, row in rows.items()
    }


def _fails(column: Column, owners: Owned, failed: Mapping[str, str]) -> bool:
    """Whether a column, or the one whose curve it reduces, is filled by a metric that failed."""
    return any(owners[name][1] in failed for name in (column.name, _source(column)) if name in owners)


Owned = dict[str, tuple[Column, str]]
"""Column name -> the column and the metric that fills it."""


def columns_of(
    metrics: Sequence[Metric], judges: Mapping[str, JudgeInfo], failed: dict[str, str] | None = None
) -> Owned:
    """Every column and whose it is; a metric that fails at saying so is noted in ``failed``.

    Raises:
        PluginError: if two metrics fill columns of one name, naming both.
    """
    failed = {} if failed is None else failed
    owners: Owned = {}
    for metric in metrics:
        try:
            with guarding(f"metric {metric.name!r}"):
                columns = list(metric.columns(judges))
                names = [column.name for column in columns]
        except PluginError as error:
            failed[metric.name] = str(error)
            continue
        for name, column in zip(names, columns, strict=True):
            if name in owners:
                both = f"{owners[name][1]!r} and {metric.name!r}"
                raise PluginError(f"metrics {both} both fill the column {name!r}; disable one (RLPA_BENCH_DISABLE)")
            owners[name] = (column, metric.name)
    return owners


def _units(
    metric: Metric, record: Record, judges: Mapping[str, JudgeInfo], owners: Owned, failed: dict[str, str]
) -> dict[str, list[tuple[int | None, float | None, str]]]:
    """A metric's values for one dialogue by column; none, and a note, if it fails."""
    units: dict[str, list[tuple[int | None, float | None, str]]] = {}
    try:
        with guarding(f"metric {metric.name!r}"):
            for value in metric.measure(record, judges):
                number = value.value
                if owners.get(value.column, (None, ""))[1] != metric.name:
                    raise ValueError(f"fills the column {value.column!r}, which it did not declare")
                if number is not None and not (isinstance(number, Real) and math.isfinite(number)):
                    raise ValueError(f"{number!r} in column {value.column!r} is neither a finite number nor None")
                if value.planned:
                    units.setdefault(value.column, []).append((value.turn, number, value.reason))
    except PluginError as error:
        failed[metric.name] = str(error)
        return {}
    return units


def _source(column: Column) -> str:
    return column.curve_of or column.name


def _reduce(column: Column, row: Mapping[str, Cell]) -> dict[str, Any]:
    cell = row[_source(column)]
    missing = cell.planned - cell.scored
    out: dict[str, Any] = {
        "planned": cell.planned,
        "scored": cell.scored,
        "missing": dict(sorted(cell.reasons.items())),
        "clusters": len(cell.dialogues),
    }
    estimate = _function(column, cell) if column.curve else _mean(column, cell)
    out |= {"mean": None, "low": None, "high": None} if estimate is None else _numbers(estimate, column)
    if missing > MISSING_LIMIT * cell.planned:
        out |= {"withheld": out["mean"], "mean": None, "low": None, "high": None}
    if missing and not column.curve and None not in (column.low, column.high):
        out["bounds"] = _bounds(column, cell)
    if column.by_turn:
        out["by_turn"] = {str(turn): {"mean": mean, "n": n} for turn, (mean, n) in cell.by_turn().items()}
    if column.headline and not column.curve:
        out["cases"] = cell.by_case()
    return out


def _mean(column: Column, cell: Cell) -> Estimate | None:
    means = cell.means()
    if not means:
        return None
    estimate = clustered_mean(list(means.values()), None)
    return (
        _alike(column, cell, estimate)
        if column.binary and set(means.values()) <= {column.low, column.high}
        else estimate
    )


def _alike(column: Column, cell: Cell, estimate: Estimate) -> Estimate:
    """Where all units of a binary column agree, t gives an empty interval: Wilson's instead, a case counting once."""
    assert column.low is not None and column.high is not None
    if estimate.mean not in (column.low, column.high):
        return estimate
    n = sum(len(cases) for cases in cell.dialogues.values())
    low, high = wilson_interval(n if estimate.mean == column.high else 0, n)
    span = column.high - column.low
    return replace(estimate, low=column.low + low * span, high=column.low + high * span)


def _function(column: Column, cell: Cell) -> Estimate | None:
    assert column.curve is not None
    turns = sorted({turn for curve in cell.curve.values() for turn in curve})
    if len(turns) < 2:
        return None
    rows = {
        cluster: [(curve[turn][0], int(curve[turn][1])) if turn in curve else None for turn in turns]
        for cluster, curve in sorted(cell.curve.items())
    }
    with guarding(f"the curve of column {column.name!r}"):
        return jackknife_curve(rows, column.curve)


def _numbers(estimate: Estimate, column: Column) -> dict[str, float | None]:
    """Mean and interval, the interval cut at the ends of the column's scale."""
    least = -math.inf if column.low is None else column.low
    most = math.inf if column.high is None else column.high
    values = {"mean": estimate.mean, "low": max(estimate.low, least), "high": min(estimate.high, most)}
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def _bounds(column: Column, cell: Cell) -> list[float]:
    """The mean over units if every missing one were worst, and if every one were best."""
    assert column.low is not None and column.high is not None
    total = math.fsum(cell_sum for curve in cell.curve.values() for cell_sum, _ in curve.values())
    if not cell.curve:
        total = math.fsum(m for cases in cell.dialogues.values() for means in cases.values() for m in means)
    missing = cell.planned - cell.scored
    return [(total + missing * edge) / cell.planned for edge in (column.low, column.high)]


def joined(dialogues: Iterable[Dialogue], scores: Iterator[list[Score]]) -> Iterator[tuple[Dialogue, list[Score]]]:
    """Each dialogue with its scores; both come in the same order, a dialogue may have none yet."""
    group = next(scores, None)
    for dialogue in dialogues:
        name = (dialogue.candidate, dialogue.case, dialogue.seed)
        if group and (group[0].candidate, group[0].case, group[0].seed) == name:
            yield dialogue, group
            group = next(scores, None)
        else:
            yield dialogue, []


def records(
    dialogues: Iterable[Dialogue], scores: Iterator[list[Score]], cases: Mapping[str, Case]
) -> Iterator[Record]:
    """Dialogues with their cases and scores, as metrics see them."""
    for dialogue, group in joined(dialogues, scores):
        mine: dict[tuple[str, str], dict[int | None, list[Score]]] = {}
        for score in group:
            mine.setdefault((score.judge, score.part), {}).setdefault(score.turn, []).append(score)
        yield Record(dialogue, cases[dialogue.case], mine)
