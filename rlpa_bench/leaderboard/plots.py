"""A board's plots as inline SVG; each has its data in a CSV file beside the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import Any

from rlpa_bench.leaderboard.schema import Board, Row
from rlpa_bench.report.curves import mark

W, H = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 626, 12, 252
LEARNT = ("elicited", "profile F1", "recall on disclosed")


@dataclass(frozen=True)
class Plot:
    """One figure: its caption, SVG and the file that holds its data."""

    title: str
    caption: str
    svg: str
    data: str


def cost(board: Board, numbers: Mapping[str, int]) -> Plot | None:
    """Headline against what a system spends: US dollars where every contestant is priced, else completion tokens."""
    rows = [row for row in board.rows if not row.control and row.row.get(board.headline, {}).get("mean") is not None]
    priced = bool(rows) and all(row.usage.get("cost per dialogue") for row in rows)
    name = "cost per dialogue" if priced else "completion_tokens per turn"
    points = [(row, value) for row in rows if (value := row.usage.get(name)) is not None]
    if not points:
        return None
    most = _round_up(max(value for _, value in points)) or 1.0
    low, high = _scale(board, [row.row[board.headline] for row, _ in points])

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * value / most

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)

    parts = _axes([0, most / 2, most], x, [low, (low + high) / 2, high], y)
    for row, value in points:
        cell = row.row[board.headline]
        if cell["low"] is not None:
            parts.append(f'<path class="interval" d="M{x(value):.1f} {y(cell["low"]):.1f}V{y(cell["high"]):.1f}"/>')
        parts.append(f'<g class="s0">{mark(0, x(value), y(cell["mean"]))}</g>')
        parts.append(
            f'<text class="start" x="{x(value) + 7:.1f}" y="{y(cell["mean"]) - 5:.1f}">{numbers[row.id]}</text>'
        )
    unit = "US dollars per dialogue" if priced else "completion tokens per turn (prices are not known)"
    parts.append(f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 36}">{unit}</text>')
    words = "; ".join(f"{row.system.name}: {row.row[board.headline]['mean']:.1f} at {v:.3g}" for row, v in points)
    caption = f"{board.headline} with its 95 % interval against {unit}; numbers are those of the table."
    return Plot("Score and cost", caption, _svg(parts, f"{caption} {words}"), "points.csv")


def learnt(board: Board, numbers: Mapping[str, int]) -> Plot | None:
    """What users told (D(K)) beside what was inferred of it, one line per system."""
    rows = [row for row in board.rows if all(row.row.get(c, {}).get("mean") is not None for c in LEARNT[:2])]
    if not rows:
        return None
    height = 40 + 18 * len(rows)

    def x(value: float) -> float:
        return LEFT + 150 + (RIGHT - LEFT - 150) * value / 100

    parts = [f'<path class="grid" d="M{x(t):.1f} 4V{height - 26}"/>' for t in (0, 25, 50, 75, 100)]
    parts += [f'<text x="{x(t):.1f}" y="{height - 10}">{t}</text>' for t in (0, 25, 50, 75, 100)]
    for i, row in enumerate(rows):
        y = 16 + 18 * i
        values = [row.row.get(name, {}).get("mean") for name in LEARNT]
        known = [value for value in values if value is not None]
        name = row.system.name if len(row.system.name) < 25 else row.system.name[:23] + "…"
        parts.append(f'<text class="end" x="{LEFT + 140}" y="{y + 4}">{numbers[row.id]} {escape(name)}</text>')
        parts.append(f'<path class="grid" d="M{x(min(known)):.1f} {y}H{x(max(known)):.1f}"/>')
        parts += [f'<g class="s{k}">{mark(k, x(v), y)}</g>' for k, v in enumerate(values) if v is not None]
    caption = (
        "Circle: share of the true facts that users told by the end (elicited). Square: profile F1. Triangle: recall "
        "on what was told. A low square under a low circle was not told; under a high one it was not learnt."
    )
    return Plot("Told and learnt", caption, _svg(parts, caption, height), "points.csv")


def curve(board: Board, row: Row) -> str:
    """AL(k) of one system with its band and N; empty if it has none."""
    band = row.bands.get(board.headline, {})
    turns = sorted(map(int, band))
    if not turns:
        return ""
    width, height, last = 240, 150, max(turns)
    low, high = _limits(board)

    def x(turn: int) -> float:
        return 40 + 184 * ((turn - 1) / (last - 1) if last > 1 else 0.5)

    def y(value: float) -> float:
        return 112 - 102 * (value - low) / ((high - low) or 1)

    ticks = (low, (low + high) / 2, high)
    parts = [f'<path class="grid" d="M32 {y(t):.1f}H228"/>' for t in ticks]
    parts += [f'<text class="end" x="28" y="{y(t) + 4:.1f}">{t:g}</text>' for t in ticks]
    cells = [(turn, band[str(turn)]) for turn in turns]
    sides = [(turn, cell) for turn, cell in cells if cell["low"] is not None]
    if sides:
        up = "L".join(f"{x(t):.1f} {y(c['high']):.1f}" for t, c in sides)
        down = "L".join(f"{x(t):.1f} {y(c['low']):.1f}" for t, c in reversed(sides))
        parts.append(f'<path class="band" d="M{up}L{down}Z"/>')
    line = "L".join(f"{x(t):.1f} {y(c['mean']):.1f}" for t, c in cells)
    parts.append(f'<g class="s0"><path class="line" d="M{line}"/>')
    parts += [mark(0, x(t), y(c["mean"])) for t, c in cells if last <= 20]
    parts.append("</g>")
    step = ceil(last / 5)
    parts += [f'<text x="{x(t):.1f}" y="128">{t}</text>' for t in range(1, last + 1, step)]
    counts = sorted({cell["n"] for _, cell in cells})
    n = f"N = {counts[0]}" if len(counts) == 1 else f"N = {cells[0][1]['n']} at turn 1, {cells[-1][1]['n']} at {last}"
    parts.append(f'<text x="130" y="145">turn k; {n}</text>')
    ends = f"{cells[0][1]['mean']:.1f} at turn 1, {cells[-1][1]['mean']:.1f} at turn {last}; {n}"
    return _svg(parts, f"{row.system.name}: {ends}", height, width, "curve")


def significance(board: Board, numbers: Mapping[str, int]) -> Plot | None:
    """Which pairs differ after Holm's correction: rows above (▲), below (▼), or not told apart (empty)."""
    rows = [row for row in board.rows if "withdrawn" not in row.flags]
    if len(rows) < 2 or not board.differences:
        return None
    place = {row.id: i for i, row in enumerate(rows)}
    size = 22 if len(rows) <= 24 else max(4, 528 // len(rows))
    span = size * len(rows)
    up: list[tuple[int, int]] = []
    down: list[tuple[int, int]] = []
    for d in board.differences:
        if d.p <= 0.05 and d.a in place and d.b in place:
            i, j = place[d.a], place[d.b]
            (up if d.mean > 0 else down).append((i, j))
            (down if d.mean > 0 else up).append((j, i))
    parts = [f'<rect class="frame" x="30" y="20" width="{span}" height="{span}"/>']
    for name, cells, raised in (("s0", up, True), ("s1", down, False)):
        path = "".join(_cell(30 + j * size, 20 + i * size, size, raised=raised) for i, j in cells)
        parts.append(f'<g class="{name}"><path class="mark fill" d="{path}"/></g>' if path else "")
    step = max(1, ceil(12 / size))
    for i, row in enumerate(rows[::step]):
        at = i * step * size + size / 2
        parts.append(f'<text class="end" x="26" y="{24 + at:.1f}">{numbers[row.id]}</text>')
        parts.append(f'<text x="{30 + at:.1f}" y="14">{numbers[row.id]}</text>')
    told, pairs = len(up), len(rows) * (len(rows) - 1) // 2
    caption = (
        f"{told} of {pairs} pairs are told apart in {board.headline} (paired by case, clustered by profile, Holm, 5 "
        "%). A triangle up: the system of the row is above that of the column; down: below; empty: not told apart."
    )
    return Plot("Pairwise significance", caption, _svg(parts, caption, 30 + span, max(320, 40 + span)), "pairs.csv")


def _cell(x: float, y: float, size: int, *, raised: bool) -> str:
    """A triangle that fills a cell but for its rim."""
    rim = max(1, size // 6)
    left, right, top, bottom = x + rim, x + size - rim, y + rim, y + size - rim
    middle = x + size / 2
    if raised:
        return f"M{left:g} {bottom:g}H{right:g}L{middle:g} {top:g}z"
    return f"M{left:g} {top:g}H{right:g}L{middle:g} {bottom:g}z"


def _limits(board: Board) -> tuple[float, float]:
    column = next(column for column in board.columns if column["name"] == board.headline)
    return float(column["low"] or 0), float(100 if column["high"] is None else column["high"])


def _scale(board: Board, cells: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    low, high = _limits(board)
    most = max(v for cell in cells for v in (cell["mean"], cell["high"]) if v is not None)
    return low, min(high, _round_up(max(most - low, 1)) + low)


def _round_up(value: float) -> float:
    from math import floor, log10

    step = 10.0 ** floor(log10(value)) if value > 0 else 1.0
    return ceil(value / step) * step


def _axes(xs: Sequence[float], x: Any, ys: Sequence[float], y: Any) -> list[str]:
    parts = [f'<path class="grid" d="M{LEFT} {y(t):.1f}H{RIGHT}"/>' for t in ys]
    parts += [f'<text class="end" x="{LEFT - 6}" y="{y(t) + 4:.1f}">{t:g}</text>' for t in ys]
    return parts + [f'<text x="{x(t):.1f}" y="{BOTTOM + 18}">{t:g}</text>' for t in xs]


def _svg(parts: Sequence[str], words: str, height: int = H, width: int = W, kind: str = "plot") -> str:
    label = escape(words)
    box = f'viewBox="0 0 {width} {height}" style="max-width:{width * 1.3:.0f}px"'
    return f'<svg class="{kind}" {box} role="img" aria-label="{label}">{"".join(parts)}</svg>'
