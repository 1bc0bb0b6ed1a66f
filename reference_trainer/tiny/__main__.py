"""``python -m reference_trainer.tiny run|collect|tables``: the experiment of docs/explanation/learning.md."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import click

from reference_trainer.tiny import tables
from rlpa_bench.errors import RlpaBenchError


@click.group()
def main() -> None:
    """The learning experiment."""


@main.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for checkpoints and results.")
@click.option(
    "--plan",
    "name",
    type=click.Choice(["tiny", "longer", "smollm2"]),
    default="tiny",
    show_default=True,
    help="A model and all numbers of its training.",
)
@click.option("--seeds", type=click.IntRange(1), help="Seeds of DPO and PPO, if not the plan's.")
def run(out: Path, name: str, seeds: int | None) -> None:
    """Runs all stages that are not done yet, on one thread."""
    from reference_trainer.tiny.experiment import Experiment
    from reference_trainer.tiny.plan import PLANS

    plan = PLANS[name]
    Experiment(out, replace(plan, seeds=seeds or plan.seeds), click.echo).run()


@main.command()
@click.option("--out", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of a run.")
@click.argument("results", type=click.Path(path_type=Path))
def collect(out: Path, results: Path) -> None:
    """Gathers a run's results into one small file."""
    results.write_text(json.dumps(tables.gather(out), separators=(",", ":")) + "\n", encoding="utf-8")


@main.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for sft.jsonl.")
@click.option("--rows", type=click.IntRange(1), default=200, show_default=True, help="Turns.")
@click.option("--turns", type=click.IntRange(1), default=10, show_default=True, help="Of the first so many turns.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the users and of the draw.")
def demonstrations(out: Path, rows: int, turns: int, seed: int) -> None:
    """Writes turns of the two teachers as data for the recipe sft."""
    from reference_trainer.tiny.demonstrations import export

    click.echo(f"{export(out, rows, turns, seed)} rows in {out / 'sft.jsonl'}")


@main.command(name="tables")
@click.argument("results", type=click.Path(path_type=Path, exists=True))
@click.option("--curves", type=click.Path(path_type=Path), help="Where to draw the learning curves, an SVG file.")
def show(results: Path, curves: Path | None) -> None:
    """Prints the tables of a results file."""
    found = json.loads(results.read_text(encoding="utf-8"))
    click.echo(tables.markdown(found), nl=False)
    if curves:
        curves.write_text(tables.curves_svg(found), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except (RlpaBenchError, click.ClickException) as error:
        click.echo(f"Error: {error.format_message() if isinstance(error, click.ClickException) else error}", err=True)
        sys.exit(2)
