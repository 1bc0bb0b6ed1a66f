"""A board as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rlpa_bench.leaderboard.schema import Board, Row
from rlpa_bench.report.table import FIELDS, cell_text

INTRO = (
    "rank",
    "tie_group",
    "id",
    "system",
    "submitter",
    "tier",
    "flags",
    "control",
    "zero_shot",
    "profiles",
    "cases",
    "seeds",
)


def short(board: Board) -> list[str]:
    """Names of the columns of the short table."""
    return [column["name"] for column in board.columns if column["headline"]]


def rank_text(row: Row) -> str:
    """The interval of ranks, ``control``, or why there is no rank."""
    if row.rank:
        low, high = row.rank
        return str(low) if low == high else f"{low}–{high}"
    if "withdrawn" in row.flags:
        return "withdrawn"
    return "control" if row.control else "–"


def zero_shot(row: Row) -> str:
    """Whether it met nothing of this board in training, as its submitter says; a control is not trained."""
    return "–" if row.control else yes(row.zero_shot)


def yes(value: bool | None) -> str:
    """A disclosure in words; unknown is not no."""
    return "not said" if value is None else "yes" if value else "no"


def as_csv(board: Board) -> str:
    """One line per row, every column of the board with mean, interval and counts."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [column["name"] for column in board.columns]
    usage = sorted({name for row in board.rows for name in row.usage})
    money = ("cost system", "cost simulator", "cost judge")
    writer.writerow([*INTRO, *usage, *money, *(f"{name} {field}" for name in names for field in FIELDS)])
    for row in board.rows:
        rank = "" if row.rank is None else "-".join(map(str, row.rank))
        known = ("" if row.zero_shot is None else row.zero_shot, row.profiles, row.cases, row.seeds)
        intro = [rank, row.tie_group or "", row.id, row.system.name, row.submitter, row.tier, " ".join(row.flags)]
        cells = [_safe(row.row.get(name, {}).get(field)) for name in names for field in FIELDS]
        used = [_safe(row.usage.get(name)) for name in usage]
        costs = [_safe(value) for value in (row.cost.system, row.cost.simulator, row.cost.judge)]
        writer.writerow([*map(_cell, intro), row.control, *known, *used, *costs, *cells])
    return out.getvalue()


def _safe(value: Any) -> Any:
    return "" if value is None else value


def _cell(text: Any) -> Any:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if isinstance(text, str) and text[:1] in ("=", "+", "-", "@") else text


def as_markdown(board: Board) -> str:
    """The short table with its notes."""
    columns = short(board)
    head = ["rank", "system", "tier", "profiles", "zero-shot", *columns, "flags"]
    lines = [f"# {_plain(board.title)}", "", f"| {' | '.join(map(_plain, head))} |", "|" + "---|" * len(head)]
    for row in board.rows:
        name = _plain(row.system.name)
        cells = [
            rank_text(row),
            f"~~{name}~~" if "withdrawn" in row.flags else name,
            row.tier,
            str(row.profiles),
            zero_shot(row),
        ]
        cells += [_bar(cell_text(row.row.get(column))) for column in columns]
        lines.append(f"| {' | '.join([*cells, ', '.join(row.flags)])} |")
    lines += ["", *(f"- {_plain(note)}" for note in board.notes), "", "What a tier shows and does not show:", ""]
    tiers = sorted({row.tier for row in board.rows})
    lines += [f"- **{tier}** {text}" for tier, text in board.tiers.items() if tier in tiers]
    return "\n".join([*lines, ""])


def _plain(text: str) -> str:
    """Anybody's text in Markdown: it makes no link, picture or markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|!~])", r"\\\1", text).replace("\n", " ")


def _bar(text: str) -> str:
    return text.replace("|", "\\|")


def as_tex(board: Board) -> str:
    """A booktabs table, complete as a document; the first tie group of the ranked rows is bold."""
    columns = short(board)
    lines = [
        "\\documentclass{article}",
        "\\usepackage[T1]{fontenc}",
        "\\usepackage[utf8]{inputenc}",
        "\\usepackage{booktabs,graphicx}",
        "\\begin{document}",
        "\\begin{table}",
        f"\\caption{{{_tex(board.title)}. 95\\,\\% intervals, clustered by profile.}}",
        "\\resizebox{\\linewidth}{!}{%",
        f"\\begin{{tabular}}{{lll{'r' * (1 + len(columns))}}}",
        "\\toprule",
        " & ".join(map(_tex, ["Rank", "System", "Tier", "Profiles", *columns])) + " \\\\",
        "\\midrule",
    ]
    for row in board.rows:
        cells = [rank_text(row), row.system.name, row.tier, str(row.profiles)]
        cells += [cell_text(row.row.get(column)) for column in columns]
        written = [_tex(cell) for cell in cells]
        if row.tie_group == 1:
            written = [f"\\textbf{{{cell}}}" for cell in written]
        lines.append(" & ".join(written) + " \\\\")
    lines += ["\\bottomrule", "\\end{tabular}}", "\\end{table}"]
    lines += [
        "\\begin{itemize}",
        *(f"\\item {_tex(note)}" for note in board.notes),
        "\\end{itemize}",
        "\\end{document}",
    ]
    return "\n".join([*lines, ""])


_TEX = {
    "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", "$": "\\$", "#": "\\#", "_": "\\_", "{": "\\{", "}": "\\}",
    "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "–": "--", "≤": "$\\le$", "≥": "$\\ge$", "×": "$\\times$",
    "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}", "[": "{[}", "]": "{]}",
}  # fmt: skip


def _tex(text: str) -> str:
    """Text as LaTeX; characters beyond Latin-1 become their code points, which any engine can set."""
    out = "".join(_TEX.get(char, char) for char in text)
    return re.sub(r"[^\x20-\xff]", lambda match: f"U+{ord(match[0]):04X}", out)


def curves_csv(board: Board) -> str:
    """Long format: one line per system, column and turn, with its interval where one is kept."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "column", "turn", "mean", "low", "high", "n"])
    for row in board.rows:
        for name, cell in sorted(row.row.items()):
            for turn, point in sorted(cell.get("by_turn", {}).items(), key=lambda pair: int(pair[0])):
                band: Mapping[str, Any] = row.bands.get(name, {}).get(turn, {})
                ends = [_safe(band.get("low")), _safe(band.get("high"))]
                writer.writerow([row.id, name, turn, point["mean"], *ends, point["n"]])
    return out.getvalue()


def pairs_csv(board: Board) -> str:
    """Every paired difference on the headline column."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["a", "b", "a - b", "low", "high", "p (Holm)", "profiles", "both ranked"])
    writer.writerows([d.a, d.b, d.mean, d.low, d.high, d.p, d.profiles, d.contestants] for d in board.differences)
    return out.getvalue()


def points_csv(board: Board, columns: list[str]) -> str:
    """What the plots of single values draw: forest, cost, and learning beside telling."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "control", "column", "mean", "low", "high"])
    for row in board.rows:
        for name, value in sorted(row.usage.items()):
            writer.writerow([row.id, row.control, name, _safe(value), "", ""])
        writer.writerows(_points(row, columns))
    return out.getvalue()


def _points(row: Row, columns: list[str]) -> Iterator[list[Any]]:
    for name in columns:
        if cell := row.row.get(name):
            yield [row.id, row.control, name, *(_safe(cell.get(end)) for end in ("mean", "low", "high"))]
