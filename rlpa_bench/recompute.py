"""Everything that can be had again from a run's transcripts: scores, summary, tables, page, merged shards."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from shutil import copyfile
from typing import Any

from rlpa_bench.aio import blocking
from rlpa_bench.build import Harness, OptionTree, parse_options
from rlpa_bench.cache import CallCache, cache_dir
from rlpa_bench.errors import DataError, PluginError, RunDirectoryError
from rlpa_bench.guard import guarding
from rlpa_bench.interfaces import Judge, JudgeInfo, Metric
from rlpa_bench.manifest import described_as
from rlpa_bench.plan import Plan
from rlpa_bench.plugins import Plugins
from rlpa_bench.request import names
from rlpa_bench.runs import Run, check_identity, finalise, locked, write_json
from rlpa_bench.scoring import OTHER, other_case, score_dialogue
from rlpa_bench.summary import columns_of, joined, summarise
from rlpa_bench.transcripts import SCHEMA, dumps, plain, read_scores, replacing, score_order, score_record
from rlpa_bench.types import Dialogue, Score

AT_ONCE = 16
"""Dialogues that are judged again at the same time."""


def complete(path: Path, metrics: Sequence[Metric], plugins: Plugins) -> Run:
    """Writes what is derived from transcripts and scores: summary, table and report."""
    from rlpa_bench.report import write_report

    run = Run(path)
    failed = _unread(path, metrics)
    metrics = [metric for metric in metrics if metric.name not in failed]
    summary = summarise(run.records(), metrics, run.judges, failed)
    live = [metric for metric in metrics if metric.name not in failed]
    filled = {name for row in summary.values() for name in row}
    columns = [asdict(column) for name, (column, _) in columns_of(live, run.judges).items() if name in filled]
    if failed:
        run = _left_out(run, failed, plugins)
    for column in columns:
        column.pop("curve")
    order = [name for name in run.info["plan"]["candidates"] if name in summary]
    write_json(
        path / "summary.json",
        {
            "schema": SCHEMA,
            "columns": columns,
            "order": order,
            "rows": {name: summary[name] for name in order},
        },
    )
    write_report(run)
    plugins.notify("run_end", summary=run.summary)
    return _noted(run, plugins)


def _unread(path: Path, metrics: Sequence[Metric]) -> dict[str, str]:
    """Lets the metrics look into the run's folder; those that fail at it, and why."""
    failed = {}
    for metric in metrics:
        try:
            with guarding(f"metric {metric.name!r}"):
                metric.read_run(path)
        except (PluginError, DataError) as error:
            failed[metric.name] = str(error)
    return failed


def _left_out(run: Run, failed: Mapping[str, str], plugins: Plugins) -> Run:
    for name, why in failed.items():
        plugins.report(plugins.find("metrics", name), f"its columns are left out: {why}")
    return _noted(run, plugins)


def _noted(run: Run, plugins: Plugins) -> Run:
    """Writes what plugins did wrong meanwhile into run.json."""
    known = run.info.get("problems", [])
    noted = [str(problem) for problem in plugins.problems if not problem.skipped]
    problems = list(dict.fromkeys([*known, *noted]))
    if problems == known:
        return run
    write_json(run.path / "run.json", {**run.info, "problems": problems})
    return Run(run.path)


def rescore(
    path: Path,
    *,
    judge: str = "",
    repeats: int | None = None,
    cache: bool = True,
    options: Sequence[str] = (),
    plugins: Iterable[object] = (),
) -> Run:
    """Judges recorded transcripts again; scores of other judges stay. Starts no candidate and asks no user.

    Args:
        judge: names of judges, comma-separated; by default the run's own.
        repeats: verdicts per turn of judges that are not deterministic; by default as many as the run's.

    Raises:
        RlpaBenchError: as :func:`run` does; the old scores stay until all new ones are there.
    """
    run = Run(path)
    with locked(path):
        chosen, times = names(judge) or tuple(run.judges), repeats or run.info["identity"]["config"]["repeats"]
        return blocking(lambda: _rescore(run, chosen, times, cache, options, plugins))


async def _rescore(
    run: Run, names: Sequence[str], repeats: int, cache: bool, options: Sequence[str], plugins: Iterable[object]
) -> Run:
    store = CallCache(cache_dir() / "calls.sqlite") if cache else None
    harness = Harness(
        "", protocol=_protocol(run), options=_judge_options(run, options), cache=store, plugins=Plugins(plugins)
    )
    judges = harness.judges(names)
    harness.check_options(parse_options(options))
    try:
        await _write_scores(run, judges, repeats)
    finally:
        await harness.aclose()
    infos = {name: asdict(info) for name, info in run.judges.items()}
    infos |= {judge.name: asdict(JudgeInfo.of(judge)) for judge in judges}
    described = {f"judges/{judge.name}": described_as(judge.name, judge) for judge in judges}
    info = {**run.info, "judges": plain(list(infos.values()))}
    info["rescored"] = [*info.get("rescored", []), {"judges": list(names), "components": plain(described)}]
    write_json(run.path / "run.json", info)
    return complete(run.path, harness.metrics(), harness.plugins)


async def _write_scores(run: Run, judges: Sequence[Judge], repeats: int) -> None:
    """Replaces the scores of these judges, dialogue by dialogue; those of others stay where they are."""
    cases = tuple(run.cases.values())
    others = {case.id: other_case(case, cases) for case in cases}
    fresh = {judge.name for judge in judges} | {judge.name + OTHER for judge in judges}
    path = run.path / "scores.jsonl"
    old = read_scores(path) if path.exists() else iter(())

    async def judged(dialogue: Dialogue, kept: list[Score]) -> list[dict[str, Any]]:
        case, other = run.cases[dialogue.case], others[dialogue.case]
        scored = score_dialogue(dialogue, case, judges, repeats=repeats, other=other)
        return sorted(map(score_record, [*kept, *[score async for score in scored]]), key=score_order)

    waiting: deque[asyncio.Task[list[dict[str, Any]]]] = deque()
    with replacing(path) as file:
        async with asyncio.TaskGroup() as group:
            for dialogue, there in joined(run.dialogues(), old):
                kept = [score for score in there if score.judge not in fresh]
                waiting.append(group.create_task(judged(dialogue, kept)))
                if len(waiting) == AT_ONCE:
                    file.writelines(map(dumps, await waiting.popleft()))
            for task in waiting:
                file.writelines(map(dumps, await task))


def _judge_options(run: Run, texts: Sequence[str]) -> OptionTree:
    """The run's own options for its judges and models, under the ones given now."""
    recorded = run.info["identity"]["config"]["options"]
    merged = {
        kind: {name: dict(values) for name, values in recorded.get(kind, {}).items()} for kind in ("judges", "models")
    }
    for kind, by_name in parse_options(texts).items():
        for name, values in by_name.items():
            merged.setdefault(kind, {}).setdefault(name, {}).update(values)
    return merged


def _protocol(run: Run) -> str:
    return str(run.info["identity"]["protocol"])


def rebuild(path: Path) -> Run:
    """Summary, tables and page of a run from its transcripts and scores, or from its log while it goes on."""
    run = Run(path)
    if "counts" not in run.info:
        finalise(path, Plan.restore(run.info["plan"], tuple(run.cases.values())))
    harness = Harness("", protocol=_protocol(run))
    return complete(path, harness.metrics(), harness.plugins)


def merge_runs(parts: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> Run:
    """One run from the shards that several workers played of it (``run(..., shard=(i, n))``).

    Raises:
        RunDirectoryError: if the parts are not shards of one configuration, or some dialogue is missing.
    """
    runs, path = [Run(part) for part in parts], Path(out)
    shards = sorted(tuple(run.info["plan"]["shard"]) for run in runs)
    if not runs or shards != [(i, len(runs)) for i in range(len(runs))]:
        raise RunDirectoryError(f"shards {shards} do not make a whole; give every (index, count) of one run once")
    info = {**runs[0].info, "plan": {**runs[0].info["plan"], "shard": [0, 1]}}
    for run in runs[1:]:
        check_identity(run.path, {**info, "plan": run.info["plan"]})
    plan = Plan.restore(info["plan"], tuple(runs[0].cases.values()))
    with locked(path):
        if (path / "run.json").exists():
            raise RunDirectoryError(f"{path} already holds a run; choose another folder")
        copyfile(runs[0].path / "cases.jsonl", path / "cases.jsonl")
        info |= finalise(path, plan, [run.path / "log" for run in runs])
        counts = info["counts"] | {"planned": plan.size}
        if missing := plan.size - counts["played"] - counts["failed"]:
            raise RunDirectoryError(f"{missing} dialogues are missing; resume the shards that hold them")
        write_json(path / "run.json", {**info, "counts": counts})
        harness = Harness("", protocol=_protocol(runs[0]))
        return complete(path, harness.metrics(), harness.plugins)
