"""``rlpa-bench score``"""

from __future__ import annotations

from pathlib import Path

import click

from rlpa_bench.cli.options import flag, plugin_flags


@click.command("score", help="Judge the transcripts of RUN again, offline; asks no candidate and no user.")
@click.argument("run", type=click.Path(path_type=Path))
@flag("--judge", default="", help="Judges, comma-separated.  [default: the run's own]")
@flag("--repeats", type=int, default=None, help="Verdicts per turn of judges that vary.  [default: the run's own]")
@flag("--cache/--no-cache", default=True, help="Reuse identical model calls.  [default: cache]")
@click.option("-o", "options", multiple=True, metavar="judge[.NAME].OPTION=VALUE", help="Option of a judge.")
@plugin_flags
def command(run: Path, judge: str, repeats: int | None, cache: bool, options: tuple[str, ...]) -> int:
    from rich.console import Console

    from rlpa_bench.recompute import rescore
    from rlpa_bench.report.table import notes, terminal

    scored = rescore(run, judge=judge, repeats=repeats, cache=cache, options=options)
    console = Console(width=None if Console().is_terminal else 200)
    console.print(terminal(scored))
    for note in notes(scored):
        console.print(note, highlight=False, markup=False)
    return 0
