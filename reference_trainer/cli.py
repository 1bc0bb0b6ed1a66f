"""``rlpa-bench train``. Imported at every start of ``rlpa-bench``: everything else is imported when it runs."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rlpa_bench.cli.options import flag, plugin_flags
from rlpa_bench.errors import UsageError

if TYPE_CHECKING:
    from reference_trainer.folder import Folder
    from reference_trainer.recipe import DpoRecipe, PpoRecipe, SftRecipe


@click.command("train", help="Train a policy by a recipe, with the users and judges that the benchmark has.")
@click.argument("recipe", required=False)
@flag(
    "--dry-run", is_flag=True, help="Check all that can be and show command, calls, price, disk, memory; start nothing."
)
@flag("--list", "listed", is_flag=True, help="List the recipes.")
@flag("--setup", is_flag=True, help="Build the trainer's own environment (minutes, gigabytes).")
@flag("--flags", is_flag=True, help="Print the table: authors' flag, today's flag, value, source.")
@flag("--out", type=click.Path(path_type=Path), default=None, help="The run's folder.  [default: trained/RECIPE]")
@flag("--data", type=click.Path(path_type=Path), default=None, help="JSON lines to tune on (sft and dpo).")
@click.option("--set", "changes", multiple=True, metavar="TABLE.KEY=VALUE", help="Change a value of the recipe.")
@click.option("-o", "options", multiple=True, metavar="KIND[.NAME].OPTION=VALUE", help="Option of a plugin.")
@flag("--preflight/--no-preflight", default=True, help="Ask every role once before the first step.  [default: ask]")
@plugin_flags
def command(
    recipe: str | None, dry_run: bool, listed: bool, setup: bool, flags: bool, out: Path | None, data: Path | None,
    changes: tuple[str, ...], options: tuple[str, ...], preflight: bool,
) -> int:  # fmt: skip
    from reference_trainer.folder import Folder
    from reference_trainer.recipe import PpoRecipe, load, names

    if listed:
        return _list()
    if setup:
        return _setup()
    if recipe is None:
        raise UsageError(f"name a recipe: rlpa-bench train RECIPE; there are {', '.join(names())}")
    chosen = load(recipe, [*changes, *([f"data={data}"] if data else [])])
    name = Path(recipe).stem
    folder = Folder(out or Path("trained") / name)
    if not isinstance(chosen, PpoRecipe):
        return _tune(chosen, name, folder, dry_run)
    if options:
        chosen = chosen.model_copy(update={"options": (*chosen.options, *options)})
    if flags:
        from reference_trainer.flags import table

        print(table(chosen))
        return 0
    return _dry_run(chosen, folder) if dry_run else _train(chosen, name, folder, preflight)


def _list() -> int:
    from reference_trainer.recipe import load, names

    for name in names():
        recipe = load(name)
        print(f"{name:15} {recipe.kind:4} {recipe.title} ({recipe.status})")
    return 0


def _setup() -> int:
    from reference_trainer import environment

    environment.build(environment.place(), lambda line: print(f"$ {line}", flush=True))
    print(f"the trainer's environment is ready: {environment.place()}")
    return 0


def _dry_run(recipe: PpoRecipe, folder: Folder) -> int:
    from reference_trainer import engine, environment, forecast, launch
    from reference_trainer.flags import arguments
    from reference_trainer.setting import Setting
    from reference_trainer.stock_parser import parsed

    setting = Setting(recipe)
    lines = list(forecast.lines(setting))  # builds users and judges, which shows what they lack
    setting.harness.check_options()
    print(f"{recipe.title}: {recipe.status}\n")
    print("\n".join(lines))
    interpreter = environment.place() / "bin" / "python"
    for name, value in launch.ENVIRONMENT.items():
        print(f"{name}={value} \\")
    print(shlex.join(launch.command(recipe, folder.path.absolute(), interpreter)).replace(" --", " \\\n  --"))
    print()
    source = engine.source(environment.place())
    if source is None:
        print(
            f"not checked: OpenRLHF {engine.VERSION} is not here to parse the command (--setup, or {engine.VARIABLE})"
        )
    else:
        parsed(source, arguments(recipe, folder.path.absolute()))
        print(f"OpenRLHF {engine.VERSION}'s own parser and checks accept the command")
    return 0


def _train(recipe: PpoRecipe, name: str, folder: Folder, preflight: bool) -> int:
    from reference_trainer import environment, launch
    from reference_trainer.provenance import trained_on
    from reference_trainer.setting import Setting
    from rlpa_bench.runs import locked

    setting = Setting(recipe)
    known = trained_on(setting, name)
    setting.harness.check_options()
    interpreter = environment.python()
    launch.check_gpus(recipe, interpreter)
    if preflight:
        for note in launch.check_endpoints(setting):
            print(f"rlpa-bench: {note}", file=sys.stderr)
    with locked(folder.path):
        folder.prepare(setting, known)
        begun = folder.agree()
        print(f"{recipe.title}: {recipe.status}")
        how = "resumes after" if begun else "begins at"
        print(f"{how} step {begun} of {setting.steps} in {folder.path}", flush=True)
        launch.train(recipe, folder, interpreter, lambda event: print(event, flush=True))
    for model in folder.exported():
        print(model)
    return 0


def _tune(recipe: SftRecipe | DpoRecipe, name: str, folder: Folder, dry_run: bool) -> int:
    from reference_trainer import tuning

    command = tuning.check(recipe, name, folder.path)
    print(f"{recipe.title}: {recipe.status}")
    if dry_run:
        print(shlex.join(command))
        return 0
    tuning.run(recipe, command, folder.path)
    print(folder.path / "final")
    return 0
