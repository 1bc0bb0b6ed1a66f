"""``rlpa-bench serve-human``"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlpa_bench.cli.options import flag, plugin_flags
from rlpa_bench.errors import UsageError

if TYPE_CHECKING:
    from rlpa_bench.people.begin import Begun
    from rlpa_bench.people.flow import Front

UNUSED = ("cache", "config", "dry_run", "executor", "max_missing", "out", "resume", "retry_errors")
"""Options of `run` that say nothing here."""


@click.command(
    "serve-human",
    help="A page on which people are the users of blinded candidates. RUN_CONFIG is a TOML file with options of `run`, "
    "or the folder of a run begun here, which goes on.",
)
@click.argument("run_config", type=click.Path(path_type=Path))
@flag("--out", type=click.Path(path_type=Path), default=None, help="Run directory.  [default: runs/TIME-SUITE-people]")
@flag(
    "--persona",
    type=click.Choice(["card", "own"]),
    default=None,
    help="Whether people play a persona of the suite or themselves.  [default: card]",
)
@flag("--consent", type=click.Path(path_type=Path), default=None, help="Text to agree to.  [default: the bundled one]")
@flag("--host", default="127.0.0.1", show_default=True, help="Address to listen on; another one lets others in.")
@flag("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="Port; 0 is any free one.")
@flag("--terminal", is_flag=True, help="One person at this terminal instead of a page.")
@flag("--close", is_flag=True, help="Wait for nobody any more: complete the run with what there is.")
@flag("--retry-errors", is_flag=True, help="Take up again what failed, was withdrawn or left unfinished.")
@flag("--forget", default="", metavar="PSEUDONYM", help="Delete what there is of this person, and stop.")
@plugin_flags
def command(
    run_config: Path, out: Path | None, persona: str | None, consent: Path | None, host: str, port: int,
    terminal: bool, close: bool, retry_errors: bool, forget: str,
) -> int:  # fmt: skip
    from rlpa_bench.people import begin
    from rlpa_bench.people.flow import StudyPausedError

    if run_config.is_dir():
        if out is not None or persona is not None:
            raise UsageError(f"{run_config} is a run already; --out and --persona are for a new one")
        begun = begin.from_run(run_config, consent=consent)
    else:
        begun = begin.from_config(_config(run_config), persona=persona, consent=consent, out=out)
    if forget:
        begin.forget(begun, forget)
        print(f"Nothing of {forget} is left in {begun.path}; copies elsewhere are not reached.")
        return 0
    front = begin.nobody if close else _terminal() if terminal else _page(host, port)
    with suppress(KeyboardInterrupt, StudyPausedError):
        begin.carry_out(begun, front, closed=close, retry_errors=retry_errors)
    return _told(begun)


def _config(path: Path) -> dict[str, Any]:
    """The options that the file sets, as arguments of a run."""
    from rlpa_bench.cli.run import command as run
    from rlpa_bench.cli.run import read_config

    known = {str(param.name) for param in run.params if param.expose_value} - set(UNUSED)
    return read_config(click.Context(run), path, known)


def _page(host: str, port: int) -> Front:
    from rlpa_bench.people.web import LOOPBACK, serving

    def say(address: str) -> None:
        print(f"People take part at {address} (Ctrl+C stops; the same command goes on)", flush=True)
        if host not in LOOPBACK:
            print(
                f"rlpa-bench: {host} can be reached from other machines, without encryption: put a server with TLS in "
                "front of it", file=sys.stderr, flush=True,
            )  # fmt: skip

    return partial(serving, host=host, port=port, say=say)


def _terminal() -> Front:
    from rlpa_bench.people.terminal import typing

    return typing


def _told(begun: Begun) -> int:
    """Says how far the run has come; 1 if it is not complete or something in it failed."""
    from rlpa_bench.report.table import notes, terminal
    from rlpa_bench.runs import load_run

    run = load_run(begun.path)
    if "counts" not in run.info:
        print(
            f"rlpa-bench: {run.path} is not complete; the same command goes on, --close completes it as it is, and "
            f"`rlpa-bench report {run.path}` looks at it meanwhile", file=sys.stderr,
        )  # fmt: skip
        return 1
    from rich.console import Console

    wide = Console() if sys.stdout.isatty() else Console(width=200)
    wide.print(terminal(run))
    for note in notes(run):
        wide.print(note, highlight=False, markup=False)
    print(run.path / "report.html")
    counts = run.info["counts"]
    if counts["failed"]:
        print(
            f"rlpa-bench: {counts['failed']} of {counts['planned']} dialogues failed or were not finished",
            file=sys.stderr,
        )
        return 1
    return 0
