"""probe.json in a run's folder: what lm-eval measured of which model, and what it is to be compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rlpa_bench.errors import DataError
from rlpa_bench.runs import read_json, write_json

SCHEMA = "rlpa-bench-probe/1"
FILE = "probe.json"
TERMS = ("metric", "version", "shots", "limit", "engine", "lm_eval")
"""What two results must share to be compared."""


def empty() -> dict[str, Any]:
    """``models``: model -> task -> result; ``stands_for``: candidate -> model, where it is not the run's own;
    ``reference``: the model that retention is relative to, or empty."""
    return {"schema": SCHEMA, "models": {}, "stands_for": {}, "reference": ""}


def read(path: Path) -> dict[str, Any]:
    """What the probes of a run have left; empty if it was never probed. Raises DataError."""
    file = path / FILE
    if not file.exists():
        return empty()
    data = read_json(file)
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise DataError(f"{file} is no result of `rlpa-bench probe` of this version; delete it and probe again")
    return data


def write(path: Path, data: Mapping[str, Any]) -> None:
    write_json(path / FILE, data)


def model_of(data: Mapping[str, Any], candidates: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """The model that was probed for a candidate; empty for a control."""
    return str(data["stands_for"].get(name) or candidates[name]["model"])


def reference_of(data: Mapping[str, Any], candidates: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """What a candidate's retention is relative to: the reference that was named, else the model it was trained from."""
    info = candidates[name]
    own = str(info["model"]) if name in data["stands_for"] else ""
    if info.get("trained_on"):  # ``model`` is the checkpoint, the candidate's name begins with what it came from
        own = name.rpartition(f"/{info['baseline']}")[0]
    return str(data["reference"] or own)


def measured(
    data: Mapping[str, Any], candidates: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any] | None]]:
    """(candidate, task, result, the reference's result on it or None) for every candidate whose model was probed."""
    for name in candidates:
        compared = data["models"].get(reference_of(data, candidates, name), {})
        for task, result in data["models"].get(model_of(data, candidates, name), {}).items():
            yield name, task, result, compared.get(task)


def retention(result: Mapping[str, Any], reference: Mapping[str, Any]) -> tuple[float | None, str]:
    """100 x result / reference, or None and why not."""
    if odd := [term for term in TERMS if result.get(term) != reference.get(term)]:
        return None, f"probed with another {odd[0]} than the reference"
    if not result.get("higher_is_better", True):
        return None, "lower is better on this task"
    if not reference["value"]:
        return None, "the reference got 0"
    return 100.0 * result["value"] / reference["value"], ""
