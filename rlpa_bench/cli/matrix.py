"""``rlpa-bench matrix``"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlpa_bench.cli.options import flag, plugin_flags
from rlpa_bench.errors import UsageError

if TYPE_CHECKING:
    from rlpa_bench.matrix import Analysis, Matrix


@click.command(
    "matrix",
    help="Candidates x simulators x judges on the same cases: what changes with the user, and with the judge. With "
    "RUNs, finished runs of different simulators are put side by side and nothing is played.",
)
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1)
@flag("--suite", default="aloe", show_default=True, help="Suite to play.")
@flag("--model", default="", help="Models, comma-separated: NAME or NAME:ARGUMENT.")
@flag("--baseline", default="", help="Baselines and controls, comma-separated.")
@flag("--simulator", default="agenda,reciprocal", show_default=True, help="Who plays the user, comma-separated.")
@flag("--judge", default="rules,retrieval,profile", show_default=True, help="Judges, comma-separated.")
@flag("--candidate", default="", help="Candidates to look at, comma-separated.  [default: all that were played]")
@flag("--controls/--no-controls", default=False, help="Add all model-free controls.  [default: no-controls]")
@flag("--turns", type=int, default=None, help="Turns per dialogue, if not the suite's own.")
@flag("--limit", type=int, default=None, help="Play a stratified sample of this many cases.")
@flag("--seeds", type=int, default=1, show_default=True, help="Dialogues per candidate and case.")
@flag("--repeats", type=int, default=1, show_default=True, help="Verdicts per turn of judges that vary.")
@flag("--max-connections", type=int, default=None, help="Calls at once per endpoint, dialogues at once in all.")
@flag("--max-retries", type=int, default=5, show_default=True, help="Retries of a failed call; 0 is none.")
@flag("--max-cost", type=float, default=None, help="Stop a run, resumable, when this many US dollars are spent in it.")
@flag("--stop-after", type=int, default=20, show_default=True, help="Failures of one kind in a row that stop a run.")
@flag("--preflight/--no-preflight", default=True, help="Ask every role once before the first turn.  [default: ask]")
@flag("--cache/--no-cache", default=True, help="Reuse identical model calls.  [default: cache]")
@flag("--retry-errors", is_flag=True, help="With a resume: play failed dialogues again.")
@flag("--out", type=click.Path(path_type=Path), default=None, help="Folder.  [default: runs/TIME-SUITE-matrix]")
@flag("--resume", type=click.Path(path_type=Path), default=None, help="Go on with the matrix in this folder.")
@click.option("-o", "options", multiple=True, metavar="KIND[.NAME].OPTION=VALUE", help="Option of a plugin.")
@plugin_flags
@click.pass_context
def command(ctx: click.Context, /, runs: tuple[Path, ...], candidate: str, out: Path | None, **given: Any) -> int:
    from rlpa_bench.matrix import analyse, read_grid
    from rlpa_bench.matrix.files import write_analysis
    from rlpa_bench.request import names
    from rlpa_bench.runs import load_run

    explicit = {name for name in given if _explicit(ctx, name)}
    if runs:
        typed = {name for name in explicit if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}
        if strange := sorted(typed - {"judge"}):
            flag_ = strange[0].replace("_", "-")
            raise UsageError(f"--{flag_} plays; with RUNs only --judge, --candidate and --out apply")
        judges = names(given["judge"]) if "judge" in explicit else ()
        analysis = analyse(read_grid([load_run(path) for path in runs], judges, names(candidate)))
        failed = 0
    else:
        played = _play(given, explicit, out)
        out, failed = played.path, sum(run.info["counts"]["failed"] for run in played.runs.values())
        analysis = played.analysis(candidates=names(candidate))
    _show(analysis)
    if out is not None:
        write_analysis(analysis, out)
        print(out / "heatmap.svg")
    if failed:
        print(f"rlpa-bench: {failed} dialogues failed; --resume DIR --retry-errors plays them again", file=sys.stderr)
    return 1 if failed else 0


def _explicit(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) not in (click.core.ParameterSource.DEFAULT, None)


def _play(given: dict[str, Any], explicit: set[str], out: Path | None) -> Matrix:
    from rlpa_bench.cli.progress import Display
    from rlpa_bench.matrix import matrix
    from rlpa_bench.matrix.play import recorded

    settings, resume = dict(given), given["resume"]
    settings.pop("resume")
    if resume is not None:
        settings |= {name: value for name, value in recorded(resume).items() if name not in explicit}
    suite = str(settings["suite"]).partition(":")[0]
    path = resume or out or Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{suite}-matrix"
    with Display() as display:
        return matrix(**settings, out=path, watch=display.watch)


def _show(analysis: Analysis) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from rlpa_bench.matrix.files import legend, tables

    console = Console() if sys.stdout.isatty() else Console(width=200)
    for name, head, rows in tables(analysis):
        if rows:
            table = Table(title=name, box=SIMPLE_HEAD)
            for i, column in enumerate(head):
                table.add_column(escape(column), justify="left" if i == 0 else "right")
            for row in rows:
                table.add_row(*map(escape, row))
            console.print(table)
    for note in (*analysis.notes, *legend(analysis)):
        console.print(note, highlight=False, markup=False)
