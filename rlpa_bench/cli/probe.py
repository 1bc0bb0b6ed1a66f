"""``rlpa-bench probe``"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rlpa_bench.cli.options import flag, plugin_flags


@click.command("probe", help="General capability: lm-eval's tasks on the models of RUN, beside alignment in its table.")
@click.argument("run", type=click.Path(path_type=Path))
@flag("--tasks", required=True, help="Tasks of lm-eval, comma-separated; rlpa_offline needs no network.")
@flag("--model", "models", default="", help="Models, comma-separated.  [default: all of the run]")
@flag("--reference", default="", help="The model that retention is relative to.")
@click.option(
    "--as", "stands_for", multiple=True, metavar="CANDIDATE=MODEL", help="The model behind a trained candidate."
)
@flag("--limit", type=int, default=None, help="Questions per task.")
@flag("--shots", type=int, default=None, help="Worked examples.  [default: the task's own]")
@flag("--include", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Folder with more task files.")
@click.option("--engine", default="", help="A model of lm-eval's own, for tasks that need log-likelihoods.")
@click.option("--engine-args", default="", metavar="NAME=VALUE,…", help="Its arguments.")
@flag("--cache/--no-cache", default=True, help="Reuse identical model calls.  [default: cache]")
@click.option("-o", "options", multiple=True, metavar="model[.NAME].OPTION=VALUE", help="Option of a model.")
@plugin_flags
def command(
    run: Path, tasks: str, models: str, reference: str, stands_for: tuple[str, ...], limit: int | None,
    shots: int | None, include: Path | None, engine: str, engine_args: str, cache: bool, options: tuple[str, ...],
) -> int:  # fmt: skip
    from rlpa_bench.errors import UsageError
    from rlpa_bench.probing.probe import Terms, probe
    from rlpa_bench.recompute import rebuild
    from rlpa_bench.request import names

    if wrong := next((text for text in stands_for if "=" not in text), None):
        raise UsageError(f"--as {wrong!r} is not CANDIDATE=MODEL")
    found = probe(
        run,
        Terms(tuple(names(tasks)), limit, shots, include, engine, engine_args),
        models=names(models),
        stands_for=dict(text.split("=", 1) for text in stands_for),
        reference=reference,
        options=options,
        cache=cache,
    )
    rebuild(run)
    _show(found)
    return 0


def _show(found: Mapping[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    for name in ("model", "task", "metric", "value", "± standard error", "questions", "cut off", "refused"):
        table.add_column(name)
    for model, tasks in found["models"].items():
        for task, result in tasks.items():
            error = "–" if not isinstance(result["stderr"], float) else f"{result['stderr']:.3f}"
            counts = (str(result[name]) for name in ("n", "truncated", "refused"))
            table.add_row(model, task, result["metric"], f"{result['value']:.3f}", error, *counts)
    Console(width=None if Console().is_terminal else 160).print(table)
