"""Figures of docs/explanation/matrix.md: ``python docs/_matrix.py`` plays, draws and fills the page.

Plays four model-free candidates on 100 cases, and SmolLM2 beside three of them on a few. What was stopped goes on where
it was, in ``runs/matrix-controls``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlpa_bench.matrix import Analysis, matrix
from rlpa_bench.matrix.files import tables, write_analysis
from rlpa_bench.report.heatmap import draw

PAGE = Path(__file__).parent / "explanation" / "matrix.md"
JUDGES = "rules,retrieval"
PLAYED: dict[str, dict[str, Any]] = {
    "controls": {"limit": 100, "baseline": "asker,bayes-elicitor,lookup,scribe"},
    "smollm2": {"limit": 4, "model": "smollm2", "baseline": "base,asker,lookup,scribe"},
}


def played(name: str) -> Analysis:
    """The figures of one matrix, which is played if need be, and its files."""
    out = Path("runs") / f"matrix-{name}"
    analysis = matrix("aloe-unseen", judge=JUDGES, out=out, **PLAYED[name]).analysis()
    write_analysis(analysis, out)
    PAGE.with_name(f"matrix-{name}.svg").write_text(draw(analysis.grid), encoding="utf-8")
    return analysis


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)])


def shown(name: str, analysis: Analysis) -> str:
    """The picture, the tables whose numbers it does not hold, and the notes."""
    parts = [f"![{PLAYED[name]['limit']} cases, {name}](matrix-{name}.svg)"]
    for table, head, rows in tables(analysis):
        if table == "variance":
            rows = sorted((row for row in rows if float(row[1]) >= 0.005), key=lambda row: -float(row[1]))
        if table != "cells" and rows:
            parts.append(markdown(head, rows))
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in analysis.notes)])


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in PLAYED:
        part = shown(name, played(name))
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text = mark.sub(lambda found, part=part: f"{found[1]}\n{part}\n\n{found[2]}", text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
