"""Curves over turns and intervals as plain SVG, and curves.csv; all from the content of summary.json."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlpa_bench.runs import Run

WIDTH, HEIGHT = 320, 186
LEFT, RIGHT, TOP, BOTTOM = 34, 308, 10, 140
INSET = 8
"""Space between the axis and the first turn."""
STYLES = 5
"""Line styles in the style sheet (``s0`` ...), each with a dash and a marker of its own."""
MARKED = 20
"""Up to this many turns every point has a marker."""
EDGE = 3.0
"""Free space at both ends of an interval's scale, in percent of its width."""


@dataclass(frozen=True)
class Curve:
    """One column over turns for one candidate."""

    label: str
    points: Mapping[int, tuple[float, int]]
    """Turn -> (mean, number of dialogues behind it)."""

    @property
    def words(self) -> str:
        """The curve in one sentence."""
        if not self.points:
            return f"{self.label}: no value"
        ends = sorted({min(self.points), max(self.points)})
        return f"{self.label}: " + ", ".join(f"{self.points[k][0]:.1f} at turn {k}" for k in ends)


@dataclass(frozen=True)
class Figure:
    """One small multiple: a candidate's curves of one panel."""

    candidate: str
    svg: str
    turns: Sequence[int]
    curves: Sequence[Curve]


@dataclass(frozen=True)
class Panel:
    """Columns that share a scale, drawn once per candidate."""

    title: str
    columns: Sequence[Mapping[str, Any]]

    @property
    def labels(self) -> list[str]:
        return [label(column["name"]) for column in self.columns]

    @property
    def note(self) -> str:
        """How to read it, in one or two sentences."""
        if "D(k)" in self.labels:
            return (
                "D(k) is the share of the true facts that the user has told by turn k. Where the other curves are low "
                "and D(k) is low too, the candidate was not told; where D(k) is high, it did not learn."
            )
        text = ", ".join(self.labels)
        if text.startswith("AL(k)["):
            text = f"Alignment of the reply at turn k in the opinion of judge {text[6:-1]}"
        return f"{text}; {self.columns[0]['better']} is better." if self.columns[0]["better"] else f"{text}."

    def figures(self, summary: Mapping[str, Any], candidates: Sequence[str]) -> Iterator[Figure]:
        rows = {name: self._curves(summary["rows"][name]) for name in candidates}
        drawn = [curve for curves in rows.values() for curve in curves]
        values = [mean for curve in drawn for mean, _ in curve.points.values()]
        last = max((k for curve in drawn for k in curve.points), default=0)
        if not values:
            return
        scale = _scale([self.columns[0]["low"], self.columns[0]["high"]], values)
        for name, curves in rows.items():
            turns = sorted({k for curve in curves for k in curve.points})
            yield Figure(name, draw(name, curves, last, scale), turns, curves)

    def _curves(self, row: Mapping[str, Any]) -> list[Curve]:
        curves = []
        for column in self.columns:
            by_turn = row.get(column["name"], {}).get("by_turn", {})
            points = {int(k): (cell["mean"], cell["n"]) for k, cell in by_turn.items()}
            curves.append(Curve(label(column["name"]), dict(sorted(points.items()))))
        return curves


def label(column: str) -> str:
    """``AVG[rules]`` is the mean of the curve ``AL(k)[rules]``; other curves are called as their column."""
    return column.replace("AVG[", "AL(k)[", 1)


def panels(summary: Mapping[str, Any]) -> list[Panel]:
    """One panel per judge's alignment, and one per scale for all other columns with a curve."""
    groups: dict[object, list[Mapping[str, Any]]] = {}
    for column in summary["columns"]:
        if column["by_turn"]:
            alone = column["name"].startswith("AVG[")
            key = column["name"] if alone else (column["low"], column["high"])
            groups.setdefault(key, []).append(column)
    return [Panel(_title([label(c["name"]) for c in group]), group) for group in groups.values()]


def _title(labels: Sequence[str]) -> str:
    if "D(k)" in labels:
        return "Told and learnt"
    return "Alignment " + labels[0] if labels[0].startswith("AL(k)[") else ", ".join(labels)


def write_curves_csv(run: Run, path: Path) -> None:
    """Long format: one line per candidate, column and turn."""
    summary = run.summary
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["candidate", "column", "turn", "mean", "n"])
        for candidate in summary["order"]:
            for name, cell in summary["rows"][candidate].items():
                for turn, point in sorted(cell.get("by_turn", {}).items(), key=lambda pair: int(pair[0])):
                    writer.writerow([candidate, name, turn, point["mean"], point["n"]])


def draw(candidate: str, curves: Sequence[Curve], last: int, scale: tuple[float, float]) -> str:
    """SVG of some curves over turns 1 to ``last``; ``scale`` is (lowest, highest) value."""
    low, high = scale

    def x(turn: float) -> float:
        return LEFT + INSET + (RIGHT - LEFT - INSET) * ((turn - 1) / (last - 1) if last > 1 else 0.5)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)

    words = escape(f"{candidate}. " + "; ".join(curve.words for curve in curves))
    parts = [f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">']
    for value in (low, (low + high) / 2, high):
        parts.append(f'<path class="grid" d="M{LEFT} {y(value):.1f}H{RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y(value) + 4:.1f}" class="end">{value:g}</text>')
    parts += [f'<text x="{x(turn):.1f}" y="{BOTTOM + 16}">{turn}</text>' for turn in _ticks(last)]
    parts.append(f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 30}">turn k</text>')
    parts += _counts(curves[0], last, x) if curves[0].points else []
    for i, curve in enumerate(curves):
        places = [(k, x(k), y(mean)) for k, (mean, _) in curve.points.items()]
        parts.append(f'<g class="s{i % STYLES}"><path class="line" d="{_line(places)}"/>')
        parts += [mark(i, px, py) for k, px, py in places if last <= MARKED or k in _ticks(last)]
        parts.append("</g>")
    return "".join([*parts, "</svg>"])


def _counts(curve: Curve, last: int, x: Any) -> list[str]:
    """N at each k, or once if it is the same everywhere."""
    counts = {n for _, n in curve.points.values()}
    if len(counts) == 1 and len(curve.points) == last:
        return [f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 3}">N = {counts.pop()} at every k</text>']
    ticks = _ticks(last)
    cells = [
        f'<text x="{x(k):.1f}" y="{HEIGHT - 3}" class="n">{curve.points[k][1]}</text>'
        for k in ticks
        if k in curve.points
    ]
    return [f'<text x="2" y="{HEIGHT - 3}" class="n start">N =</text>', *cells]


def _line(places: Sequence[tuple[int, float, float]]) -> str:
    """A path that breaks where a turn has no value."""
    steps, before = [], None
    for turn, px, py in places:
        steps.append(f"{'L' if before == turn - 1 else 'M'}{px:.1f} {py:.1f}")
        before = turn
    return "".join(steps)


SHAPES = (
    "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0",
    "m-3-3h6v6h-6z",
    "m0-4l4 7h-8z",
    "m0-4.5l4 4.5l-4 4.5l-4-4.5z",
    "m-3.5-3.5l7 7m0-7l-7 7",
)
"""Markers: circle, square, triangle, diamond, cross."""


def mark(style: int, px: float, py: float) -> str:
    """The marker of a line style at a place."""
    return f'<path class="mark" d="M{px:.1f} {py:.1f}{SHAPES[style % STYLES]}"/>'


def _ticks(last: int) -> list[int]:
    """At most about ten turns, the first and round ones."""
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 10**9) if last <= 10 * s)
    return [1] + [k for k in range(step, last + 1, step) if k > 1] if last else []


def _scale(bounds: Sequence[float | None], values: Sequence[float]) -> tuple[float, float]:
    """(lowest, highest) of an axis: the column's own where it has them, else round numbers around the values."""
    low, high = bounds
    low = min([0.0, *values]) if low is None else low
    top = max(values) if high is None else high
    step = 10 ** floor(log10(top - low)) if top > low else 1.0
    return low, top if high is not None and top > low else low + ceil((top - low) / step or 1) * step


@dataclass(frozen=True)
class Bar:
    """A candidate's value and interval; ``cell`` is a cell of the summary."""

    candidate: str
    cell: Mapping[str, Any] | None
    svg: str


def forest(summary: Mapping[str, Any], candidates: Sequence[str], column: str) -> tuple[list[Bar], str]:
    """A bar per candidate on one scale, and the axis under them; nothing where no candidate has a value."""
    cells = {name: summary["rows"].get(name, {}).get(column) for name in candidates}
    values = [
        value
        for cell in cells.values()
        if cell
        for value in (cell["mean"], cell["low"], cell["high"], *cell.get("bounds", ()))
        if value is not None
    ]
    if not values:
        return [], ""
    step = round_step(max(0.0, *values) - min(0.0, *values))
    low, high = floor(min(0.0, *values) / step) * step, ceil(max(0.0, *values) / step) * step

    def x(value: float) -> str:
        return f"{EDGE + (100 - 2 * EDGE) * (value - low) / ((high - low) or 1):.2f}%"

    ticks = [low + i * step for i in range(round((high - low) / step) + 1)]
    axis = "".join(f'<text x="{x(tick)}" y="13">{round(tick, 10):g}</text>' for tick in ticks)
    grid = "".join(f'<line class="grid" x1="{x(t)}" x2="{x(t)}" y1="0" y2="100%"/>' for t in ticks)
    bars = [Bar(name, cell, _svg(grid + _interval(cell, x), 26)) for name, cell in cells.items()]
    return bars, _svg(axis, 18)


def round_step(span: float) -> float:
    """A round step that cuts a span into four to ten."""
    if span <= 0:
        return 1.0
    power: float = 10.0 ** floor(log10(span))
    return next(power * f for f in (0.1, 0.2, 0.25, 0.5, 1.0) if span / (power * f) <= 10)


def _interval(cell: Mapping[str, Any] | None, x: Any) -> str:
    if not cell:
        return ""
    parts = []
    if bounds := cell.get("bounds"):
        parts.append(f'<line class="bounds" x1="{x(bounds[0])}" x2="{x(bounds[1])}" y1="50%" y2="50%"/>')
    if cell["low"] is not None:
        parts.append(f'<line class="interval" x1="{x(cell["low"])}" x2="{x(cell["high"])}" y1="50%" y2="50%"/>')
    if cell["mean"] is not None:
        parts.append(f'<circle cx="{x(cell["mean"])}" cy="50%" r="5"/>')
    return "".join(parts)


def _svg(content: str, height: int) -> str:
    return f'<svg class="bar" width="100%" height="{height}" aria-hidden="true">{content}</svg>'
