"""A run's directory: locked while it runs, resumed only by its own configuration, read by everybody."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlpa_bench.errors import DataError, RunDirectoryError
from rlpa_bench.interfaces import JudgeInfo, Record
from rlpa_bench.redaction import redacted_bytes
from rlpa_bench.summary import records
from rlpa_bench.transcripts import (
    SCHEMA,
    LogIndex,
    Progress,
    adapter,
    dumps,
    load_cases,
    read_dialogues,
    read_scores,
    replacing,
    score_order,
    split_clocks,
)
from rlpa_bench.types import Case, Dialogue, Score

if TYPE_CHECKING:
    import pandas as pd

    from rlpa_bench.plan import Plan


class Run:
    """A finished (or interrupted) run on disk.

    Raises:
        RunDirectoryError: if the directory holds no run of this version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.info = read_info(self.path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @cached_property
    def cases(self) -> dict[str, Case]:
        return load_cases(self.path / "cases.jsonl")

    @property
    def judges(self) -> dict[str, JudgeInfo]:
        infos: list[JudgeInfo] = adapter(list[JudgeInfo]).validate_python(self.info["judges"])
        return {info.name: info for info in infos}

    @property
    def unpublishable(self) -> str:
        """Why the run's cases and transcripts must not be published; empty if they may.

        A run from before suites said so must not if its cases hold texts.
        """
        from rlpa_bench.people.journal import withheld

        if refused := withheld(self.path):
            return refused
        said = self.info.get("unpublishable")
        if said is None and any(case.text for case in self.cases.values()):
            return "its cases hold persona texts, and the run does not say whether they may be published"
        return said or ""

    @property
    def summary(self) -> dict[str, Any]:
        """The content of summary.json."""
        return dict(read_json(self.path / "summary.json"))

    def dialogues(self) -> Iterator[Dialogue]:
        """The transcripts, one at a time."""
        return read_dialogues(self.path / "dialogues.jsonl")

    def scores(self) -> Iterator[Score]:
        """The scores, one at a time."""
        for group in read_scores(self.path / "scores.jsonl"):
            yield from group

    def records(self) -> Iterator[Record]:
        """Dialogues with their cases and scores, as metrics see them."""
        return records(self.dialogues(), read_scores(self.path / "scores.jsonl"), self.cases)

    def table(self) -> pd.DataFrame:
        """One row per candidate; per column the mean, and ``… low``, ``… high``, ``… n`` beside it."""
        from rlpa_bench.report.table import frame

        return frame(self.summary)


def load_run(path: str | os.PathLike[str]) -> Run:
    """The run in a directory. Raises RunDirectoryError."""
    return Run(path)


def read_json(path: Path) -> Any:
    """A JSON file. Raises DataError."""
    import orjson

    try:
        return orjson.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check the path and its permissions") from None
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); restore the file") from None


def write_json(path: Path, value: Any) -> None:
    import orjson

    with replacing(path) as file:
        form = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        file.write(redacted_bytes(orjson.dumps(value, option=form)))


def read_info(path: Path) -> dict[str, Any]:
    """The content of run.json. Raises RunDirectoryError."""
    if not (path / "run.json").is_file():
        raise RunDirectoryError(f"{path} holds no run (there is no run.json); name the folder that `run` wrote")
    try:
        info = read_json(path / "run.json")
    except DataError as error:
        raise RunDirectoryError(str(error)) from None
    schema = info.get("schema") if isinstance(info, dict) else None
    if schema != SCHEMA:
        raise RunDirectoryError(
            f"{path} was written in format {schema!r}, this version reads {SCHEMA!r}; start a new run"
        )
    return dict(info)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a run directory for this process alone. Raises RunDirectoryError if another one has it."""
    import fcntl

    try:
        path.mkdir(parents=True, exist_ok=True)
        handle = (path / ".lock").open("w")
    except OSError as error:
        raise RunDirectoryError(f"cannot write to {path}: {error.strerror}; choose another --out") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunDirectoryError(
                f"{path} is in use by another process; wait for it or choose another --out"
            ) from None
        try:
            yield
        finally:
            if {entry.name for entry in path.iterdir()} == {".lock"}:  # nothing began: leave no trace
                (path / ".lock").unlink()
                path.rmdir()


def check_identity(path: Path, info: Mapping[str, Any]) -> None:
    """Refuses to resume a run under another configuration.

    Raises:
        RunDirectoryError: naming the first differences.
    """
    old = read_info(path)
    parts = ("identity", "plan")
    if differences := [line for part in parts for line in differing(old[part], info[part])]:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise RunDirectoryError(
            f"{path} was started with another configuration: {'; '.join(differences[:3])}{more}; "
            "resume with the old one or choose another --out"
        )


def differing(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """The places where two JSON values differ, in words."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from differing(old.get(key), new.get(key), f"{where}.{key}" if where else str(key))
    elif old != new:
        yield f"{where} was {_short(old)}, now {_short(new)}"


def _short(value: Any) -> str:
    text = "unset" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def finalise(path: Path, plan: Plan, logs: Sequence[Path] = ()) -> dict[str, Any]:
    """Writes dialogues.jsonl, scores.jsonl and timings.jsonl from the log, in plan order, each at once.

    Dialogues that have not ended or are not judged yet are left out. Returns, for run.json, the ``counts`` of
    dialogues played, failed and retried, and the ``latency`` of each candidate's turns in seconds.
    """
    counts = {"played": 0, "failed": 0, "retried": 0}
    seconds: dict[str, array[float]] = {}
    with (
        replacing(path / "dialogues.jsonl") as dialogues,
        replacing(path / "scores.jsonl") as scores,
        replacing(path / "timings.jsonl") as timings,
    ):
        for number, lines in LogIndex(*(logs or [path / "log"])).units():
            progress = Progress(lines)
            if not progress.ended or progress.scores is None:
                continue
            unit = plan.unit(number)
            name = {"candidate": unit.candidate, "case": unit.case.id, "seed": unit.seed}
            clocks = [split_clocks(line) for line in progress.lines]
            seconds.setdefault(unit.candidate, array("d")).extend(clock["seconds"] for clock in clocks)
            turns = [line["turn"] for line in progress.lines]
            ended = progress.ended
            dialogues.write(dumps({**name, "turns": turns, "planned": unit.case.turns, "ended": ended}))
            scores.writelines(dumps(score) for score in sorted(progress.scores, key=score_order))
            timings.writelines(dumps({**name, **clock}) for clock in clocks)
            counts["failed" if ended.startswith("error") else "played"] += 1
            counts["retried"] += max(0, len(progress.failures) - ended.startswith("error"))
    return {"counts": counts, "latency": {name: _latency(values) for name, values in seconds.items()}}


def _latency(seconds: Sequence[float]) -> dict[str, float | None]:
    ordered = sorted(seconds)
    if not ordered:
        return {"median": None, "p95": None}
    return {"median": ordered[len(ordered) // 2], "p95": ordered[int(len(ordered) * 0.95)]}
