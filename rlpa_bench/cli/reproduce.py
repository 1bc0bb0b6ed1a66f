"""``rlpa-bench reproduce``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rlpa_bench.cli.options import flag

if TYPE_CHECKING:
    from rlpa_bench.reproduction import Reproduction


@click.group("reproduce", help="Recompute a paper's published tables from its own rows.")
def command() -> None:
    pass


@command.command("rlpa-tables", help="Tables 1, 2, 4 and 5 of RLPA (arXiv 2505.15456): which numbers follow.")
@flag("--format", "form", type=click.Choice(["terminal", "csv", "md"]), default="terminal", show_default=True)
@flag("--out", type=click.Path(path_type=Path), default=None, help="Write to this file instead of the terminal.")
def rlpa_tables(form: str, out: Path | None) -> int:
    from rlpa_bench import reproduction

    found = reproduction.rlpa_tables()
    if form == "terminal" and out is None:
        _show(found)
        return 0
    if form == "terminal":
        form = "csv" if out is not None and out.suffix == ".csv" else "md"
    text = reproduction.to_csv(found) if form == "csv" else reproduction.to_markdown(found)
    if out is None:
        print(text, end="")
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
        print(out)
    return 0


def _show(found: Reproduction) -> None:
    from rich.console import Console
    from rich.table import Table

    from rlpa_bench.reproduction import HEADER, findings, records

    console = Console(width=None if Console().is_terminal else 200)
    table = Table(title="RLPA: printed and recomputed")
    for name in HEADER:
        table.add_column(name, justify="left" if name in HEADER[:3] else "right")
    for row in records(found):
        table.add_row(*row, style="bold red" if row[-1] == "NO" else "")
    console.print(table)
    console.print(found.source, highlight=False, markup=False)
    for finding in findings(found):
        console.print(f"- {finding}", highlight=False, markup=False)
