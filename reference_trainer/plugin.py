"""What the trainer adds to rlpa-bench: nothing is imported until it is used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rlpa_bench.hookspecs import hookimpl

if TYPE_CHECKING:
    import click

    from rlpa_bench.interfaces import Judge


@hookimpl
def rlpa_bench_judges() -> Iterable[type[Judge]]:
    from reference_trainer.released import ReleasedF1Judge, ReleasedF1MatchedJudge

    return [ReleasedF1Judge, ReleasedF1MatchedJudge]


@hookimpl
def rlpa_bench_commands(group: click.Group) -> None:
    from reference_trainer.cli import command

    group.add_command(command)
