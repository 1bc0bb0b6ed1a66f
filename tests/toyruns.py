"""Small whole runs of the toys, and what two runs are compared by."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from toys import Counter, Plain, Plugin, ToyJudge, ToyModel, ToySimulator, ToySuite

import rlpa_bench
from rlpa_bench.interfaces import Baseline, Judge, Model, Simulator, Suite

FILES = ("dialogues.jsonl", "scores.jsonl", "summary.json")
"""Equal work gives equal bytes of these."""

TERMS: dict[str, Any] = {
    "suite": "toy", "model": "toy", "baseline": "plain,counter", "simulator": "toy", "judge": "asks", "seeds": 2,
    "controls": False, "cache": False, "preflight": False,
}  # fmt: skip
"""Two candidates x six cases x two seeds x five turns: 24 dialogues, 120 turns."""

KIT = (ToySuite, ToySimulator, ToyJudge, ToyModel, Plain, Counter)


def play(out: Path, *more: type[Any], watchers: Sequence[object] = (), **terms: Any) -> rlpa_bench.Run:
    """A toy run; each of ``more`` takes the place of the toy of its kind and name, or is offered besides."""
    taken = {(kind(component), component.name) for component in more}
    kit = [toy for toy in KIT if (kind(toy), toy.name) not in taken]
    return rlpa_bench.run(**{**TERMS, **terms}, plugins=[Plugin(*kit, *more), *watchers], out=out)


def kind(component: type[Any]) -> type[Any]:
    return next(base for base in (Suite, Simulator, Judge, Baseline, Model) if issubclass(component, base))


def files(path: Path) -> dict[str, bytes]:
    """The bytes that have to be equal, by file name."""
    return {name: (path / name).read_bytes() for name in FILES}


def unfinished(run: Path, out: Path, size: int | None = None) -> Path:
    """A copy of a run as it was when its log had ``size`` bytes."""
    (out / "log").mkdir(parents=True)
    for name in ("run.json", "cases.jsonl"):
        shutil.copy(run / name, out / name)
    info = json.loads((out / "run.json").read_bytes())
    for late in ("counts", "failures", "calls", "latency"):
        info.pop(late, None)
    (out / "run.json").write_text(json.dumps(info))
    for log in (run / "log").glob("*.jsonl"):
        (out / "log" / log.name).write_bytes(log.read_bytes()[:size])
    return out


def log_lines(run: Path) -> Iterator[dict[str, Any]]:
    """Every whole line of a run's log."""
    for path in sorted((run / "log").glob("*.jsonl")):
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield json.loads(line)


def lines_of(path: Path, **wanted: object) -> list[bytes]:
    """The lines of a JSONL file whose records have these values."""
    rows = [(line, json.loads(line)) for line in path.read_bytes().splitlines()]
    return [line for line, record in rows if all(record[name] == value for name, value in wanted.items())]
