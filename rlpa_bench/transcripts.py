"""The files of a run: the per-turn log while it runs, and the sorted transcripts when it is complete.

A log line is one of ``{"unit", "turn", "next", "ended"}`` (a finished turn), ``{"unit", "failed", "turns"}`` (a
dialogue that could not go on after so many turns) and ``{"unit", "scores", "turns"}`` (a dialogue of so many turns
that was judged). ``unit`` numbers (candidate, case, seed) in the order of the plan, so that logs of any number of
workers merge by sorting.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import IO, Any

from rlpa_bench.errors import DataError
from rlpa_bench.redaction import redacted_bytes
from rlpa_bench.types import Case, Dialogue, Score, Turn, Utterance

SCHEMA = "rlpa-bench/1"
"""Version of the files; rises when their shape changes."""

FAILED = (1 << 16) - 1
SCORED = FAILED - 1
CLOCKS = ("seconds", "cached")
_SCORE_FIELDS = tuple(field.name for field in fields(Score))
_SCORE_VALUES = attrgetter(*_SCORE_FIELDS)


@cache
def adapter(kind: Any) -> Any:
    """Validates and serialises one of our types; also gives its JSON Schema."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def dumps(value: Any) -> bytes:
    """One JSON line, keys sorted, numbers as orjson writes them (shortest that round-trips)."""
    import orjson

    return redacted_bytes(orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))


def plain(value: Any) -> Any:
    """The value as it will be read back from JSON."""
    import orjson

    return orjson.loads(orjson.dumps(value))


def is_json(value: Any) -> bool:
    """Whether a log can hold the value."""
    try:
        dumps(value)
    except TypeError:
        return False
    return True


def read_lines(path: Path) -> Iterator[Any]:
    """The values of a JSONL file. Raises DataError naming file and line."""
    import orjson

    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield orjson.loads(line)
                except ValueError as error:
                    raise DataError(f"{path} line {number} is not JSON ({error}); restore the file") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check the path and its permissions") from None


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of ``path`` only when it is complete."""
    part = path.with_name(path.name + ".part")
    with part.open("wb", buffering=1 << 20) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


class Log:
    """Appends lines of one worker; each is handed to the system at once, so that a kill loses none."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def turn(self, unit: int, turn: Turn, upcoming: Utterance | None, ended: str, seconds: float) -> None:
        self._write({"unit": unit, "turn": turn, "next": upcoming, "ended": ended, "seconds": seconds})

    def failed(self, unit: int, reason: str, turns: int) -> None:
        self._write({"unit": unit, "failed": reason, "turns": turns})

    def scores(self, unit: int, scores: list[Score], turns: int) -> None:
        self._write({"unit": unit, "scores": scores, "turns": turns})

    def _write(self, line: Mapping[str, Any]) -> None:
        rest = memoryview(dumps(line))
        while rest:  # a full disk takes part of a line before it refuses
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        self._file.close()


class LogIndex:
    """Where every log line is: 24 bytes a line, whatever the run's size."""

    def __init__(self, *folders: Path) -> None:
        self.paths = [path for folder in folders for path in sorted(folder.glob("*.jsonl"))]
        self._rank = array("Q")
        self._place = array("Q")
        self.torn = 0
        for number, path in enumerate(self.paths):
            self._scan(number, path)

    def _scan(self, number: int, path: Path) -> None:
        import orjson

        offset = 0
        with path.open("rb") as file:
            for line in file:
                try:
                    value = orjson.loads(line)
                    if not line.endswith(b"\n"):
                        raise ValueError
                except ValueError:
                    self.torn += 1  # a kill in the middle of a line; the call behind it is repeated
                else:
                    self._rank.append(value["unit"] << 16 | _rank(value))
                    self._place.append(offset << 12 | number)
                offset += len(line)

    def drop_torn_tail(self) -> None:
        """Cuts an unfinished last line off every log file, so that appending continues on a line of its own."""
        for path in self.paths:
            drop_torn_tail(path)

    def units(self) -> Iterator[tuple[int, list[Any]]]:
        """Each unit's lines in order (turns, then failure, then scores), units ascending."""
        if not len(self._rank):
            return
        import numpy as np
        import orjson

        rank = np.frombuffer(self._rank, dtype=np.uint64)
        order = np.argsort(rank, kind="stable")
        files = [path.open("rb") for path in self.paths]
        try:
            unit = -1
            lines: list[Any] = []
            for i in order:
                this = int(rank[i]) >> 16
                if this != unit:
                    if lines:
                        yield unit, lines
                    unit, lines = this, []
                place = self._place[int(i)]
                file = files[place & 0xFFF]
                file.seek(place >> 12)
                lines.append(orjson.loads(file.readline()))
            yield unit, lines
        finally:
            for file in files:
                file.close()


def _rank(line: Mapping[str, Any]) -> int:
    if "turn" in line:
        index: int = line["turn"]["index"]
        return index
    return SCORED if "scores" in line else FAILED


def drop_torn_tail(path: Path) -> None:
    """Cuts an unfinished last line off a file."""
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        kept = size
        while kept and not _ends_line(file, kept):
            kept -= 1
        if kept < size:
            file.truncate(kept)


def _ends_line(file: IO[bytes], end: int) -> bool:
    file.seek(end - 1)
    return file.read(1) == b"\n"


class Progress:
    """What the log says of one unit: its turns so far and whether it has failed, finished, been judged.

    Turns behind a lost one do not count; neither do failures and scores of another number of turns than there are.
    """

    def __init__(self, lines: Iterable[dict[str, Any]]) -> None:
        by_index: dict[int, dict[str, Any]] = {}
        others = []
        for line in lines:
            if "turn" in line:
                by_index[line["turn"]["index"]] = line
            else:
                others.append(line)
        self.lines: list[dict[str, Any]] = []
        while line := by_index.get(len(self.lines) + 1, {}):
            self.lines.append(line)
        judged = [line["scores"] for line in others if "scores" in line and line["turns"] == len(self.lines)]
        self.scores: list[Any] | None = judged[-1] if judged else None
        failed = [line for line in others if "failed" in line]
        self.failures = [str(line["failed"]) for line in failed]
        self._failed_here = bool(failed) and failed[-1]["turns"] == len(self.lines)

    @property
    def ended(self) -> str:
        """Why the dialogue ended; a failure counts only if no later try got past it."""
        if self.lines and self.lines[-1]["ended"]:
            return str(self.lines[-1]["ended"])
        return f"error: {self.failures[-1]}" if self._failed_here else ""

    @property
    def turns(self) -> tuple[Turn, ...]:
        return tuple(adapter(Turn).validate_python(line["turn"]) for line in self.lines)

    @property
    def upcoming(self) -> Utterance | None:
        value = self.lines[-1]["next"] if self.lines else None
        return None if value is None else adapter(Utterance).validate_python(value)


def split_clocks(line: dict[str, Any]) -> dict[str, Any]:
    """Takes the clocks out of a logged turn, in place, and returns them as a timings record."""
    turn = line["turn"]
    calls = [*turn["user"]["calls"], *turn["output"]["calls"]]
    clocks = [{"role": call["role"], **{name: call.pop(name) for name in CLOCKS}} for call in calls]
    return {"turn": turn["index"], "seconds": line["seconds"], "calls": clocks}


def score_order(score: Mapping[str, Any]) -> tuple[Any, ...]:
    """The order of a dialogue's score records in scores.jsonl; whole-dialogue scores come last."""
    turn = score["turn"]
    return (turn is None, turn or 0, score["judge"], score["part"], score["repeat"], score["other"] or "")


def score_record(score: Score) -> dict[str, Any]:
    """A score as a line of scores.jsonl has it; flat, and ten times as fast as ``dataclasses.asdict``."""
    return dict(zip(_SCORE_FIELDS, _SCORE_VALUES(score), strict=True))


def describe_invalid(error: ValueError) -> str:
    """The first complaint of a pydantic validation, in one phrase."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def load_cases(path: Path) -> dict[str, Case]:
    """The cases of a run, by id."""
    return {case.id: case for case in _records(path, Case)}


def read_dialogues(path: Path) -> Iterator[Dialogue]:
    """The dialogues of a run, one at a time. Raises DataError."""
    yield from _records(path, Dialogue)


def _records(path: Path, kind: Any) -> Iterator[Any]:
    """Each line as a ``kind``."""
    validate: Callable[[Any], Any] = adapter(kind).validate_python
    for number, value in enumerate(read_lines(path), 1):
        try:
            record = validate(value)
        except ValueError as error:
            raise DataError(f"{path} line {number}: {describe_invalid(error)}; restore the file") from None
        yield record


def read_scores(path: Path) -> Iterator[list[Score]]:
    """The scores of a run, one list per dialogue, in file order. Raises DataError."""
    for _, group in groupby(_records(path, Score), key=lambda score: (score.candidate, score.case, score.seed)):
        yield list(group)
