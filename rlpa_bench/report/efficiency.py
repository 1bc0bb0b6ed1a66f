"""What a turn costs beside what it is worth: tokens by kind, latency and alignment (RLPA, arXiv 2505.15456, Figure 5).

RLPA sets alignment against the reasoning tokens of a turn, or the profile tokens of its own model: what is written
before the user reads a word. ``efficiency.csv`` has all kinds; ``efficiency.svg`` draws those two together.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import TYPE_CHECKING, Any

from rlpa_bench.report.curves import round_step

if TYPE_CHECKING:
    from rlpa_bench.runs import Run

KINDS = ("reasoning", "profile", "response")
HEADER = ("candidate", "alignment", "value", "low", "high", *(f"{kind} tokens" for kind in KINDS), "median s", "p95 s")
WIDTH, HEIGHT = 680, 340
LEFT, RIGHT, TOP, BOTTOM = 52, 500, 30, 292
"""Pixels; names stand to the right of the plot too, so that the last ones are not cut off."""

FLAT = 1e-6
"""Spans below which an axis is drawn to 1."""

STYLE = """
.eff { max-width: 680px; --back: #fdfdfc; --ink: #1c1e21; --soft: #565c63; --rule: #d5d8d6; --line: #0068b0 }
@media (prefers-color-scheme: dark) {
  .eff { --back: #15181b; --ink: #e8eaea; --soft: #a9b1b8; --rule: #3a4148; --line: #62b4f2 }
}
.eff text { font: 13px system-ui, "Segoe UI", Roboto, Arial, sans-serif; fill: var(--ink) }
.eff .soft { fill: var(--soft); font-size: 12px } .eff .end { text-anchor: end } .eff .mid { text-anchor: middle }
.eff .grid { stroke: var(--rule) } .eff .interval { stroke: var(--line); stroke-width: 2 }
.eff circle { fill: var(--line) } .eff .open { fill: var(--back); stroke: var(--line); stroke-width: 2 }
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One candidate. ``None`` is not known: an engine that reports no reasoning tokens may have spent some."""

    candidate: str
    column: str
    alignment: Mapping[str, Any]
    """Cell of the summary: mean, low, high."""
    tokens: Mapping[str, float | None]
    """Mean per turn, by kind."""
    median: float | None
    p95: float | None

    @property
    def before(self) -> float | None:
        """Tokens of a turn before its reply: reasoning, as far as it is known, and profile."""
        profile = self.tokens["profile"]
        return None if profile is None else profile + (self.tokens["reasoning"] or 0.0)

    @property
    def whole(self) -> bool:
        """Whether the reasoning is known."""
        return self.tokens["reasoning"] is not None


def rows(run: Run) -> list[Row]:
    """The candidates that ask a model and were scored by the run's first judge of alignment."""
    summary = run.summary
    column = next((c["name"] for c in summary["columns"] if c["name"].startswith("AVG[")), "")
    found = []
    for name in summary["order"]:
        cells = summary["rows"][name]
        if column in cells and not run.info["candidates"][name]["control"]:
            clock = run.info.get("latency", {}).get(name, {})
            tokens = {kind: cells.get(f"{kind} tokens", {}).get("mean") for kind in KINDS}
            found.append(Row(name, column, cells[column], tokens, clock.get("median"), clock.get("p95")))
    return found


def write_efficiency(run: Run) -> None:
    """Writes efficiency.csv, and efficiency.svg if a point can be drawn."""
    table = rows(run)
    with (run.path / "efficiency.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for row in table:
            cell = [row.alignment[name] for name in ("mean", "low", "high")]
            writer.writerow([row.candidate, row.column, *cell, *row.tokens.values(), row.median, row.p95])
    path = run.path / "efficiency.svg"
    if picture := draw(table):
        path.write_text(picture.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1), encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


def words(row: Row) -> str:
    """A point in words."""
    unknown = "" if row.whole else " (reasoning not reported)"
    return f"{row.candidate}: {row.alignment['mean']:.1f} at {row.before:.0f} tokens{unknown}"


def draw(table: Sequence[Row]) -> str:
    """The plot as SVG; empty if no candidate has both values."""
    points = [row for row in table if row.before is not None and row.alignment["mean"] is not None]
    if not points:
        return ""
    reach = max(row.before or 0.0 for row in points)
    step: float = round_step(reach) if reach > FLAT else 1.0
    last: float = ceil(reach / step) * step if reach > FLAT else 1.0
    ends: list[float] = [
        row.alignment[name] for row in points for name in ("mean", "low", "high") if row.alignment[name] is not None
    ]
    low, high = min(0.0, *ends), max(0.0, *ends)
    high = high if high - low > FLAT else low + 1.0

    def x(tokens: float) -> float:
        return LEFT + (RIGHT - LEFT) * tokens / last

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)

    label = escape("Alignment against tokens before the reply. " + "; ".join(map(words, points)))
    parts = [f'<svg class="eff" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}"><style>{STYLE}</style>']
    parts += _axes(last, step, low, high, x, y, points[0].column)
    parts += [mark for row in points for mark in _point(row, x, y)]
    return "".join([*parts, _names(points, x, y), "</svg>"])


def _axes(last: float, step: float, low: float, high: float, x: Any, y: Any, column: str) -> Iterator[str]:
    rise = round_step(high - low)
    for i in range(round(last / step) + 1):
        yield f'<text class="soft mid" x="{x(i * step):.1f}" y="{BOTTOM + 18}">{i * step:g}</text>'
    for i in range(ceil(low / rise), int(high / rise) + 1):
        yield f'<path class="grid" d="M{LEFT} {y(i * rise):.1f}H{RIGHT}"/>'
        yield f'<text class="soft end" x="{LEFT - 6}" y="{y(i * rise) + 4:.1f}">{i * rise:g}</text>'
    middle = (LEFT + RIGHT) / 2
    yield f'<text class="soft mid" x="{middle}" y="{HEIGHT - 8}">tokens per turn before the reply</text>'
    yield f'<text class="soft" x="4" y="12">{escape(column)}</text>'


def _point(row: Row, x: Any, y: Any) -> Iterator[str]:
    place, cell = x(row.before), row.alignment
    if cell["low"] is not None:
        yield f'<path class="interval" d="M{place:.1f} {y(cell["low"]):.1f}V{y(cell["high"]):.1f}"/>'
    form = "" if row.whole else ' class="open"'
    yield f'<circle{form} cx="{place:.1f}" cy="{y(cell["mean"]):.1f}" r="5"/>'


def _names(points: Sequence[Row], x: Any, y: Any) -> str:
    """Names beside their points, moved down where they would overlap."""
    taken: list[tuple[float, float]] = []
    parts = []
    for row in sorted(points, key=lambda row: (y(row.alignment["mean"]), row.candidate)):
        place, height = x(row.before) + 9, y(row.alignment["mean"]) + 4
        while any(abs(height - other) < 14 and abs(place - left) < 160 for left, other in taken):
            height += 14
        taken.append((place, height))
        parts.append(f'<text x="{place:.1f}" y="{height:.1f}">{escape(row.candidate)}</text>')
    return "".join(parts)
