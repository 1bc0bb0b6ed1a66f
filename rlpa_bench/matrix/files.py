"""A matrix's figures as files: matrix.md, cells.csv, degradation.csv, stability.csv, heatmap.svg, analysis.json."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rlpa_bench.matrix.analysis import Analysis
from rlpa_bench.matrix.grid import Cell
from rlpa_bench.runs import write_json
from rlpa_bench.statistics import Difference

TRAINED = "▲"
"""Beside a candidate's value under a simulator that it was trained on."""
GRANTED = "*"
"""Beside a candidate that is given the gold or the disclosure ledger."""


def write_analysis(analysis: Analysis, folder: Path) -> None:
    """Writes the files into a folder, made if need be."""
    from rlpa_bench.report.heatmap import draw

    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "analysis.json", analysis.record())
    for name, head, rows in tables(analysis):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *rows])
    (folder / "matrix.md").write_text(markdown(analysis), encoding="utf-8")
    (folder / "heatmap.svg").write_text(draw(analysis.grid), encoding="utf-8")


Rows = list[list[str]]


def tables(analysis: Analysis) -> list[tuple[str, Sequence[str], Rows]]:
    """(name, heading, rows) of every table, as text."""
    sides = ("candidate", "judge", "from", "to")
    drops = ("change", "low", "high", "p (Holm)", "beside others", "its low", "its high", "its p (Holm)")
    return [
        ("cells", ("candidate", *map(str, analysis.grid.views)), cells(analysis)),
        ("degradation", (*sides, *drops), _drops(analysis)),
        ("stability", ("view", "other view", "changed", "tau-b", "low", "high"), _agreements(analysis)),
        ("variance", ("source", "share"), [[name, f"{share:.3f}"] for name, share in analysis.shares.items()]),
    ]


def cells(analysis: Analysis) -> Rows:
    """A row a candidate, a column a view; marked where the candidate was trained on the simulator."""
    grid = analysis.grid
    return [
        [
            name + GRANTED * (name in grid.granted),
            *(_cell(grid.cells.get((name, view)), view.simulator in grid.trained.get(name, ())) for view in grid.views),
        ]
        for name in grid.candidates
    ]


def markdown(analysis: Analysis) -> str:
    """All tables and notes."""
    titles = {
        "cells": "AVG, 0 to 100, with 95 % intervals",
        "degradation": "Change from simulator to simulator, paired by case",
        "stability": "Order of the candidates in two views",
        "variance": "Where scores vary",
    }
    lines = [f"# Matrix of {analysis.grid.suite}", ""]
    for name, head, rows in tables(analysis):
        if rows:
            lines += [f"## {titles[name]}", "", _line(head), "|" + "---|" * len(head), *map(_line, rows), ""]
    return "\n".join([*lines, *(f"- {note}" for note in (*analysis.notes, *legend(analysis))), ""])


def legend(analysis: Analysis) -> list[str]:
    """What the marks in the tables mean, where there are any."""
    words = []
    if analysis.grid.trained:
        words.append(f"{TRAINED} the candidate was trained on this simulator")
    if analysis.grid.granted:
        words.append(f"{GRANTED} the candidate is given the gold or what was disclosed")
    return words


def _cell(cell: Cell | None, trained: bool) -> str:
    if cell is None or cell.mean is None:
        return "n/a"
    interval = "" if cell.low is None else f" [{cell.low:.1f}, {cell.high:.1f}]"
    return f"{cell.mean:.1f}{interval}{' ' + TRAINED if trained else ''}"


def _drops(analysis: Analysis) -> Rows:
    return [
        [drop.candidate, drop.judge, drop.origin, drop.to, *_difference(drop.difference, drop.p_holm),
         *_difference(drop.excess, drop.excess_p)]
        for drop in analysis.drops
    ]  # fmt: skip


def _difference(difference: Difference | None, p: float | None) -> list[str]:
    if difference is None or p is None:
        return [""] * 4
    return [f"{difference.mean:.1f}", f"{difference.low:.1f}", f"{difference.high:.1f}", f"{p:.4f}"]


def _agreements(analysis: Analysis) -> Rows:
    return [
        [str(one.one), str(one.other), one.changed, _number(one.tau), _number(one.low), _number(one.high)]
        for one in analysis.agreements
    ]


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f}"


def _line(cells: Iterable[Any]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
