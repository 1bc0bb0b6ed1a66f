"""Loggers of runs: Weights & Biases, MLflow, OpenTelemetry. Off unless ``RLPA_BENCH_LOGGERS`` names them.

``RLPA_BENCH_LOGGERS=wandb,mlflow`` (in the environment or in ``.env``) switches loggers on; where they write to is
said with the tools' own variables, which each module names. They send configuration, counts, usage and results, never
what was said, unless a module says how to ask for it. Each is a plugin of its own, so that none waits for another.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rlpa_bench.hookspecs import hookimpl
from rlpa_bench.plugins import installed

if TYPE_CHECKING:
    from rlpa_bench.types import Dialogue, Turn
    from rlpa_bench_plugins.observers.loggers import Logger

VARIABLE = "RLPA_BENCH_LOGGERS"
PACKAGES = {"wandb": "wandb", "mlflow": "mlflow", "otel": "opentelemetry.sdk"}
"""Logger -> package it needs. The extra, the module and the entry point ``bundled_to_…`` have the logger's name."""


def wanted() -> list[str]:
    """The loggers that the environment names."""
    return [name for name in map(str.strip, os.environ.get(VARIABLE, "").split(",")) if name]


class Logging:
    """The hooks of one logger; without any, and so free of cost, while nobody asks for it."""

    def __init__(self, name: str, cls: str) -> None:
        self.name = name
        self._cls = cls
        self._here = threading.local()  # a run's hooks are called in a thread of their own

    def __dir__(self) -> Iterable[str]:  # where pluggy looks for hooks
        return [name for name in dir(type(self)) if name.startswith("rlpa_bench_")] if self._usable() else []

    def _usable(self) -> bool:
        return self.name in wanted() and not _trouble(self.name)

    @hookimpl
    def rlpa_bench_run_start(self, run: Mapping[str, Any]) -> None:
        logger = getattr(import_module(f"rlpa_bench_plugins.observers.{self.name}"), self._cls)()
        logger.start(run)
        self._here.logger = logger

    @hookimpl
    def rlpa_bench_turn_end(self, candidate: str, case: str, seed: int, turn: Turn) -> None:
        if logger := self._logger:
            logger.turn(candidate, case, seed, turn)

    @hookimpl
    def rlpa_bench_dialogue_end(self, dialogue: Dialogue) -> None:
        if logger := self._logger:
            logger.dialogue(dialogue)

    @hookimpl
    def rlpa_bench_run_end(self, summary: Mapping[str, Any]) -> None:
        if logger := self._logger:
            logger.end(summary)

    @hookimpl
    def rlpa_bench_run_stop(self) -> None:
        if logger := self._logger:
            logger.end(None)

    @property
    def _logger(self) -> Logger | None:
        """None where it could not start, which has been said."""
        return getattr(self._here, "logger", None)


def _trouble(name: str) -> str:
    if name not in PACKAGES:
        return f"unknown logger {name!r} in {VARIABLE}; there are {', '.join(PACKAGES)}"
    if not installed(PACKAGES[name]):
        return f"logger {name!r} needs {PACKAGES[name]}: pip install 'rlpa-bench[{name}]'"
    return ""


to_wandb = Logging("wandb", "WandbLogger")
to_mlflow = Logging("mlflow", "MlflowLogger")
to_otel = Logging("otel", "OtelLogger")


@hookimpl
def rlpa_bench_run_start() -> None:
    """Says which of the loggers asked for cannot be had: at once, and among the problems of the run."""
    if said := "; ".join(filter(None, map(_trouble, wanted()))):
        from rlpa_bench.errors import PluginError

        print(f"rlpa-bench: {said}", file=sys.stderr)
        raise PluginError(said)
