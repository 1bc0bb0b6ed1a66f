"""A matrix as a picture: a square a cell, its value in it, light to dark from 0 to 100."""

from __future__ import annotations

from html import escape

from rlpa_bench.matrix.files import GRANTED, TRAINED
from rlpa_bench.matrix.grid import Cell, Grid

NAMES, WIDE, HIGH, TOP, GAP, EDGE = 200, 104, 40, 92, 14, 24
"""Pixels: room for names, width and height of a square, of the heading, between simulators, and at the edge."""
DARK = 50
"""Value above which the words in a square are light."""

STYLE = """
svg { --back: #fdfdfc; --ink: #1c1e21; --soft: #565c63; --none: #e4e6e4 }
@media (prefers-color-scheme: dark) { svg { --back: #15181b; --ink: #e8eaea; --soft: #a9b1b8; --none: #3a4148 } }
text { font: 13px system-ui, "Segoe UI", Roboto, Arial, sans-serif; fill: var(--ink) }
.soft { fill: var(--soft); font-size: 12px } .head { font-weight: 600 }
.on-light { fill: #14222e } .on-dark { fill: #ffffff } .small { font-size: 10.5px }
"""


def draw(grid: Grid) -> str:
    """Rows are candidates; columns are judges, grouped by simulator."""
    left = {}
    x = float(NAMES)
    for i, view in enumerate(grid.views):
        x += GAP * (i > 0 and view.simulator != grid.views[i - 1].simulator)
        left[view] = x
        x += WIDE
    width, height = x + EDGE, TOP + HIGH * len(grid.candidates) + 44
    title = f"AVG of {grid.suite} by candidate, simulator and judge (0 to 100)"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img"><title>{escape(title)}</title><desc>{escape(_words(grid))}</desc>'
        f"<style>{STYLE}</style>",
        f'<rect width="{width:g}" height="{height:g}" fill="var(--back)"/>',
        f'<text x="10" y="24">{escape(title)}</text>',
    ]
    for simulator in grid.simulators:
        first = min(at for view, at in left.items() if view.simulator == simulator)
        parts.append(f'<text class="head" x="{first + 2:g}" y="{TOP - 34}">{escape(_short(simulator, 28))}</text>')
    for view, at in left.items():
        parts.append(f'<text class="soft" x="{at + 2:g}" y="{TOP - 12}">{escape(_short(view.judge, 15))}</text>')
    for i, name in enumerate(grid.candidates):
        y = TOP + HIGH * i
        shown = _short(name + GRANTED * (name in grid.granted), 26)
        parts.append(f'<text x="{NAMES - 10}" y="{y + HIGH / 2 + 4:g}" text-anchor="end">{escape(shown)}</text>')
        for view, at in left.items():
            trained = view.simulator in grid.trained.get(name, ())
            parts.append(_square(grid.cells.get((name, view)), at, y, trained))
    key = f"{TRAINED} trained on this simulator; {GRANTED} given gold or ledger; grey: no value; small: 95 % interval"
    parts.append(f'<text class="soft" x="10" y="{height - 16:g}">{escape(key)}</text>')
    return "".join([*parts, "</svg>\n"])


def _square(cell: Cell | None, x: float, y: float, trained: bool) -> str:
    known = cell is not None and cell.mean is not None
    value = cell.mean if cell is not None and cell.mean is not None else 0.0
    fill = _colour(value) if known else "var(--none)"
    box = f'<rect x="{x + 1:g}" y="{y + 1:g}" width="{WIDE - 2}" height="{HIGH - 2}" fill="{fill}"/>'
    if cell is None or not known:
        return box
    kind = "on-dark" if value > DARK else "on-light"
    mark = f" {TRAINED}" if trained else ""
    middle = x + WIDE / 2
    text = f'<text class="{kind}" x="{middle:g}" y="{y + 18}" text-anchor="middle">{value:.1f}{mark}</text>'
    if cell.low is not None and cell.high is not None:
        interval = f"{cell.low:.1f} to {cell.high:.1f}"
        text += f'<text class="{kind} small" x="{middle:g}" y="{y + 32}" text-anchor="middle">{interval}</text>'
    return box + text


def _colour(value: float) -> str:
    """From pale to deep blue, equal in light and dark."""
    share = min(1.0, max(0.0, value / 100))
    low, high = (226, 238, 247), (0, 62, 112)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(low, high, strict=True))


def _words(grid: Grid) -> str:
    known = [(name, view, cell.mean) for (name, view), cell in grid.cells.items() if cell.mean is not None]
    return "; ".join(f"{name} ({view}): {mean:.1f}" for name, view, mean in known)


def _short(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"
