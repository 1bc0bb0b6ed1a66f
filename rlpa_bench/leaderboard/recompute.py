"""From a submission whose transcripts hold to its result: metrics, scans, claims, tier and flags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rlpa_bench.errors import DataError
from rlpa_bench.interfaces import Metric, Record
from rlpa_bench.leaderboard import plausible
from rlpa_bench.leaderboard.bands import Bands
from rlpa_bench.leaderboard.checks import CHECKS, Findings
from rlpa_bench.leaderboard.content import Scan
from rlpa_bench.leaderboard.excerpts import Excerpts
from rlpa_bench.leaderboard.key import board_id, board_key
from rlpa_bench.leaderboard.plausible import Usage
from rlpa_bench.leaderboard.quoting import Quotes
from rlpa_bench.leaderboard.replay import Replay
from rlpa_bench.leaderboard.schema import Cost, Key, Result, Submission
from rlpa_bench.runs import Run
from rlpa_bench.summary import MISSING_MARK, summarise


class Watch:
    """Everything that is gathered in the one pass over the dialogues."""

    def __init__(self, run: Run, replay: Replay, metrics: Sequence[Metric]) -> None:
        instruments = replay.instruments
        self.run = run
        self.planned = instruments.plan.planned(instruments.plan.candidates[0])
        self.scan = Scan(replay.verdicts.others, instruments.harness.context.ontology)
        self.quotes = Quotes(instruments.plan.cases if instruments.harness.suite.unpublishable else ())
        self.excerpts = Excerpts(run.judges, self.planned)
        self.bands = Bands(metrics, run.judges)
        self.usage = Usage()

    def records(self) -> Iterator[Record]:
        """The run's records, looked at on their way."""
        for record in self.run.records():
            self.scan.add(record.dialogue, record.case)
            self.quotes.add(record)
            self.excerpts.offer(record)
            self.bands.add(record)
            self.usage.add(record.dialogue)
            yield record


def recompute(submission: Submission, run: Run, replay: Replay, manifest: str) -> Result | None:
    """Makes the checks ``scores``, ``content`` and ``plausible``; the result, if nothing failed."""
    findings, instruments = replay.findings, replay.instruments
    name = instruments.plan.candidates[0]
    metrics = instruments.harness.metrics()
    watch = Watch(run, replay, metrics)
    row = summarise(watch.records(), metrics, run.judges).get(name, {})
    key = board_key(run, instruments.plan, instruments.harness.options)
    plausible.claims(submission, row, findings)
    findings.done.add("scores")
    watch.quotes.report(findings)
    watch.scan.report(findings, submission.system.grants)
    findings.done.add("content")
    watch.usage.check(submission, findings)
    plausible.counts(submission, watch.usage.played, watch.planned, findings)
    findings.done.add("plausible")
    columns = tuple(asdict(column) for metric in metrics for column in metric.columns(run.judges))
    for column in columns:
        column.pop("curve")
    headline = headline_of(columns)["name"]
    _missing(row.get(headline), findings)
    return None if findings.failed else _result(submission, run, replay, manifest, key, columns, row, watch)


def _result(
    submission: Submission,
    run: Run,
    replay: Replay,
    manifest: str,
    key: Key,
    columns: tuple[dict[str, Any], ...],
    row: Mapping[str, dict[str, Any]],
    watch: Watch,
) -> Result:
    plan, findings = replay.instruments.plan, replay.findings
    headline = headline_of(columns)["name"]
    return Result(
        id=submission.id,
        board=board_id(key),
        key=key,
        manifest=manifest,
        submission=submission,
        tier=_tier(run, replay),
        flags=(*_disclosed(submission), *findings.flags),
        checks={check: findings.verdict(check) for check in CHECKS},
        columns=columns,
        row={name: _cell(cell, keep=name == headline) for name, cell in row.items()},
        bands=watch.bands.reduced(),
        clusters={case.id: case.cluster for case in plan.cases if plan.plays(plan.candidates[0], case)},
        cost=Cost(**{**watch.usage.played.cost.model_dump(), "judge": submission.cost.judge}),
        usage=watch.usage.means(),
        fingerprints=watch.scan.fingerprints,
        excerpts=watch.excerpts.kept(),
    )


def _cell(cell: Mapping[str, Any], *, keep: bool) -> dict[str, Any]:
    """A cell; values by case only of the headline, on which rows are compared."""
    return {name: value for name, value in cell.items() if keep or name != "cases"}


def headline_of(columns: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The column that orders a board: the first headline column that is a mean. Raises DataError if there is none."""
    for column in columns:
        if column["headline"] and not column["curve_of"]:
            return column
    raise DataError("the judges and metrics of this run give no headline column; judge it with one that does")


def _missing(cell: Mapping[str, Any] | None, findings: Findings) -> None:
    """Flags a row whose failures could have chosen themselves: what is missing is not in the mean."""
    if cell is None or cell["planned"] - cell["scored"] > MISSING_MARK * cell["planned"]:
        findings.flag("complete", "incomplete", "more than 1 % of the headline column's planned units are missing")


def _tier(run: Run, replay: Replay) -> Any:
    """T3 for a control that wrote every word again, T2 where every verdict was made again, else T1."""
    judged = not replay.verdicts.varying
    if judged and replay.asks and replay.exact and replay.instruments.control is not None:
        return "T3"
    return "T2" if judged else "T1"


def _disclosed(submission: Submission) -> Iterator[str]:
    """Flags that the submission itself gives."""
    training = submission.system.training
    for name in ("simulator", "judge", "profiles"):
        if getattr(training, name):
            yield f"trained-on-{name}"
    if training.zero_shot is None and submission.system.method != "control":
        yield "training-unknown"
    yield from submission.system.grants
