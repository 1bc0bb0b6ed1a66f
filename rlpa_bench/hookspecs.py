"""Every hook of rlpa-bench. Implementations are marked with ``rlpa_bench.hookimpl``.

A plugin is a module, or an object in one, named by an entry point in the group ``rlpa_bench``. Hooks that offer
components return classes and import them inside the function body, so that listing plugins loads nothing heavy.

Hooks that observe a run can neither change nor stop it, and it waits for none of them: each plugin's are called one
after another in a thread of that run and that plugin, with copies of what happened. What was lost is noted among the
run's problems.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from rlpa_bench.interfaces import Baseline, Judge, Metric, Model, Simulator, Suite
    from rlpa_bench.types import Dialogue, Turn

hookspec = pluggy.HookspecMarker("rlpa_bench")
hookimpl = pluggy.HookimplMarker("rlpa_bench")


@hookspec
def rlpa_bench_suites() -> Iterable[type[Suite]]:
    """Suites offered by this plugin."""
    raise NotImplementedError


@hookspec
def rlpa_bench_simulators() -> Iterable[type[Simulator]]:
    """Simulated users offered by this plugin."""
    raise NotImplementedError


@hookspec
def rlpa_bench_judges() -> Iterable[type[Judge]]:
    """Judges offered by this plugin."""
    raise NotImplementedError


@hookspec
def rlpa_bench_baselines() -> Iterable[type[Baseline]]:
    """Baselines and controls offered by this plugin."""
    raise NotImplementedError


@hookspec
def rlpa_bench_models() -> Iterable[type[Model]]:
    """Models offered by this plugin."""
    raise NotImplementedError


@hookspec
def rlpa_bench_metrics() -> Iterable[type[Metric]]:
    """Metrics offered by this plugin."""
    raise NotImplementedError


@hookspec
def rlpa_bench_commands(group: click.Group) -> None:
    """Adds commands to ``rlpa-bench``. Called at every start: import the command's work when it runs."""


@hookspec
def rlpa_bench_run_start(run: Mapping[str, Any]) -> None:
    """A run begins, or goes on after a break; ``run`` is the content of run.json."""


@hookspec
def rlpa_bench_turn_end(candidate: str, case: str, seed: int, turn: Turn) -> None:
    """A turn was logged."""


@hookspec
def rlpa_bench_dialogue_end(dialogue: Dialogue) -> None:
    """A dialogue finished and was judged."""


@hookspec
def rlpa_bench_run_end(summary: Mapping[str, Any]) -> None:
    """A run is finished, or its results were made again; ``summary`` is the content of summary.json."""


@hookspec
def rlpa_bench_run_stop(reason: str) -> None:
    """A run ended before it was finished: interrupted, over its budget, failing. What it has can be resumed."""
