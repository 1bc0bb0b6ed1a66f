"""``rlpa-bench``: the group, its errors and exit codes.

Exit codes: 0 done; 1 finished with failures, or stopped by something outside; 2 wrong usage or bad input.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from rlpa_bench.errors import RlpaBenchError
from rlpa_bench.redaction import Redacting, learn

COMMANDS = {
    "card": "Measure an instrument: a simulator or a judge.",
    "compare": "Paired differences between candidates of runs.",
    "data": "List or fetch data sets; build SFT and DPO data.",
    "leaderboard": "Prepare, validate and publish results.",
    "matrix": "Candidates x simulators x judges on the same cases.",
    "plugins": "List, show, start or check plugins.",
    "probe": "General capability of a run's models, by lm-eval.",
    "reproduce": "Recompute a paper's published tables from its own rows.",
    "replay": "Ask the candidates of a run again, with one answer of the user changed.",
    "report": "Rebuild the tables and the page of a run.",
    "run": "Play, judge and summarise a suite.",
    "score": "Judge the transcripts of a run again, offline.",
    "serve-human": "A page on which people are the users of blinded candidates.",
}


class Commands(click.Group):
    """Imports a command only when it is used, and lets plugins add theirs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*COMMANDS, *self._added()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command: click.Command = import_module(f"rlpa_bench.cli.{cmd_name.replace('-', '_')}").command
            return command
        return self._added().get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        added = {name: command.get_short_help_str() for name, command in self._added().items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted((COMMANDS | added).items()))

    def _added(self) -> dict[str, click.Command]:
        if not hasattr(self, "_from_plugins"):
            from rlpa_bench.plugins import Plugins

            group = click.Group()
            plugins = Plugins()
            plugins.add_commands(group)
            for problem in plugins.problems:
                print(f"rlpa-bench: {problem}", file=sys.stderr)
            self._from_plugins = dict(group.commands)
        return self._from_plugins


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rlpa-bench", prog_name="rlpa-bench")
def cli() -> None:
    """Does this model really get to know its user? A harness for RLPA and ALOE."""


def load_dotenv(path: Path = Path(".env")) -> None:
    """Reads ``NAME=value`` lines of a .env file; what the environment sets already stays."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip().isidentifier():
            os.environ.setdefault(name.strip(), value.strip().strip("'\""))


def _terminate(*_: Any) -> None:
    signal.raise_signal(signal.SIGINT)  # which the event loop knows how to end on


def main() -> None:
    """Runs the command line; errors meant for people are one sentence, everything else is a bug."""
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a script's background job, which SIGTERM must still end
        signal.signal(signal.SIGINT, signal.default_int_handler)
    load_dotenv()
    learn()
    with redirect_stdout(Redacting(sys.stdout)), redirect_stderr(Redacting(sys.stderr)):
        _run()


def _run() -> None:
    try:
        code = cli(standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted; every finished turn is on disk, the same command with --resume DIR goes on", 1)
    except RlpaBenchError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _fail(f"{error.strerror or error}{where}; every finished turn is on disk, resume when it is mended", 1)
    sys.exit(code or 0)


def _fail(message: str, code: int) -> None:
    print(f"rlpa-bench: {message}", file=sys.stderr)
    sys.exit(code)
