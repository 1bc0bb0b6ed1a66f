"""Rows in the formats of other registries: Hugging Face ``.eval_results`` YAML and Every Eval Ever JSON.

Hugging Face shows a result whose ``dataset.id`` is a registered benchmark of the Hub
(https://huggingface.co/docs/hub/eval-results); Every Eval Ever is schema 0.3.0 of
https://github.com/evaleval/every_eval_ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rlpa_bench.leaderboard.schema import Board, Row

EEE = "0.3.0"


def hugging_face(board: Board, row: Row, dataset: str, page: str = "") -> str:
    """The file for ``.eval_results/`` of a model's repository: one entry, the headline.

    Args:
        dataset: the Hub's id of the benchmark data set; page: where the board can be read.
    """
    cell = row.row[board.headline]
    interval = f", 95 % interval {cell['low']:.2f} to {cell['high']:.2f}" if cell["low"] is not None else ""
    notes = (
        f"{board.headline} of {row.system.name}{interval}; {row.profiles} profiles, {row.cases} cases; simulator "
        f"{board.key.simulator}, judges {', '.join(board.key.judges)}; tier {row.tier}"
    )
    lines = [
        "- dataset:",
        f"    id: {json.dumps(dataset)}",
        f"    task_id: {json.dumps(board.key.protocol.replace('/', '-'))}",
        f"  value: {cell['mean']!r}",
        f"  date: {json.dumps(row.created.date().isoformat())}",
    ]
    if page:
        lines += ["  source:", f"    url: {json.dumps(page)}", '    name: "rlpa-bench leaderboard"']
    return "\n".join([*lines, f"  notes: {json.dumps(notes)}", ""])


def every_eval_ever(board: Board, row: Row, version: str) -> dict[str, Any]:
    """One record: all headline columns of a row, with their intervals."""
    system, created = row.system, row.created.timestamp()
    model = system.model.partition(":")[2] or system.model or system.name
    details = {
        "deployment_type": "unknown",
        "model_availability": "unknown",
        "baseline": system.baseline,
        "weights": json.dumps(system.weights, sort_keys=True),
    }
    return {
        "schema_version": EEE,
        "evaluation_id": f"{board.id}/{system.name}/{created:.0f}",
        "evaluation_timestamp": f"{created:.0f}",
        "retrieved_timestamp": f"{created:.0f}",
        "source_metadata": {
            "source_name": "rlpa-bench leaderboard",
            "source_type": "evaluation_run",
            "source_organization_name": row.submitter,
            "evaluator_relationship": "other",
            "additional_details": {"tier": row.tier, "flags": ", ".join(row.flags), "manifest": row.manifest},
        },
        "eval_library": {"name": "rlpa-bench", "version": version},
        "model_info": {"name": system.name, "id": model, "additional_details": details},
        "evaluation_results": list(_results(board, row)),
    }


def _results(board: Board, row: Row) -> Iterator[dict[str, Any]]:
    terms = _terms(board)
    for column in board.columns:
        cell = row.row.get(column["name"])
        if not column["headline"] or cell is None or cell["mean"] is None:
            continue
        yield {
            "evaluation_result_id": f"{row.id}/{column['name']}",
            "evaluation_name": f"{board.key.suite}: {column['name']}",
            "source_data": {
                "dataset_name": board.key.suite,
                "source_type": "other",
                "additional_details": terms,
            },
            "metric_config": _metric(column),
            "score_details": {"score": cell["mean"], "uncertainty": _uncertainty(cell)},
            "generation_config": {"additional_details": {k: json.dumps(v) for k, v in row.system.decoding.items()}},
        }


def _terms(board: Board) -> dict[str, str]:
    key = board.key
    return {
        "protocol": key.protocol, "split": key.split, "simulator": key.simulator, "judges": ", ".join(key.judges),
        "terms": key.terms,
    }  # fmt: skip


def _metric(column: Mapping[str, Any]) -> dict[str, Any]:
    metric = {
        "evaluation_description": column["help"] or column["name"],
        "metric_id": f"rlpa-bench.{column['name']}",
        "lower_is_better": column["better"] == "lower",
    }
    if column["low"] is not None and column["high"] is not None:
        metric |= {"score_type": "continuous", "min_score": column["low"], "max_score": column["high"]}
    return metric


def _uncertainty(cell: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"num_samples": cell["clusters"]}
    if cell["low"] is not None:
        method = "t interval over profile means (jackknife over profiles for slopes)"
        ends = {"lower": cell["low"], "upper": cell["high"], "confidence_level": 0.95, "method": method}
        found["confidence_interval"] = ends
    return found
