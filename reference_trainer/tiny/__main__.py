"""``python -m reference_trainer.tiny run|tables``: the experiment of docs/explanation/learning.md."""

from __future__ import annotations

from pathlib import Path

import click

from reference_trainer.tiny.experiment import Experiment, Plan


@click.group()
def main() -> None:
    """The learning experiment."""


@main.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for checkpoints and results.")
@click.option("--only", help="One stage, such as sft or full-0.")
def run(out: Path, only: str | None) -> None:
    """Runs all stages that are not done yet."""
    experiment = Experiment(out, Plan(), lambda line: click.echo(line))
    experiment.run(only)


if __name__ == "__main__":
    main()
