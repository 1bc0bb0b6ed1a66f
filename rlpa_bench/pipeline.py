"""The whole flow: build, play and judge, sort, summarise, report."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from shutil import copyfile
from typing import Any

from rlpa_bench.build import Candidate, Harness, OptionTree, parse_options
from rlpa_bench.cache import CallCache, cache_dir
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import RunDirectoryError, UsageError
from rlpa_bench.interfaces import Component, JudgeInfo
from rlpa_bench.plan import Plan, refuse_doubled, with_turns
from rlpa_bench.plugins import Plugins
from rlpa_bench.runner.batch import Batch, RunStoppedError, Tally
from rlpa_bench.runs import Run, check_identity, finalise, locked, write_json
from rlpa_bench.scoring import OTHER, other_case, score_dialogue
from rlpa_bench.summary import summarise
from rlpa_bench.transcripts import SCHEMA, Log, LogIndex, dumps, read_scores, replacing, score_order
from rlpa_bench.types import Case, Dialogue, Score

DEFAULT_MODEL = "smollm2"
DEFAULT_LIMIT = 10
"""Cases for the embedded default model, when neither a model nor a limit is named: not for ranking."""


@dataclass(frozen=True)
class Request:
    """What was asked for; the content of run.json's ``config``."""

    suite: str
    models: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    simulator: str = "agenda"
    judges: tuple[str, ...] = ("rules", "profile")
    controls: bool = True
    turns: int | None = None
    limit: int | None = None
    seeds: int = 1
    repeats: int = 1
    options: OptionTree = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """How a run is carried out; never part of what it measures."""

    max_connections: int | None = None
    max_retries: int = 5
    max_cost: float | None = None
    retry_errors: bool = False
    cache: bool = True
    shard: tuple[int, int] = (0, 1)


@dataclass
class Live:
    """What a progress display may look at while a run goes on."""

    path: Path
    tally: Tally
    counters: Any
    plan: Plan


def run(
    suite: str = "aloe",
    *,
    model: str | Sequence[str] = (),
    baseline: str | Sequence[str] = (),
    simulator: str = "agenda",
    judge: str | Sequence[str] = ("rules", "profile"),
    controls: bool = True,
    turns: int | None = None,
    limit: int | None = None,
    seeds: int = 1,
    repeats: int = 1,
    options: Sequence[str] | OptionTree = (),
    out: str | Path | None = None,
    plugins: Iterable[object] = (),
    watch: Callable[[Live], None] | None = None,
    max_connections: int | None = None,
    max_retries: int = 5,
    max_cost: float | None = None,
    retry_errors: bool = False,
    cache: bool = True,
    shard: tuple[int, int] = (0, 1),
) -> Run:
    """Plays, judges and summarises one suite with one or more candidates on the same cases.

    Args:
        model, baseline: every model is combined with every baseline (default ``base``); controls may be named as
            baselines too. With neither, the embedded default model runs on 10 cases.
        controls: whether all model-free controls are added.
        turns: turns per dialogue, if not the suite's own number.
        limit: cases to play, a stratified sample.
        seeds: dialogues per candidate and case; repeats: verdicts per turn of judges that are not deterministic.
        options: ``KIND.option=value`` or ``KIND.NAME.option=value`` texts, or the tree they make.
        out: the run's directory; if it holds the same run, that run is resumed.
        plugins: further plugin modules or objects, besides the installed ones.
        watch: called once with a view on the live counts.
        shard: (index, count): plays only this worker's part; ``merge_runs`` joins the parts.

    Raises:
        RlpaBenchError: one sentence saying what is wrong and how to mend it; finished turns stay on disk.
    """
    request = Request(
        suite, _names(model), _names(baseline), simulator, _names(judge), controls, turns, limit, seeds, repeats,
        parse_options(options) if not isinstance(options, Mapping) else options,
    )  # fmt: skip
    limits = Limits(max_connections, max_retries, max_cost, retry_errors, cache, shard)
    _check(request, limits)
    path = Path(out) if out else Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{suite.partition(':')[0]}"
    with locked(path):
        return _blocking(Flow(request, limits, path, Plugins(plugins), watch).run)


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else tuple(value)


def _check(request: Request, limits: Limits) -> None:
    for flag, number in (("limit", request.limit), ("seeds", request.seeds), ("repeats", request.repeats)):
        if number is not None and number < 1:
            raise UsageError(f"--{flag} {number} is not possible; it is 1 or more")
    if limits.max_retries < 0 or (limits.max_connections or 1) < 1:
        raise UsageError("--max-retries is 0 or more and --max-connections 1 or more")
    index, of = limits.shard
    if not 0 <= index < of:
        raise UsageError(f"shard {limits.shard} is not (index, count) with 0 <= index < count")


def _blocking(flow: Callable[[], Any]) -> Run:
    """Runs the flow to its end, also where an event loop already runs (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _unwrapped(flow)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_unwrapped, flow).result()


def _unwrapped(flow: Callable[[], Any]) -> Run:
    """The workers' first error instead of the group that the event loop makes of them."""
    try:
        run: Run = asyncio.run(flow())
        return run
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


class Flow:
    """One run from names to files."""

    def __init__(
        self,
        request: Request,
        limits: Limits,
        path: Path,
        plugins: Plugins,
        watch: Callable[[Live], None] | None = None,
    ) -> None:
        self.request = request
        self.limits = limits
        self.path = path
        self.watch = watch
        self.harness = Harness(
            request.suite,
            plugins=plugins,
            options=request.options,
            cache=CallCache(cache_dir() / "calls.sqlite") if limits.cache else None,
            max_retries=limits.max_retries,
            max_connections=limits.max_connections,
        )

    async def run(self) -> Run:
        """See :func:`run`."""
        try:
            env = self.harness.environment(self.request.simulator, self.request.judges)
            candidates = self._candidates()
            plan = self._plan(candidates)
            metrics = self.harness.metrics()
            self.harness.check_options()
            for endpoint in list(self.harness.context.endpoints.values()):
                await endpoint.start()
            info = self._info(env, candidates, plan)
            self._prepare(plan, info)
            tally = await self._play(env, candidates, plan)
        finally:
            await self.harness.context.aclose()
        info |= finalise(self.path, plan)
        info["counts"]["planned"] = tally.planned
        info |= {"failures": tally.failures, "calls": asdict(self.harness.context.counters)}
        info["problems"] = [str(problem) for problem in self.harness.plugins.problems]
        info["calls"].pop("waiting")
        write_json(self.path / "run.json", info)
        return complete(self.path, metrics, self.harness.plugins)

    def _candidates(self) -> dict[str, Candidate]:
        controls = self.harness.controls()
        named = [name for name in self.request.baselines if name in controls]
        baselines = [name for name in self.request.baselines if name not in controls]
        models = self.request.models
        if not models and (baselines or not named):
            models = (DEFAULT_MODEL,)
        if models:
            baselines = baselines or ([] if named else ["base"])
        specs = [f"{model}/{baseline}" for model in models for baseline in baselines]
        specs += named
        specs += [name for name in controls if self.request.controls and name not in named]
        candidates = [self.harness.candidate(spec) for spec in specs]
        refuse_doubled("candidate", [candidate.name for candidate in candidates])
        return {candidate.name: candidate for candidate in candidates}

    def _plan(self, candidates: Mapping[str, Candidate]) -> Plan:
        suite, limit = self.harness.suite, self.request.limit
        cases = suite.cases() if limit is None else suite.sample(limit)
        subsets = {}
        if limit is None and not self.request.models and len(cases) > DEFAULT_LIMIT:
            few = frozenset(case.id for case in suite.sample(DEFAULT_LIMIT))
            subsets = {name: few for name, candidate in candidates.items() if candidate.model}
        return Plan(
            tuple(candidates),
            with_turns(cases, self.request.turns),
            self.request.seeds,
            subsets,
            self.limits.shard,
        )

    def _info(self, env: DialogueEnv, candidates: Mapping[str, Candidate], plan: Plan) -> dict[str, Any]:
        from importlib.metadata import version

        described: dict[str, Component] = {
            f"suites/{self.request.suite}": self.harness.suite,
            f"simulators/{self.request.simulator}": env.simulator,
            **{f"judges/{judge.name}": judge for judge in env.judges},
            **{f"baselines/{c.baseline.name}": c.baseline for c in candidates.values()},
            **{f"models/{spec}": e.model for spec, e in self.harness.context.endpoints.items()},
        }
        contract = env.contract
        identity = {
            "config": asdict(self.request),
            "protocol": self.harness.context.protocol,
            "contract": {"examples": contract.examples, "system": _digest(contract.system.encode())},
            "cases": _digest(b"".join(dumps(case) for case in plan.cases)),
            "components": {name: dict(component.describe()) for name, component in described.items()},
            "options": self.harness.used_options(),
            "plugins": self._plugin_versions(described),
        }
        return {
            "schema": SCHEMA,
            "version": version("rlpa-bench"),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "identity": _plain(identity),
            "plan": plan.record(),
            "suite": self.request.suite,
            "simulator": self.request.simulator,
            "candidates": {
                name: {
                    "model": candidate.model,
                    "baseline": candidate.baseline.name,
                    "control": not candidate.baseline.needs_model,
                    "grants": sorted(candidate.baseline.grants),
                    "planned": plan.planned(name),
                }
                for name, candidate in candidates.items()
            },
            "judges": [_plain(asdict(JudgeInfo.of(judge))) for judge in env.judges],
            "problems": [str(problem) for problem in self.harness.plugins.problems],
            "python": sys.version.split()[0],
            "git": _git_state(),
        }

    def _plugin_versions(self, described: Iterable[str]) -> dict[str, str]:
        versions = {}
        for name in described:
            kind, _, spec = name.partition("/")
            offer = self.harness.plugins.find(kind, spec.partition(":")[0])
            versions[f"{kind}/{offer.name}"] = f"{offer.distribution} {offer.version}".strip()
        return versions

    def _prepare(self, plan: Plan, info: dict[str, Any]) -> None:
        if (self.path / "run.json").exists():
            check_identity(self.path, info)
            return
        if any(self.path.glob("[!.]*")):
            raise RunDirectoryError(f"{self.path} is not empty and holds no run; choose another --out")
        with replacing(self.path / "cases.jsonl") as file:
            file.writelines(dumps(case) for case in plan.cases)
        write_json(self.path / "run.json", info)

    async def _play(self, env: DialogueEnv, candidates: Mapping[str, Candidate], plan: Plan) -> Tally:
        index = LogIndex(self.path / "log")
        index.drop_torn_tail()
        log = Log(self.path / "log" / f"{self.limits.shard[0]:04d}.jsonl")
        tally = Tally(planned=sum(1 for _ in plan.units()))
        counters = self.harness.context.counters
        score = _scorer(env, plan.cases, self.request.repeats)
        batch = Batch(
            plan, env, candidates, log, score, self.harness.plugins.notify, tally,
            over_budget=lambda: _over_budget(counters.cost, self.limits.max_cost),
            retry_errors=self.limits.retry_errors,
        )  # fmt: skip
        if self.watch:
            self.watch(Live(self.path, tally, counters, plan))
        self.harness.plugins.notify("run_start", run=Run(self.path).info)
        try:
            await batch.run(index, workers=self.limits.max_connections or 16)
        except RunStoppedError:
            raise
        finally:
            log.close()
        return tally


def _over_budget(cost: float, limit: float | None) -> str:
    if limit is None or cost < limit:
        return ""
    return f"--max-cost {limit} is spent ({cost:.2f} US dollars); resume with a higher one"


def _scorer(env: DialogueEnv, cases: Sequence[Case], repeats: int) -> Callable[[Dialogue], Any]:
    by_id = {case.id: case for case in cases}
    others = {case.id: other_case(case, cases) for case in cases}

    async def score(dialogue: Dialogue) -> list[Score]:
        case, other = by_id[dialogue.case], others[dialogue.case]
        return [s async for s in score_dialogue(dialogue, case, env.judges, repeats=repeats, other=other)]

    return score


def complete(path: Path, metrics: Sequence[Any], plugins: Plugins) -> Run:
    """Writes what is derived from transcripts and scores: summary, table and report."""
    from rlpa_bench.report import write_report

    run = Run(path)
    summary = summarise(run.records(), metrics, run.judges)
    columns = [asdict(column) for metric in metrics for column in metric.columns(run.judges)]
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
    return run


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
        names, times = _names(judge) or tuple(run.judges), repeats or run.info["identity"]["config"]["repeats"]
        return _blocking(lambda: _rescore(run, names, times, cache, options, plugins))


async def _rescore(
    run: Run, names: Sequence[str], repeats: int, cache: bool, options: Sequence[str], plugins: Iterable[object]
) -> Run:
    store = CallCache(cache_dir() / "calls.sqlite") if cache else None
    harness = Harness(
        "", protocol=_protocol(run), options=_judge_options(run, options), cache=store, plugins=Plugins(plugins)
    )
    judges = harness.judges(names)
    harness.check_options(parse_options(options))
    cases = tuple(run.cases.values())
    others = {case.id: other_case(case, cases) for case in cases}
    fresh = {judge.name for judge in judges} | {judge.name + OTHER for judge in judges}
    old_scores = read_scores(run.path / "scores.jsonl") if (run.path / "scores.jsonl").exists() else iter(())
    try:
        with replacing(run.path / "scores.jsonl") as file:
            group = next(old_scores, None)
            for dialogue in run.dialogues():
                case = run.cases[dialogue.case]
                kept = []
                if group and (group[0]["candidate"], group[0]["case"], group[0]["seed"]) == (
                    dialogue.candidate, dialogue.case, dialogue.seed,
                ):  # fmt: skip
                    kept = [score for score in group if score["judge"] not in fresh]
                    group = next(old_scores, None)
                scored = score_dialogue(dialogue, case, judges, repeats=repeats, other=others[case.id])
                kept += [asdict(score) async for score in scored]
                file.writelines(dumps(score) for score in sorted(kept, key=score_order))
    finally:
        await harness.context.aclose()
    infos = {name: asdict(info) for name, info in run.judges.items()}
    infos |= {judge.name: asdict(JudgeInfo.of(judge)) for judge in judges}
    described = {f"judges/{judge.name}": dict(judge.describe()) for judge in judges}
    info = {**run.info, "judges": _plain(list(infos.values()))}
    info["rescored"] = [*info.get("rescored", []), {"judges": list(names), "components": _plain(described)}]
    write_json(run.path / "run.json", info)
    return complete(run.path, harness.metrics(), harness.plugins)


def _judge_options(run: Run, texts: Sequence[str]) -> OptionTree:
    """The run's own options for its judges and models, under the ones given now."""
    recorded = run.info["identity"]["config"]["options"]
    merged = {
        kind: {name: dict(values) for name, values in recorded.get(kind, {}).items()} for kind in ("judges", "models")
    }
    for kind, names in parse_options(texts).items():
        for name, values in names.items():
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


def finish_merge(parts: Sequence[Run], out: Path) -> Run:
    """See :func:`rlpa_bench.merge_runs`."""
    shards = sorted(tuple(part.info["plan"]["shard"]) for part in parts)
    if shards != [(i, len(parts)) for i in range(len(parts))]:
        raise RunDirectoryError(f"shards {shards} do not make a whole; give every (index, count) of one run once")
    first = parts[0]
    info = {**first.info, "plan": {**first.info["plan"], "shard": [0, 1]}}
    for part in parts[1:]:
        check_identity(part.path, {**info, "plan": part.info["plan"]})
    plan = Plan.restore(info["plan"], tuple(first.cases.values()))
    with locked(out):
        if (out / "run.json").exists():
            raise RunDirectoryError(f"{out} already holds a run; choose another folder")
        copyfile(first.path / "cases.jsonl", out / "cases.jsonl")
        info |= finalise(out, plan, [part.path / "log" for part in parts])
        counts = info["counts"] | {"planned": plan.size}
        if missing := plan.size - counts["played"] - counts["failed"]:
            raise RunDirectoryError(f"{missing} dialogues are missing; resume the shards that hold them")
        write_json(out / "run.json", {**info, "counts": counts})
        harness = Harness("", protocol=_protocol(first))
        return complete(out, harness.metrics(), harness.plugins)


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def _plain(value: Any) -> Any:
    """The value as it will be read back from JSON."""
    import orjson

    return orjson.loads(orjson.dumps(value))


def _git_state() -> dict[str, Any] | None:
    """Commit and dirtiness of the working directory, or None outside a repository."""
    with suppress(OSError, subprocess.SubprocessError):
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
        status = subprocess.run(
            ["git", "status", "--porcelain"], capture_output=True, text=True, timeout=10, check=True
        )
        return {"commit": commit.stdout.strip(), "dirty": bool(status.stdout.strip())}
    return None
