"""``rlpa-bench replay``"""

from __future__ import annotations

from pathlib import Path

import click

from rlpa_bench.cli.options import flag, plugin_flags


@click.command(
    "replay", help="Ask the candidates of RUN again, from saved states, with one answer of the user changed."
)
@click.argument("run", type=click.Path(path_type=Path))
@flag("--candidate", default="", help="Candidates, comma-separated, as named in the run.  [default: all]")
@flag("--limit", type=click.IntRange(1), default=None, help="States per candidate at most.  [default: one a dialogue]")
@plugin_flags
def command(run: Path, candidate: str, limit: int | None) -> int:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from rlpa_bench.aio import blocking
    from rlpa_bench.replay import COLUMNS, FILE, replay, summary
    from rlpa_bench.request import names
    from rlpa_bench.runs import load_run

    recorded = load_run(run)
    lines = blocking(lambda: replay(recorded, candidates=names(candidate), limit=limit))
    table = Table(title=escape(f"replies to changed answers in {run}, in percent of the states"))
    table.add_column("candidate", no_wrap=True)
    for name in ("states", *COLUMNS):
        table.add_column(name, justify="right")
    for name, row in summary(lines).items():
        cells = [f"{cell.mean:.1f} [{max(0.0, cell.low):.1f}, {min(100.0, cell.high):.1f}]" for cell in row.values()]
        table.add_row(escape(name), str(next(iter(row.values())).n), *cells)
    console = Console(width=None if Console().is_terminal else 200)
    console.print(table)
    if not lines:
        console.print("In no turn of this run does the user state a new fact in words that could be changed.")
    if failed := sum("failed" in line for line in lines):
        console.print(f"{failed} of {len(lines)} states were not answered; the file says why.")
    console.print(run / FILE, highlight=False, markup=False)
    return 1 if failed else 0
