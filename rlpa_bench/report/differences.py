"""A comparison as files: differences.csv, differences.md, differences.svg and, where ranks are allowed, ranks.csv."""

from __future__ import annotations

import csv
from collections.abc import Callable
from html import escape
from pathlib import Path

from rlpa_bench.comparison import Comparison, Pair
from rlpa_bench.report.curves import round_step

HEADER = ("a", "b", "profiles", "a - b", "low", "high", "p (Holm)", "smallest detectable")
NAMES, PLOT, VALUES, ROW, TOP = 330, 420, 210, 26, 58
"""Pixels: room for names, plot and values, height of a row, and of the heading."""

STYLE = """
svg { --back: #fdfdfc; --ink: #1c1e21; --soft: #565c63; --rule: #d5d8d6; --line: #0068b0 }
@media (prefers-color-scheme: dark) {
  svg { --back: #15181b; --ink: #e8eaea; --soft: #a9b1b8; --rule: #3a4148; --line: #62b4f2 }
}
text { font: 13px system-ui, "Segoe UI", Roboto, Arial, sans-serif; fill: var(--ink) }
.soft { fill: var(--soft); font-size: 12px }
.grid { stroke: var(--rule) } .zero { stroke: var(--soft); stroke-width: 1.5 }
.blind { fill: var(--rule); opacity: .55 } .interval { stroke: var(--line); stroke-width: 2.5 }
circle { fill: var(--line) } .open { fill: var(--back); stroke: var(--line); stroke-width: 2 }
"""


def rows(comparison: Comparison) -> list[list[str]]:
    """The pairs as text, in the order of ``HEADER``."""
    return [
        [
            pair.a, pair.b, str(d.clusters), f"{d.mean:.2f}", f"{d.low:.2f}", f"{d.high:.2f}",
            f"{pair.p_holm:.4f}", f"{d.smallest_detectable:.2f}",
        ]
        for pair in comparison.pairs
        for d in [pair.difference]
    ]  # fmt: skip


def write_differences(comparison: Comparison, folder: Path) -> None:
    """Writes the files of a comparison into a folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "differences.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rows(comparison)])
    lines = [f"# Paired differences in {comparison.column}", ""]
    lines += ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows(comparison)]
    lines += ["", *(f"- {note}" for note in comparison.notes), ""]
    (folder / "differences.md").write_text("\n".join(lines), encoding="utf-8")
    (folder / "differences.svg").write_text(draw(comparison), encoding="utf-8")
    if comparison.ranks:
        with (folder / "ranks.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["candidate", "best rank", "worst rank", "tie group"])
            writer.writerows([name, rank.low, rank.high, rank.group] for name, rank in comparison.ranks.items())


def draw(comparison: Comparison) -> str:
    """The intervals of all pairs on one scale; a filled point is significant, grey is what could not be detected."""
    edge = max((abs(v) for pair in comparison.pairs for v in (pair.difference.low, pair.difference.high)), default=1.0)
    step = round_step(2 * edge)
    edge = step * max(1, -(-edge // step))
    width, height = NAMES + PLOT + VALUES, TOP + ROW * len(comparison.pairs) + 34

    def x(value: float) -> float:
        return NAMES + PLOT * (value + edge) / (2 * edge)

    title = f"Paired differences in {comparison.column}, a - b, with 95 % intervals"
    words = "; ".join(f"{p.a} - {p.b}: {p.difference.mean:.2f}" for p in comparison.pairs)
    bottom = height - 26
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img"><title>{escape(title)}</title><desc>{escape(words)}</desc><style>{STYLE}</style>',
        f'<rect width="{width}" height="{height}" fill="var(--back)"/><text x="10" y="22">{escape(title)}</text>',
        '<text x="10" y="42" class="soft">filled: significant over all pairs (Holm); '
        "grey: smaller than the smallest detectable difference</text>",
    ]
    parts += [_row(pair, TOP + ROW * i, x, edge) for i, pair in enumerate(comparison.pairs)]
    for i in range(round(2 * edge / step) + 1):
        value = round(-edge + i * step, 10)
        kind = "grid" if value else "zero"
        parts.append(f'<line class="{kind}" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{TOP - 6}" y2="{bottom}"/>')
        parts.append(f'<text class="soft" x="{x(value):.1f}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>')
    return "".join([*parts, "</svg>\n"])


def _row(pair: Pair, top: int, x: Callable[[float], float], edge: float) -> str:
    d, middle = pair.difference, top + ROW / 2
    blind = min(d.smallest_detectable, edge)
    name = f"{pair.a} − {pair.b}"
    shown = name if len(name) <= 46 else name[:45] + "…"
    point = "" if pair.p_holm < 0.05 else ' class="open"'
    low, high = x(-blind), x(blind)
    return (
        f'<rect class="blind" x="{low:.1f}" width="{high - low:.1f}" y="{top + 3}" height="{ROW - 6}"/>'
        f'<text x="{NAMES - 10}" y="{middle + 4}" text-anchor="end">{escape(shown)}</text>'
        f'<line class="interval" x1="{x(d.low):.1f}" x2="{x(d.high):.1f}" y1="{middle}" y2="{middle}"/>'
        f'<circle{point} cx="{x(d.mean):.1f}" cy="{middle}" r="4.5"/>'
        f'<text class="soft" x="{NAMES + PLOT + 10}" y="{middle + 4}">'
        f"{d.mean:.2f} [{d.low:.2f}, {d.high:.2f}]</text>"
    )
