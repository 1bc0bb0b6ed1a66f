"""``rlpa-bench run``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from rlpa_bench.cli.options import flag, plugin_flags
from rlpa_bench.errors import UsageError


@click.command("run", help="Play, judge and summarise a suite with one or more candidates.")
@flag("--suite", default=None, help="Suite to play, such as aloe.")
@flag(
    "--model",
    default="",
    help="Models, comma-separated: NAME or NAME:ARGUMENT.  [default: smollm2, 10 cases]",
)
@flag("--baseline", default="", help="Baselines and controls, comma-separated.  [default: base]")
@flag("--simulator", default="agenda", show_default=True, help="Who plays the user.")
@flag("--judge", default="rules,profile", show_default=True, help="Judges, comma-separated.")
@flag("--controls/--no-controls", default=True, help="Add all model-free controls.  [default: controls]")
@flag("--turns", type=int, default=None, help="Turns per dialogue, if not the suite's own.")
@flag("--limit", type=int, default=None, help="Play a stratified sample of this many cases.")
@flag("--seeds", type=int, default=1, show_default=True, help="Dialogues per candidate and case.")
@flag("--repeats", type=int, default=1, show_default=True, help="Verdicts per turn of judges that vary.")
@flag("--max-connections", type=int, default=None, help="Calls at once per endpoint, dialogues at once in all.")
@flag("--max-retries", type=int, default=5, show_default=True, help="Retries of a failed call; 0 is none.")
@flag("--max-cost", type=float, default=None, help="Stop, resumable, when this many US dollars are spent.")
@flag(
    "--max-missing",
    type=float,
    default=0.0,
    show_default=True,
    help="Share of failed dialogues that is still exit code 0.",
)
@flag("--stop-after", type=int, default=20, show_default=True, help="Failures of one kind in a row that stop the run.")
@flag("--preflight/--no-preflight", default=True, help="Ask every role once before the first turn.  [default: ask]")
@flag("--dry-run", is_flag=True, help="Show calls, tokens and price; start nothing.")
@flag("--cache/--no-cache", default=True, help="Reuse identical model calls.  [default: cache]")
@flag("--out", type=click.Path(path_type=Path), default=None, help="Run directory.  [default: runs/TIME-SUITE]")
@flag("--resume", type=click.Path(path_type=Path), default=None, help="Go on with the run in this directory.")
@flag("--retry-errors", is_flag=True, help="With a resume: play failed dialogues again.")
@flag("--config", type=click.Path(path_type=Path), default=None, help="TOML file with these options.")
@flag(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where dialogues run.",
)
@click.option("-o", "options", multiple=True, metavar="KIND[.NAME].OPTION=VALUE", help="Option of a plugin.")
@plugin_flags
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    import rlpa_bench
    from rlpa_bench.cli.progress import Display
    from rlpa_bench.report.table import notes, terminal

    settings = _settings(ctx, given)
    if settings.pop("executor") == "ray":
        raise UsageError("--executor ray is not available yet; use --executor local")
    max_missing = settings.pop("max_missing")
    if not settings["suite"]:
        raise UsageError("name a suite: rlpa-bench run --suite aloe (rlpa-bench plugins list shows all)")
    if settings.pop("dry_run"):
        return _dry_run(settings)
    with Display() as display:
        run = rlpa_bench.run(**settings, watch=display.watch)
    from rich.console import Console

    wide = Console() if sys.stdout.isatty() else Console(width=200)
    wide.print(terminal(run))
    for note in notes(run):
        wide.print(note, highlight=False, markup=False)
    for problem in [*run.info["preflight"]["notes"], *run.info["problems"]]:
        print(f"rlpa-bench: {problem}", file=sys.stderr)
    print(run.path / "report.html")
    counts = run.info["counts"]
    missing = 1 - counts["played"] / counts["planned"]
    if missing > max_missing:
        print(
            f"rlpa-bench: {missing:.1%} of the dialogues failed, more than --max-missing {max_missing}",
            file=sys.stderr,
        )
        return 1
    return 0


def _dry_run(settings: dict[str, Any]) -> int:
    import inspect

    from rich.console import Console
    from rich.table import Table

    from rlpa_bench.estimate import total
    from rlpa_bench.pipeline import dry_run

    terms = inspect.signature(dry_run).parameters
    expected = dry_run(**{name: value for name, value in settings.items() if name in terms})
    if not expected:
        print("No model would be called.")
        return 0
    table = Table(title="what the run would ask for; tokens and price are rough, at most is by max_tokens")
    for name in ("role", "model"):
        table.add_column(name)
    for name in ("calls", "prompt tokens", "completion tokens", "at most", "US dollars", "at most"):
        table.add_column(name, justify="right")
    for e in expected:
        table.add_row(
            e.role, e.model, f"{e.calls:,}", f"{e.prompt_tokens:,}", f"{e.completion_tokens:,}",
            f"{e.most_completion_tokens:,}", _dollars(e.dollars), _dollars(e.most_dollars),
        )  # fmt: skip
    (Console() if sys.stdout.isatty() else Console(width=160)).print(table)
    print(f"In all: {_dollars(total(expected))} US dollars. Unpriced is unknown, not free.")
    return 0


def _dollars(value: float | None) -> str:
    return "unpriced" if value is None else f"{value:.2f}"


def _settings(ctx: click.Context, given: dict[str, Any]) -> dict[str, Any]:
    """Flags over config file over the resumed run's configuration over defaults."""
    resume, config = given.pop("resume"), given.pop("config")
    explicit = {
        name for name in given if ctx.get_parameter_source(name) not in (click.core.ParameterSource.DEFAULT, None)
    }
    settings = dict(given)
    if resume is not None:
        from rlpa_bench.runs import load_run

        recorded = load_run(resume).info["identity"]["config"]
        renamed = {"models": "model", "baselines": "baseline", "judges": "judge"}
        known = {renamed.get(name, name): value for name, value in recorded.items()}
        settings |= {name: value for name, value in known.items() if name not in explicit}
        settings["out"] = resume
    if config is not None:
        settings |= {
            name: value for name, value in read_config(ctx, config, set(given)).items() if name not in explicit
        }
    return settings


def read_config(ctx: click.Context, path: Path, known: set[str]) -> dict[str, Any]:
    """A TOML file's values, read as if they stood on the command line."""
    import tomllib

    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}; check --config") from None
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    values = {name.replace("-", "_"): value for name, value in values.items()}
    if unknown := sorted(set(values) - known):
        raise UsageError(f"{path}: unknown option {unknown[0]!r}; options are {', '.join(sorted(known))}")
    types = {str(param.name): param for param in ctx.command.params}
    return {name: types[name].process_value(ctx, _words(value, types[name])) for name, value in values.items()}


def _words(value: Any, param: click.Parameter) -> Any:
    """A TOML value as the command line would have it; several names may be a list."""
    words = [str(word) for word in value] if isinstance(value, list) else [str(value)]
    return words if param.multiple else ",".join(words)
