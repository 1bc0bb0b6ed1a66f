"""A leaderboard on disk: submissions, what was recomputed of them, and an append-only history that decides.

history.jsonl            one event a line, each with the digest of the line before
submissions/ID/          as submitted
results/ID.json.xz       recomputed; results/ID@BOARD.json.xz after judging again
"""

from __future__ import annotations

import lzma
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

from rlpa_bench.errors import DataError, UsageError
from rlpa_bench.leaderboard.copies import NEAR_COPY
from rlpa_bench.leaderboard.package import FILES, MANIFEST, manifest_digest, opened, pack
from rlpa_bench.leaderboard.schema import FLAGS, Entry, Result
from rlpa_bench.leaderboard.validate import Validation, validate
from rlpa_bench.transcripts import describe_invalid, dumps

_Checked = tuple[Validation | None, str]
"""A submission validated anew, and what is wrong with it."""


@dataclass(frozen=True)
class Standing:
    """A result as the history leaves it."""

    result: Result
    tier: Any
    flags: tuple[str, ...]

    @property
    def withdrawn(self) -> bool:
        return "withdrawn" in self.flags


def now() -> datetime:
    """The time of a new entry: SOURCE_DATE_EPOCH where it is set, so that equal work gives equal bytes."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return datetime.now(UTC).replace(microsecond=0)
    if not epoch.isdigit():
        raise UsageError(f"SOURCE_DATE_EPOCH is {epoch!r}; give seconds since 1970, or unset it")
    return datetime.fromtimestamp(int(epoch), UTC)


class Store:
    """A leaderboard's folder. Raises DataError where history and files disagree."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @property
    def _history(self) -> Path:
        return self.path / "history.jsonl"

    def history(self) -> list[Entry]:
        """All entries, the chain of their digests checked."""
        entries: list[Entry] = []
        before = ""
        for number, line in enumerate(self._lines(), 1):
            try:
                entry = Entry.model_validate_json(line)
            except ValueError as error:
                raise DataError(f"{self._history} line {number}: {describe_invalid(error)}; restore the file") from None
            if entry.number != number or entry.previous != before:
                raise DataError(f"{self._history} line {number} does not follow the line before; restore the file")
            before = sha256(line).hexdigest()
            entries.append(entry)
        return entries

    def _lines(self) -> list[bytes]:
        return self._history.read_bytes().splitlines(keepends=True) if self._history.exists() else []

    def append(self, event: Any, name: str, **more: Any) -> Entry:
        """Adds a line to the history. Raises UsageError for fields that do not fit."""
        entries, lines = self.history(), self._lines()
        before = sha256(lines[-1]).hexdigest() if lines else ""
        try:
            entry = Entry(number=len(entries) + 1, time=now(), event=event, id=name, previous=before, **more)
        except ValueError as error:
            raise UsageError(f"{event} {name}: {describe_invalid(error)}") from None
        with self._history.open("ab") as file:
            file.write(dumps(entry.model_dump(mode="json")))
            file.flush()
            os.fsync(file.fileno())
        return entry

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keeps other processes from changing the leaderboard meanwhile."""
        import fcntl

        self.path.mkdir(parents=True, exist_ok=True)
        with self._history.open("ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def standing(self) -> list[Standing]:
        """All results, withdrawn ones included, in the order of their inclusion."""
        out: dict[tuple[str, str], Standing] = {}
        entries = self.history()
        booked = {(entry.id, entry.board): entry.result for entry in entries if entry.result}
        for entry in entries:
            if entry.event in ("include", "rescore"):
                result = self._result(entry, booked.get((entry.id, entry.board), ""))
                more = ("rescored",) if entry.event == "rescore" else ()
                out[entry.id, entry.board] = Standing(result, entry.tier or result.tier, (*result.flags, *more))
            elif entry.event != "recompute":
                for key in out:
                    if key[0] == entry.id and entry.board in ("", key[1]):
                        out[key] = _marked(out[key], entry)
        return list(out.values())

    def _result(self, entry: Entry, booked: str) -> Result:
        """The result of an inclusion or a rescoring, which has to be the one booked last."""
        path = self._result_path(entry.id, entry.board if entry.event == "rescore" else "")
        try:
            result = Result.model_validate_json(lzma.decompress(path.read_bytes()))
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}; restore it") from None
        except (ValueError, lzma.LZMAError) as error:
            what = describe_invalid(error) if isinstance(error, ValueError) else str(error)
            raise DataError(f"{path}: {what}; rebuild it with leaderboard verify --write") from None
        if result_digest(result) != booked or (result.manifest, result.board) != (entry.manifest, entry.board):
            raise DataError(
                f"{path} is not the result that the history books for line {entry.number}; restore it, or recompute it "
                "with leaderboard verify --write"
            )
        return result

    def _result_path(self, name: str, board: str = "") -> Path:
        return self.path / "results" / (f"{name}@{board}.json.xz" if board else f"{name}.json.xz")

    def submission(self, name: str) -> Path:
        """The folder of a submission. Raises UsageError, naming near ids."""
        from difflib import get_close_matches

        known = {entry.id for entry in self.history() if entry.event == "include"}
        if name not in known:
            near = get_close_matches(name, known, n=1) or sorted(known)[:1]
            raise UsageError(f"no submission {name!r} here{f'; there is {near[0]}' if near else ''}")
        return self.path / "submissions" / name

    def current(self) -> dict[str, Result]:
        """Results that stand, by id and board, for finding copies."""
        return {f"{s.result.id}@{s.result.board}": s.result for s in self.standing() if not s.withdrawn}

    def add(
        self,
        path: str | os.PathLike[str],
        *,
        options: Sequence[str] = (),
        plugins: Iterable[object] = (),
        reproduces: str = "",
        reason: str = "",
    ) -> Validation:
        """Validates a submission and, if it passes, copies it in and books it.

        Args:
            reproduces: id of a submission that this one plays again; see :mod:`rlpa_bench.leaderboard.reproduce`.

        Raises:
            UsageError: for an id that was used before, a control that already stands, or an unknown ``reproduces``.
        """
        from rlpa_bench.leaderboard.reproduce import reproduced

        plugins = tuple(plugins)
        with opened(Path(path)) as folder, self.changing():
            known = self.current()
            checked = validate(folder, options=options, plugins=plugins, board=known, reproduces=reproduces)
            checked.path = Path(path)
            if checked.result is None:
                return checked
            result = checked.result
            self._refuse_doubled(result, known)
            events = list(reproduced(self._original(reproduces, result), result)) if reproduces else []
            target = self.path / "submissions" / result.id
            rmtree(target, ignore_errors=True)
            copytree(folder, target, ignore=lambda _, names: [name for name in names if name not in FILES])
            self.book("include", result, reason)
            if checked.near_copy:
                events.append(_flag(result, checked.near_copy))
            for event in events:
                self.append(**event)
        return checked

    def _refuse_doubled(self, result: Result, known: dict[str, Result]) -> None:
        if any(entry.id == result.id for entry in self.history()):
            raise UsageError(f"submission {result.id!r} was already added; play the run again for a new one")
        name = result.submission.system.name
        for other in known.values():
            same = other.board == result.board and other.submission.system.name == name
            if same and result.submission.system.method == "control":
                raise UsageError(f"control {name!r} already stands on board {result.board!r} as {other.id!r}")

    def _original(self, name: str, result: Result) -> Result:
        self.submission(name)
        for other in self.current().values():
            if other.id == name and other.board == result.board:
                return other
        raise UsageError(f"{name!r} does not stand on board {result.board!r}, which {result.id!r} belongs to")

    def book(self, event: Any, result: Result, reason: str) -> None:
        """Keeps a result and adds the history's line for it; what another panel gave stands beside the first result."""
        path = self._result_path(result.id, result.board if event == "rescore" else "")
        path.parent.mkdir(parents=True, exist_ok=True)
        pack([dumps(result.model_dump(mode="json"))], path)
        known = {"board": result.board, "manifest": result.manifest, "tier": result.tier}
        self.append(event, result.id, reason=reason, result=result_digest(result), **known)

    def withdraw(self, name: str, reason: str) -> Entry:
        """Takes a submission out of all ranks; its rows stay, marked. Raises UsageError without a reason."""
        return self._mark("withdraw", name, reason)

    def flag(self, name: str, reason: str, flag: str = "flagged") -> Entry:
        """Hangs a flag on a submission's rows. Raises UsageError for a flag that is not known."""
        if flag not in FLAGS:
            raise UsageError(f"unknown flag {flag!r}; there is {', '.join(FLAGS)}")
        return self._mark("flag", name, reason, flags=(flag,))

    def _mark(self, event: Any, name: str, reason: str, **more: Any) -> Entry:
        with self.changing():
            self.submission(name)
            if not reason.strip():
                raise UsageError(f"{event} needs a reason, which the history keeps: --reason TEXT")
            if event == "withdraw" and all(s.withdrawn for s in self.standing() if s.result.id == name):
                raise UsageError(f"{name!r} is withdrawn already")
            return self.append(event, name, reason=reason, **more)

    def verify(
        self,
        *,
        options: Sequence[str] = (),
        plugins: Iterable[object] = (),
        write: bool = False,
        jobs: int = 1,
        tell: Callable[[str], None] | None = None,
    ) -> list[str]:
        """Recomputes every included submission; returns what differs from the results kept here.

        Args:
            jobs: processes among which the submissions are shared out.
            tell: called with a line after each submission.
            write: replaces results that differ, and books that; for a package that describes the same differently.
        """
        plugins, problems = tuple(plugins), []
        entries = self.history()
        booked = {(entry.id, entry.board): entry.result for entry in entries if entry.result}
        included = [entry for entry in entries if entry.event == "include"]
        work = partial(self._recomputed, options=options, plugins=plugins)
        for done, (entry, (checked, problem)) in enumerate(
            zip(included, _shared_out(work, included, jobs), strict=True)
        ):
            result = checked.result if checked else None
            if result is not None:
                same = result_digest(result) == booked[entry.id, entry.board] and self._holds(entry, result)
                if not same and write and result.board == entry.board:
                    self.book("recompute", result, f"verify --write, rlpa-bench {_version()}")
                elif not same:
                    problem = f"{entry.id}: recomputed numbers differ from results/{entry.id}.json.xz"
            problems += [problem] if problem else []
            if tell:
                tell(f"{done + 1}/{len(included)} {entry.id}: {'differs' if problem else 'holds'}")
        return problems

    def _recomputed(self, entry: Entry, *, options: Sequence[str], plugins: tuple[object, ...]) -> _Checked:
        """A submission validated anew, and what is wrong with it."""
        folder = self.path / "submissions" / entry.id
        if not (folder / MANIFEST).is_file() or manifest_digest(folder) != entry.manifest:
            return None, f"{entry.id}: its files are not the ones that were added"
        checked = validate(folder, options=options, plugins=plugins)
        wrong = [finding.text for finding in checked.findings.found if finding.verdict == "fail"]
        return checked, f"{entry.id}: {'; '.join(wrong)}" if wrong else ""

    def _holds(self, entry: Entry, result: Result) -> bool:
        """Whether the kept file is this result."""
        try:
            return self._result(entry, result_digest(result)) == result
        except DataError:
            return False


def result_digest(result: Result) -> str:
    """What the history books of a result."""
    return sha256(dumps(result.model_dump(mode="json"))).hexdigest()


def _marked(one: Standing, entry: Entry) -> Standing:
    gone = ("withdrawn",) if entry.event == "withdraw" else ()
    return replace(one, flags=tuple(dict.fromkeys((*one.flags, *entry.flags, *gone))), tier=entry.tier or one.tier)


def _flag(result: Result, reason: str) -> dict[str, Any]:
    known = {"event": "flag", "name": result.id, "board": result.board}
    return {**known, "flags": (NEAR_COPY,), "reason": reason}


def _version() -> str:
    from importlib.metadata import version

    return version("rlpa-bench")


def _shared_out(work: Callable[[Entry], _Checked], entries: Sequence[Entry], jobs: int) -> Iterator[_Checked]:
    """The results in order; in this process if one is enough."""
    processes = min(jobs, len(entries))
    if processes < 2:
        yield from map(work, entries)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, entries)
