"""Figures of docs/explanation/stress.md: ``python docs/_stress.py SUITE`` plays, measures, draws and fills the page.

Plays the controls and the known-answer candidates of tests/culprits.py, and SmolLM2 on fewer cases (leave it out with
``--no-model``). A run that was stopped goes on where it was: the folder is ``runs/stress-SUITE``.
"""

from __future__ import annotations

import re
import sys
from html import escape
from pathlib import Path
from typing import Any

import rlpa_bench
from rlpa_bench.report.curves import Curve, draw
from rlpa_bench.report.table import cell_text

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
PAGE = HERE / "explanation" / "stress.md"

SUITES: dict[str, dict[str, Any]] = {
    "aloe-long": {
        "columns": ["recall of recent", "recall of old", "stability(20)", "profile summary", "stale value"],
        "limit": 3, "few": 1, "options": ["suite.turns=50", "suite.history=6000"],
        "small": ["suite.turns=50", "suite.history=3000"], "longer": [70, 100],
    },
    "aloe-conflict": {
        "columns": ["updated", "turns to update", "stale rate", "false updates"],
        "limit": 24, "few": 2, "options": [],
    },
    "aloe-sessions": {
        "columns": ["carried over", "wrong transfer", "told on", "leaked names"],
        "limit": 24, "few": 2, "options": [],
    },
    "aloe-restraint": {"columns": ["intrusive", "apt use"], "limit": 32, "few": 2, "options": []},
}  # fmt: skip
"""What is shown; cases for the model-free candidates, and for the model; their options; further numbers of turns."""

STYLE = (
    "text{font:11px sans-serif;text-anchor:middle;fill:#555}.end{text-anchor:end}.start,.name{text-anchor:start}"
    ".grid{stroke:#bbb;stroke-width:.5;fill:none}.interval{stroke:#3b5bb5;stroke-width:2}circle{fill:#3b5bb5}"
    ".line{fill:none;stroke-width:1.8}.s0{stroke:#3b5bb5}.s1{stroke:#c2571a;stroke-dasharray:6 3}"
    ".s2{stroke:#1b7f5c;stroke-dasharray:2 3}.s3{stroke:#8b3a8b;stroke-dasharray:9 3 2 3}.s4{stroke:#777}"
    ".mark{fill:none;stroke-width:1.2}"
)
ROW, WIDE, NAMES = 20, 150, 130


def without_model(suite: str, options: list[str], folder: str) -> rlpa_bench.Run:
    """The run of the controls and the known-answer candidates."""
    import culprits

    names = [culprit.name for culprit in culprits.CULPRITS]
    return rlpa_bench.run(suite=suite, options=options, baseline=names, plugins=[culprits],
                          limit=SUITES[suite]["limit"], out=f"runs/{folder}")  # fmt: skip


def played(suite: str, model: bool) -> list[rlpa_bench.Run]:
    """The run of the model-free candidates, and the one of the model."""
    plan = SUITES[suite]
    free = without_model(suite, plan["options"], f"stress-{suite}")
    if not model:
        return [free]
    options = plan.get("small", plan["options"])
    small = rlpa_bench.run(suite=suite, options=options, model="smollm2", controls=False, limit=plan["few"],
                           out=f"runs/stress-{suite}-smollm2")  # fmt: skip
    return [free, small]


def table(runs: list[rlpa_bench.Run], columns: list[str]) -> str:
    """The page's table: every candidate, its cases, and the suite's own columns."""
    lines = [f"| candidate | cases | {' | '.join(columns)} |", "|" + "---|" * (len(columns) + 2)]
    for run in runs:
        for name in run.summary["order"]:
            row, mark = run.summary["rows"][name], "\\*" if run.info["candidates"][name]["grants"] else ""
            cells = " | ".join(cell_text(row.get(column)) for column in columns)
            lines.append(f"| {name}{mark} | {len(run.cases)} | {cells} |")
    turns = sum(case.turns for case in first(runs).cases.values())
    size = f"{len(first(runs).cases)} cases, {turns:,} turns a candidate; \\* is given the ledger or the gold."
    return "\n".join([*lines, "", size])


def first(runs: list[rlpa_bench.Run]) -> rlpa_bench.Run:
    return runs[0]


def by_length(suite: str, shortest: rlpa_bench.Run) -> str:
    """A table of the suite's longer dialogues: every model-free candidate, each column at each number of turns."""
    plan = SUITES[suite]
    runs = {next(iter(shortest.cases.values())).turns: shortest}
    for turns in plan["longer"]:
        runs[turns] = without_model(suite, [*plan["options"], f"suite.turns={turns}"], f"stress-{suite}-{turns}")
    columns = ["recall of old", "profile summary", "stale value", "profile F1"]
    heads = [f"{column}, {turns}" for column in columns for turns in runs]
    lines = [f"| candidate | {' | '.join(heads)} |", "|" + "---|" * (len(heads) + 1)]
    for name in shortest.summary["order"]:
        cells = [run.summary["rows"][name].get(column) or {} for column in columns for run in runs.values()]
        means = ["–" if cell.get("mean") is None else f"{cell['mean']:.1f}" for cell in cells]
        lines.append(f"| {name} | {' | '.join(means)} |")
    return "\n".join([*lines, "", f"Means over {plan['limit']} cases a length; the numbers in the heading are turns."])


def picture(runs: list[rlpa_bench.Run], columns: list[str]) -> str:
    """A panel a column: every candidate's mean and 95 % interval."""
    rows = [(name, run.summary["rows"][name]) for run in runs for name in run.summary["order"]]
    height = ROW * (len(rows) + 2)
    parts = [
        f'<text class="name" x="0" y="{ROW * (i + 1.7)}">{escape(name)}</text>' for i, (name, _) in enumerate(rows)
    ]
    for place, column in enumerate(columns):
        known = [row[column]["mean"] for _, row in rows if row.get(column, {}).get("mean") is not None]
        top = 100.0 if max(known, default=0.0) > 20 else max(known, default=0.0) or 1.0
        left = NAMES + place * (WIDE + 20)

        def x(value: float, left: int = left, top: float = top) -> float:
            return left + WIDE * min(value, top) / top

        parts.append(f'<text x="{left + WIDE / 2}" y="12">{escape(column)}</text>')
        for tick in (0.0, top / 2, top):
            parts.append(f'<path class="grid" d="M{x(tick):.1f} {ROW}V{height - ROW}"/>')
            parts.append(f'<text x="{x(tick):.1f}" y="{height - 6}">{tick:.3g}</text>')
        for i, (_, row) in enumerate(rows):
            parts += _dot(row.get(column), x, ROW * (i + 1.5))
    width = NAMES + len(columns) * (WIDE + 20)
    return _svg(width, height, "".join(parts))


def _dot(cell: Any, x: Any, y: float) -> list[str]:
    if not cell or cell["mean"] is None:
        return []
    ends = (cell["low"], cell["high"])
    line = "" if None in ends else f'<path class="interval" d="M{x(ends[0]):.1f} {y}H{x(ends[1]):.1f}"/>'
    return [line, f'<circle cx="{x(cell["mean"]):.1f}" cy="{y}" r="3.5"/>']


def curves(run: rlpa_bench.Run, column: str, names: list[str]) -> str:
    """One column over the turns for up to five candidates, with their names under it."""
    rows = run.summary["rows"]
    lines = [
        Curve(name, {int(k): (cell["mean"], cell["n"]) for k, cell in rows[name][column]["by_turn"].items()})
        for name in names
    ]
    last = max(turn for curve in lines for turn in curve.points)
    drawn = re.sub(r"^<svg[^>]*>|</svg>$", "", draw(column, lines, last, (0.0, 100.0)))
    legend = [
        f'<g class="s{i}"><path class="line" d="M330 {24 + 18 * i}h24"/></g>'
        f'<text class="name" x="360" y="{28 + 18 * i}">{escape(name)}</text>'
        for i, name in enumerate(names)
    ]
    return _svg(460, 186, drawn + "".join(legend))


def _svg(width: float, height: float, content: str) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}">'
    return f"{head}<style>{STYLE}</style>{content}</svg>\n"


def fill(suite: str, text: str) -> None:
    """Puts the table between the page's marks."""
    begin, end = f"<!-- {suite}: made by docs/_stress.py -->", "<!-- end -->"
    page = PAGE.read_text(encoding="utf-8")
    start = page.index(begin) + len(begin)
    stop = page.index(end, start)
    PAGE.write_text(f"{page[:start]}\n\n{text}\n\n{page[stop:]}", encoding="utf-8")


def main(suite: str, *flags: str) -> None:
    columns = SUITES[suite]["columns"]
    runs = played(suite, "--no-model" not in flags)
    shown = [column for column in columns if any(column in row for row in runs[0].summary["rows"].values())]
    (PAGE.parent / f"{suite}.svg").write_text(picture(runs, shown), encoding="utf-8")
    if suite == "aloe-long":
        names = ["attentive", "never-updates", "forgets", "asker", "prior"]
        (PAGE.parent / "aloe-long-turns.svg").write_text(curves(runs[0], "profile F1", names), encoding="utf-8")
    fill(suite, table(runs, shown))
    if "longer" in SUITES[suite]:
        fill(f"{suite} by length", by_length(suite, runs[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
