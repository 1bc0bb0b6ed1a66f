"""The people card as files: people.json, people.md, disclosure.csv and disclosure.svg."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from rlpa_bench.report.curves import Curve, draw
from rlpa_bench.runs import write_json

STYLE = (
    "text{font:11px sans-serif;text-anchor:middle;fill:#555}.end{text-anchor:end}.start,.name{text-anchor:start}"
    ".grid{stroke:#bbb;stroke-width:.5;fill:none}.line{fill:none;stroke-width:1.8}.mark{fill:none;stroke-width:1.2}"
    ".s0{stroke:#3b5bb5}.s1{stroke:#c2571a;stroke-dasharray:6 3}.s2{stroke:#1b7f5c;stroke-dasharray:2 3}"
    ".s3{stroke:#8b3a8b;stroke-dasharray:9 3 2 3}.s4{stroke:#777}"
)


def write_card(card: Mapping[str, Any], folder: Path) -> None:
    """Writes the files into a folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "people.json", card)
    (folder / "people.md").write_text(markdown(card), encoding="utf-8")
    (folder / "disclosure.svg").write_text(picture(card), encoding="utf-8")
    with (folder / "disclosure.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["users", "curve", "turn", "mean", "low", "high", "n"])
        for name, users in card["users"].items():
            for curve in ("D(k) read", "D(k) ledger"):
                for turn, cell in users[curve].items():
                    if cell:
                        writer.writerow([name, curve, turn, cell["mean"], cell["low"], cell["high"], cell["n"]])


def picture(card: Mapping[str, Any]) -> str:
    """D(k) as read from everybody's words, a line for the people and one for each simulator."""
    curves = [
        Curve(name, {int(k): (cell["mean"], cell["n"]) for k, cell in users["D(k) read"].items() if cell})
        for name, users in card["users"].items()
    ]
    last = max((turn for curve in curves for turn in curve.points), default=1)
    drawn = draw("Share of the facts that the users' words tell", curves, last, (0.0, 100.0))
    inner = re.sub(r"^<svg[^>]*>|</svg>$", "", drawn)
    legend = [
        f'<g class="s{i % 5}"><path class="line" d="M330 {24 + 18 * i}h24"/></g>'
        f'<text class="name" x="360" y="{28 + 18 * i}">{escape(curve.label)}</text>'
        for i, curve in enumerate(curves)
    ]
    words = escape("; ".join(curve.words for curve in curves))
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 560 186" width="560" role="img"'
    return f'{head} aria-label="{words}"><style>{STYLE}</style>{inner}{"".join(legend)}</svg>\n'


def markdown(card: Mapping[str, Any]) -> str:
    """All tables."""
    lines = [
        f"# People beside simulators: {card['people']} people, {card['dialogues']} dialogues that all runs have",
        "",
    ]
    for title, head, rows in tables(card):
        if rows:
            lines += [f"## {title}", "", _line(head), "|" + "---|" * len(head), *map(_line, rows), ""]
    return "\n".join(lines)


def tables(card: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str], list[list[str]]]]:
    """(title, heading, rows) of every table, as text."""
    last = max((int(k) for users in card["users"].values() for k in users["D(k) read"]), default=0)
    turns = sorted({1, (last + 1) // 2, last} - {0})
    head = ("users", *(f"D({k}) read" for k in turns), f"D({last}) ledger", "words a turn", "questions %")
    yield "Users", head, [_users(name, users, turns) for name, users in card["users"].items()]
    yield (
        "People minus a simulator, same candidates and cases",
        ("simulator", "what", "difference", "p"),
        [
            [name, what, _cell(cell), "n/a" if cell is None else _p_value(cell["p"])]
            for name, row in card["differences"].items()
            for what, cell in row.items()
        ],
    )
    names = ("turns", "concordance", "kappa", "kappa, quadratic", "accuracy", "precision", "recall")
    yield (
        "Judges beside people's grades",
        ("judge", *names),
        [[judge, *(_number(row.get(name)) for name in names)] for judge, row in card["verdicts"].items()],
    )
    profile = card["profile"]
    yield "Inferred lines", ("lines", "right", "wrong", "unsure", "corrected", "kappa with the matching"), [
        [*(str(profile[name]) for name in ("lines", "right", "wrong", "unsure", "corrected")),
         _number(profile["beside the matching"].get("kappa"))]
    ]  # fmt: skip
    columns = [name for name in card["candidates"] if name != "order"]
    yield (
        "Candidates",
        ("candidate", *columns),
        [
            [name, *(_number(card["candidates"][column].get(name)) for column in columns)]
            for name in card["candidates"]["rating"]
        ],
    )
    yield (
        "Order of the candidates beside people's",
        ("by", "tau-b"),
        [[column, _number(tau)] for column, tau in card["candidates"]["order"].items()],
    )


def _users(name: str, users: Mapping[str, Any], turns: Sequence[int]) -> list[str]:
    told = [_percent(users["D(k) read"].get(str(k))) for k in turns]
    ledger = users["D(k) ledger"].get(str(turns[-1])) if turns else None
    return [name, *told, _percent(ledger), _cell(users["words"]), _percent(users["questions"])]


def _percent(cell: Mapping[str, Any] | None) -> str:
    if cell is None or cell["low"] is None:
        return _cell(cell)
    return _cell({**cell, "low": max(0.0, cell["low"]), "high": min(100.0, cell["high"])})


def _cell(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "n/a"
    interval = "" if cell["low"] is None else f" [{cell['low']:.1f}, {cell['high']:.1f}]"
    return f"{cell['mean']:.1f}{interval}"


def _p_value(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< .001"


def _number(value: float | None) -> str:
    if value is None:
        return "n/a"
    return str(value) if isinstance(value, int) else f"{value:.2f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
