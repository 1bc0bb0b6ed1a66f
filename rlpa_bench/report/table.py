"""The table of a run: one row per candidate, every value with its interval and what is missing."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlpa_bench.checkpoints import seen, trained_on_words
from rlpa_bench.summary import MISSING_MARK
from rlpa_bench.terms import SHOWN, digest, unequal_rows

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from rlpa_bench.runs import Run

TERMS = "terms"
"""Digest of the terms on which a candidate's model was asked; rows with other digests were not asked on equal terms."""
LATENCY = "s/turn"
"""Median seconds of a candidate's turn; a clock, so it is in run.json and not in summary.json."""
FIELDS = ("mean", "low", "high", "scored", "planned", "clusters")


def frame(summary: Mapping[str, Any]) -> pd.DataFrame:
    """Rows are candidates; per column the mean, and low, high, scored, planned, clusters under ``(column, field)``."""
    import pandas as pd

    rows = {}
    for candidate, cells in _rows(summary):
        rows[candidate] = {(name, field): cell.get(field) for name, cell in cells.items() for field in FIELDS}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.columns = pd.MultiIndex.from_tuples([tuple(column) for column in table.columns], names=["column", "field"])
    table.index.name = "candidate"
    return table


def write_csv(summary: Mapping[str, Any], path: Path) -> None:
    """Long format: one line per candidate and column."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["candidate", "column", *FIELDS, "missing"])
        for candidate, cells in _rows(summary):
            for name, cell in cells.items():
                missing = "; ".join(f"{n} {reason}" for reason, n in cell["missing"].items())
                writer.writerow([candidate, name, *(cell.get(field) for field in FIELDS), missing])


def write_markdown(run: Run, path: Path) -> None:
    """The short table with its notes."""
    columns = headline(run.summary)
    lines = [f"# {run.info['suite']} with simulator `{run.info['simulator']}`", ""]
    lines += [
        "| candidate | profiles | " + " | ".join([*columns, LATENCY, TERMS]) + " |",
        "|" + "---|" * (len(columns) + 4),
    ]
    for row in cells_as_text(run, columns):
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    lines += ["", *(f"- {note}" for note in notes(run)), ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def terminal(run: Run) -> Table:
    """The short table for a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    columns = headline(run.summary)
    table = Table(title=escape(f"{run.info['suite']} with simulator {run.info['simulator']}"), box=SIMPLE_HEAD)
    table.add_column("candidate", no_wrap=True)
    for name in ("profiles", *columns, LATENCY, TERMS):
        table.add_column(escape(name), justify="right")
    for row in cells_as_text(run, columns, compact):
        table.add_row(*map(escape, row))
    return table


def headline(summary: Mapping[str, Any]) -> list[str]:
    """Names of the columns of the short table."""
    return [column["name"] for column in summary["columns"] if column["headline"]]


def cells_as_text(
    run: Run, columns: list[str], text: Callable[[Mapping[str, Any] | None], str] | None = None
) -> Iterator[list[str]]:
    """The short table's rows, every cell through ``text`` (default :func:`cell_text`)."""
    text = text or cell_text
    for candidate, cells in _rows(run.summary):
        info = run.info["candidates"][candidate]
        mark = "*" if info["grants"] else ""
        clusters = max((cell["clusters"] for cell in cells.values()), default=0)
        yield [
            candidate + mark,
            str(clusters),
            *(text(cells.get(name)) for name in columns),
            latency(run, candidate),
            row_terms(run, candidate),
        ]


def row_terms(run: Run, candidate: str) -> str:
    """The digest of a candidate's terms, shortened; a dash for controls, which are asked nothing."""
    if run.info["candidates"][candidate]["control"]:
        return "–"
    return digest(run.info, candidate)[:SHOWN]


def latency(run: Run, candidate: str) -> str:
    """Median seconds of a candidate's turn, as text."""
    median = run.info.get("latency", {}).get(candidate, {}).get("median")
    if median is None:
        return "–"
    return f"{median:.2f}" if median >= 0.01 else "<0.01"


def compact(cell: Mapping[str, Any] | None) -> str:
    """``mean±d``, d the longer arm of the interval, for narrow places."""
    if cell is None or cell["mean"] is None:
        return cell_text(cell)
    digits = _digits(cell)
    text = f"{cell['mean']:.{digits}f}"
    if cell["low"] is not None:
        text += f"±{max(cell['mean'] - cell['low'], cell['high'] - cell['mean']):.{digits}f}"
    if 1 - cell["scored"] / cell["planned"] > MISSING_MARK:
        text += f" {cell['scored']}/{cell['planned']}"
    return text


def _digits(cell: Mapping[str, Any]) -> int:
    known = [cell[name] for name in ("mean", "low", "high") if cell[name] is not None]
    return 3 if 0 < max(map(abs, known)) < 1 else 1


def cell_text(cell: Mapping[str, Any] | None) -> str:
    """``mean [low, high]``, with scored/planned and bounds where more than 1 % is missing."""
    if cell is None:
        return "–"
    if cell["mean"] is None:
        done = f"{cell['scored']}/{cell['planned']}"
        return f"n/a ({done})" if cell["scored"] < cell["planned"] else "undefined"
    digits = _digits(cell)
    text = f"{cell['mean']:.{digits}f}"
    if cell["low"] is not None:
        text += f" [{cell['low']:.{digits}f}, {cell['high']:.{digits}f}]"
    if cell["planned"] and 1 - cell["scored"] / cell["planned"] > MISSING_MARK:
        text += f" {cell['scored']}/{cell['planned']}"
        if bounds := cell.get("bounds"):
            text += f" ({bounds[0]:.{digits}f} to {bounds[1]:.{digits}f})"
    return text


def _users(simulator: str) -> str:
    return "Users: people" if simulator == "human" else f"Simulated user: {simulator}"


def notes(run: Run) -> list[str]:
    """What the numbers are and are not, in words."""
    summary, info = run.summary, run.info
    sizes = [max((c["clusters"] for c in row.values()), default=0) for row in summary["rows"].values()]
    out = [
        f"{_users(info['simulator'])}. Judges: {', '.join(judge['name'] for judge in info['judges'])}. "
        f"Protocol: {info['identity']['protocol']}.",
        "In brackets or after ±: 95 % intervals, clustered by profile. AL and rates are x100.",
    ]
    if "rules" in run.judges:
        out.append(
            "AL[rules] is a rule judge's: an instrument for elicitation and use of facts, not human-calibrated, "
            "and not comparable with the RLPA or ALOE papers' numbers."
        )
    if sizes and min(sizes) < 50:
        out.append("Fewer than 50 profiles: intervals and paired differences, no ranks.")
    if any(entry["grants"] for entry in info["candidates"].values()):
        out.append("* is given the gold or the disclosure ledger: a reference point, no contestant.")
    if rows := unequal_rows(info):
        out.append(f"NOT ON EQUAL TERMS with the first model: {'; '.join(rows)}.")
    out += trained(info)
    if why := run.unpublishable:
        out.append(f"This run is not for publishing: {why}.")
    failed = info.get("counts", {}).get("failed", 0)
    if failed:
        reasons = ", ".join(f"{n} x {kind}" for kind, n in info["failures"].items())
        out.append(f"{failed} of {info['counts']['planned']} dialogues failed ({reasons or 'see dialogues.jsonl'}).")
    return out


def trained(info: Mapping[str, Any]) -> Iterator[str]:
    """What candidates were trained on, and whether the user or a judge of this run is part of it."""
    judges = {judge["name"] for judge in info["judges"]}
    for name, entry in info["candidates"].items():
        if known := entry.get("trained_on"):
            used = {info["simulator"]} & set(seen(known, "simulator")) | judges & set(seen(known, "judge"))
            also = f", with {' and '.join(sorted(used))} of this run: not independent" if used else ""
            yield f"{name} was trained on {trained_on_words(known)}{also}."


def _rows(summary: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for candidate in summary["order"]:
        yield candidate, summary["rows"][candidate]
