"""The ten checks of a submission, offline; what passes is recomputed into a result."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rlpa_bench.aio import blocking
from rlpa_bench.errors import DataError, RlpaBenchError
from rlpa_bench.leaderboard import plausible
from rlpa_bench.leaderboard.checks import CHECKS, Findings
from rlpa_bench.leaderboard.copies import NEAR_COPY, copies
from rlpa_bench.leaderboard.package import (
    DIALOGUES,
    SCORES,
    broken_seals,
    manifest_digest,
    misplaced,
    opened,
    unpack,
)
from rlpa_bench.leaderboard.recompute import recompute
from rlpa_bench.leaderboard.record import RunRecord
from rlpa_bench.leaderboard.replay import Replay
from rlpa_bench.leaderboard.schema import Result, Submission
from rlpa_bench.leaderboard.terms import Instruments, check_options, rebuild
from rlpa_bench.runs import Run
from rlpa_bench.transcripts import describe_invalid, read_dialogues, read_scores


@dataclass
class Validation:
    """What validation says of one submission."""

    path: Path
    findings: Findings
    result: Result | None = None
    """Recomputed; None if the submission is refused."""

    @property
    def accepted(self) -> bool:
        return self.result is not None

    @property
    def near_copy(self) -> str:
        """Of whose outputs its own are nearly copies, in words; a matter of the board, so no part of the result."""
        return next((finding.text for finding in self.findings.found if finding.flag == NEAR_COPY), "")

    def record(self) -> dict[str, Any]:
        """As JSON: checks with verdicts, findings with reasons."""
        return {
            "submission": self.path.name,
            "accepted": self.accepted,
            "tier": self.result.tier if self.result else None,
            "board": self.result.board if self.result else None,
            "checks": {name: self.findings.verdict(name) for name in CHECKS},
            "findings": [asdict(finding) for finding in self.findings.found],
        }


@dataclass(frozen=True)
class Setting:
    """What the validating side brings along."""

    options: Sequence[str] = ()
    plugins: Iterable[object] = ()
    board: Mapping[str, Result] = field(default_factory=dict)
    """What stands already, to find copies among."""
    reproduces: str = ""
    """Id of a result that may be equal."""


def validate(
    path: str | PathLike[str],
    *,
    options: Sequence[str] = (),
    plugins: Iterable[object] = (),
    board: Mapping[str, Result] | None = None,
    reproduces: str = "",
) -> Validation:
    """Checks one submission, a folder or a zip archive of it. Builds no model and contacts nobody.

    Args:
        options: ``KIND.option=value`` for what the suite needs here, such as the files of a private split.
        board: results already on the leaderboard, by id, to find copies among.
        reproduces: id of a result that this submission plays again; equal transcripts are then no copy.

    What is wrong with a submission is among the findings; only an unknown option raises (UsageError).
    """
    check_options(options, plugins := tuple(plugins))
    given = Path(path)
    checked = Validation(given, Findings())
    setting = Setting(options, plugins, board or {}, reproduces)
    try:
        with opened(given) as folder, TemporaryDirectory(prefix="rlpa-validate-") as scratch:
            try:
                _check(checked, folder, Path(scratch), setting)
            except RlpaBenchError as error:
                checked.findings.fail(_stage(checked.findings), str(error).replace(f"{scratch}/", ""))
    except RlpaBenchError as error:
        checked.findings.fail("files", str(error))
    if checked.findings.failed:
        checked.result = None
    return checked


def _stage(findings: Findings) -> str:
    """The check during which something broke: the first that is not done."""
    return next(name for name in CHECKS if name not in findings.done)


def _check(checked: Validation, folder: Path, scratch: Path, setting: Setting) -> None:
    findings = checked.findings
    for name, problems in (("files", misplaced), ("digests", broken_seals)):
        for problem in problems(folder):
            findings.fail(name, problem)
        findings.done.add(name)
        if findings.failed:
            return
    submission, run, record = unpacked(folder, scratch)
    findings.done.add("schema")
    for line in plausible.agrees(submission, run, record.created):
        findings.fail("plausible", f"submission.json and run.json differ: {line}; prepare the submission again")
    evaluate(checked, submission, run, manifest_digest(folder), setting)


def evaluate(checked: Validation, submission: Submission, run: Run, manifest: str, setting: Setting) -> None:
    """The checks from ``terms`` on, of an unpacked run; its scores.jsonl is replaced by the scores that count."""
    findings = checked.findings
    instruments = rebuild(run, findings, setting.options, setting.plugins)
    if instruments is None or findings.failed:
        return
    findings.done.add("terms")
    replay = Replay(run, instruments, findings)
    blocking(lambda: _carried_out(replay, instruments))
    if {"complete", "replay", "judges"} <= findings.done:
        checked.result = recompute(submission, run, replay, manifest)
    if checked.result is not None:  # the result itself is the same whatever else stands on a board
        copies(checked.result, setting.board.values(), setting.reproduces, findings)


async def _carried_out(replay: Replay, instruments: Instruments) -> None:
    try:
        await replay.carry_out()
    finally:
        await instruments.harness.aclose()


def unpacked(folder: Path, scratch: Path) -> tuple[Submission, Run, RunRecord]:
    """Unpacks into a run, without its cases, and reads every line by its type. Raises DataError."""
    try:
        submission = Submission.model_validate_json((folder / "submission.json").read_bytes())
    except ValueError as error:
        raise DataError(f"submission.json: {describe_invalid(error)}; correct that field") from None
    for name in (DIALOGUES, SCORES):
        if (folder / f"{name}.xz").exists():
            unpack(folder / f"{name}.xz", scratch / name)
        else:
            (scratch / name).touch()
    (scratch / "run.json").write_bytes((folder / "run.json").read_bytes())
    try:
        run = Run(scratch)
        record = RunRecord.model_validate(run.info)
        _ = run.judges
    except ValueError as error:
        raise DataError(f"run.json: {describe_invalid(error)}; prepare the submission again") from None
    if set(record.plan.candidates) != set(record.candidates):
        raise DataError("run.json: plan and candidates name different systems; prepare the submission again")
    deque(read_dialogues(scratch / DIALOGUES), maxlen=0)
    deque(read_scores(scratch / SCORES), maxlen=0)
    return submission, run, record
