"""Loggers of runs: Weights & Biases, MLflow, OpenTelemetry. Off unless ``RLPA_BENCH_LOGGERS`` names them.

``RLPA_BENCH_LOGGERS=wandb,mlflow`` (in the environment or in ``.env``) switches loggers on; where they write to is
said with the tools' own variables, which each module names. They send configuration, counts, usage and results, never
what was said, unless a module says how to ask for it. A logger cannot stop, change or slow a run: see
:mod:`rlpa_bench_plugins.observers.relay`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rlpa_bench.hookspecs import hookimpl

if TYPE_CHECKING:
    from rlpa_bench.types import Dialogue, Turn
    from rlpa_bench_plugins.observers.relay import Desk

VARIABLE = "RLPA_BENCH_LOGGERS"

_desk: Desk | None = None


@hookimpl
def rlpa_bench_run_start(run: Mapping[str, Any]) -> None:
    global _desk
    names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    if not names and _desk is None:
        return
    from rlpa_bench.errors import PluginError
    from rlpa_bench_plugins.observers.loggers import logger
    from rlpa_bench_plugins.observers.relay import Desk

    loggers, problems = {}, []
    for name in names:
        try:
            loggers[name] = logger(name)
        except PluginError as error:
            problems.append(str(error))
            print(f"rlpa-bench: {error}", file=sys.stderr)  # now, not when the run is over
    _desk = _desk or Desk()
    _desk.open(run, loggers)
    if problems:
        raise PluginError("; ".join(problems))


@hookimpl
def rlpa_bench_turn_end(candidate: str, case: str, seed: int, turn: Turn) -> None:
    if _desk is not None:
        _desk.put("turn", candidate, case, seed, turn)


@hookimpl
def rlpa_bench_dialogue_end(dialogue: Dialogue) -> None:
    if _desk is not None:
        _desk.put("dialogue", dialogue)


@hookimpl
def rlpa_bench_run_end(summary: Mapping[str, Any]) -> None:
    if _desk is not None:
        _desk.close(summary)
