"""MLflow: one parent run per benchmark run, one nested run per candidate.

``pip install 'rlpa-bench[mlflow]'`` and ``RLPA_BENCH_LOGGERS=mlflow``. MLflow's own variables say where to:
``MLFLOW_TRACKING_URI`` (a server, ``sqlite:///FILE``, …; MLflow has a local default) and ``MLFLOW_EXPERIMENT_NAME``
(default ``rlpa-bench``).

Logged: the configuration as parameters of the parent, run.json and summary.json as its artifacts; in each candidate's
run its counts, tokens and cost while it plays, and at the end every column's mean, ``… low`` and ``… high``, with the
turn as the step where a column has a curve. MLflow allows no brackets in names: ``AVG[rules]`` is ``AVG.rules``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from time import monotonic, time
from typing import Any

from rlpa_bench.types import Dialogue
from rlpa_bench_plugins.observers.loggers import Counting, flat, results, title

EVERY = 5.0
"""Seconds between two reports on how far the candidates are."""
BATCH = 100
"""Parameters, and also metrics, sent in one request; MLflow takes up to 100 and 1,000."""
LONGEST = 6000
"""Characters of a parameter that MLflow takes."""


class MlflowLogger(Counting):
    """Writes through an ``MlflowClient``, apart from any run that the caller may have open."""

    def __init__(self) -> None:
        super().__init__()
        from mlflow import MlflowClient

        self._client = MlflowClient()
        self._experiment = ""
        self._parent = ""
        self._runs: dict[str, str] = {}
        self._reported = monotonic()

    def start(self, run: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "rlpa-bench")
        known = self._client.get_experiment_by_name(name)
        self._experiment = known.experiment_id if known else self._client.create_experiment(name)
        self._parent = self._create(title(run), {"rlpa_bench.version": run["version"]})
        params = [Param(_legal(key), str(value)[:LONGEST]) for key, value in flat(run["identity"])]
        for i in range(0, len(params), BATCH):
            self._client.log_batch(self._parent, params=params[i : i + BATCH])
        self._client.log_dict(self._parent, dict(run), "run.json")
        for candidate in run["candidates"]:
            self._runs[candidate] = self._create(candidate, {"mlflow.parentRunId": self._parent})

    def dialogue(self, dialogue: Dialogue) -> None:
        self.count(dialogue.candidate).dialogue(dialogue)
        if monotonic() - self._reported > EVERY:
            self._report()

    def end(self, summary: Mapping[str, Any] | None) -> None:
        self._report()
        if summary is not None:
            self._client.log_dict(self._parent, dict(summary), "summary.json")
            values: dict[str, list[tuple[str, float, int]]] = {}
            for candidate, column, cell in results(summary):
                values.setdefault(candidate, []).extend(_metrics(column, cell))
            for candidate, metrics in values.items():
                self._log(candidate, metrics)
        status = "FINISHED" if summary is not None else "KILLED"
        for run in (*self._runs.values(), self._parent):
            self._client.set_terminated(run, status)

    def _create(self, name: str, tags: Mapping[str, str]) -> str:
        run = self._client.create_run(self._experiment, run_name=name, tags=dict(tags))
        return str(run.info.run_id)

    def _report(self) -> None:
        self._reported = monotonic()
        for candidate, counts in self.counts().items():
            self._log(candidate, [(f"progress/{name}", value, self.dialogues) for name, value in counts.items()])

    def _log(self, candidate: str, values: list[tuple[str, float, int]]) -> None:
        from mlflow.entities import Metric

        now = int(time() * 1000)
        metrics = [Metric(_legal(name), float(value), now, step) for name, value, step in values]
        for i in range(0, len(metrics), BATCH):
            self._client.log_batch(self._runs[candidate], metrics=metrics[i : i + BATCH])


def _metrics(column: str, cell: Mapping[str, Any]) -> Iterator[tuple[str, float, int]]:
    """(name, value, step) of a cell; what is not known is left out."""
    for turn, point in cell.get("by_turn", {}).items():
        yield f"{column} by turn", point["mean"], int(turn)
    for field, name in (("mean", column), ("low", f"{column} low"), ("high", f"{column} high")):
        if cell[field] is not None:
            yield name, cell[field], 0
    yield f"{column} scored", cell["scored"], 0
    yield f"{column} planned", cell["planned"], 0


def _legal(name: str) -> str:
    return re.sub(r"[^\w\-. :/]", "_", name.replace("[", ".").replace("]", "").replace("(", ".").replace(")", ""))
