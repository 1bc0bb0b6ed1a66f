"""Weights & Biases: one W&B run per benchmark run.

``pip install 'rlpa-bench[wandb]'`` and ``RLPA_BENCH_LOGGERS=wandb``. W&B's own variables say where to:
``WANDB_PROJECT`` (default ``rlpa-bench``), ``WANDB_ENTITY``, ``WANDB_MODE=offline``, ``WANDB_DIR``, ``WANDB_BASE_URL``,
``WANDB_API_KEY``. It never asks for a key: without one and online it does not start.

Logged: run.json as the configuration; counts, tokens and cost of every candidate, a step per dialogue; at the end each
column's mean in the summary, and the tables ``results`` (means, intervals, counts) and ``curves`` (means by turn).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from rlpa_bench.types import Dialogue
from rlpa_bench_plugins.observers.loggers import Counting, results, title


class WandbLogger(Counting):
    """Writes to one ``wandb.Run``."""

    def __init__(self) -> None:
        super().__init__()
        import wandb

        self._wandb = wandb
        self._run: Any = None

    def start(self, run: Mapping[str, Any]) -> None:
        if os.environ.get("WANDB_MODE", "online") == "online" and not self._wandb.login(prompt=False):
            raise LookupError("set WANDB_API_KEY, or WANDB_MODE=offline")
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", "rlpa-bench"),
            name=title(run),
            job_type="benchmark",
            config=dict(run),
            settings=self._wandb.Settings(console="off", silent=True),
        )

    def dialogue(self, dialogue: Dialogue) -> None:
        self.count(dialogue.candidate).dialogue(dialogue)
        values = {f"{candidate}/{name}": value for candidate, counts in self.counts().items()
                  for name, value in counts.items()}  # fmt: skip
        self._run.log(values, step=self.dialogues)

    def end(self, summary: Mapping[str, Any] | None) -> None:
        if summary is not None:
            self._results(summary)
        self._run.finish(exit_code=0 if summary is not None else 1)

    def _results(self, summary: Mapping[str, Any]) -> None:
        fields = ("mean", "low", "high", "scored", "planned")
        table = self._wandb.Table(columns=["candidate", "column", *fields])
        curves = self._wandb.Table(columns=["candidate", "column", "turn", "mean", "n"])
        for candidate, column, cell in results(summary):
            table.add_data(candidate, column, *(cell[field] for field in fields))
            if cell["mean"] is not None:
                self._run.summary[f"{candidate}/{column}"] = cell["mean"]
            for turn, point in cell.get("by_turn", {}).items():
                curves.add_data(candidate, column, int(turn), point["mean"], point["n"])
        self._run.log({"results": table, "curves": curves})
