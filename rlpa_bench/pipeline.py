"""A run: build, play and judge, sort; what follows is in rlpa_bench.recompute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rlpa_bench.aio import blocking, first_of
from rlpa_bench.build import Candidate, Harness, OptionTree, parse_options
from rlpa_bench.cache import CallCache, cache_dir
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import RunDirectoryError
from rlpa_bench.estimate import Expected, estimate
from rlpa_bench.interfaces import JudgeInfo
from rlpa_bench.manifest import manifest
from rlpa_bench.plan import Plan, refuse_doubled, with_turns
from rlpa_bench.plugins import Plugins
from rlpa_bench.preflight import preflight
from rlpa_bench.recompute import complete
from rlpa_bench.request import Limits, Request, check, names
from rlpa_bench.runner.batch import Batch, Pace, ScoreDialogue, Tally
from rlpa_bench.runs import Run, check_identity, finalise, locked, read_json, write_json
from rlpa_bench.scoring import other_case, score_dialogue
from rlpa_bench.summary import columns_of
from rlpa_bench.transcripts import Log, LogIndex, dumps, replacing
from rlpa_bench.types import Case, Dialogue, Score

DEFAULT_MODEL = "smollm2"
DEFAULT_LIMIT = 10
"""Cases for the embedded default model, when neither a model nor a limit is named: not for ranking."""


@dataclass
class Live:
    """What a progress display may look at while a run goes on."""

    path: Path
    tally: Tally
    counters: Any
    plan: Plan
    written_before: int = 0
    """Completion tokens of earlier tries."""


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
    preflight: bool = True,
    stop_after: int = 20,
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
        max_cost: US dollars, earlier tries of the run included, at which it stops, resumable.
        preflight: whether every role is asked once, and every judge tried on a nonsense reply, before the first turn.
        stop_after: how many failures of one kind in a row stop the run.
        shard: (index, count): plays only this worker's part; ``merge_runs`` joins the parts.

    Raises:
        RlpaBenchError: one sentence saying what is wrong and how to mend it; finished turns stay on disk.
    """
    request = request_of(
        suite, model, baseline, simulator, judge, controls, turns, limit, seeds, repeats, options
    )  # fmt: skip
    limits = Limits(max_connections, max_retries, max_cost, retry_errors, cache, preflight, stop_after, shard)
    check(request, limits)
    path = Path(out) if out else Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{suite.partition(':')[0]}"
    with locked(path):
        return blocking(Flow(request, limits, path, Plugins(plugins), watch).run)


def dry_run(
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
    plugins: Iterable[object] = (),
) -> list[Expected]:
    """What the same arguments to :func:`run` would ask of its models; nothing is started, asked or written.

    Raises:
        RlpaBenchError: as :func:`run` does for whatever can be known beforehand.
    """
    request = request_of(
        suite, model, baseline, simulator, judge, controls, turns, limit, seeds, repeats, options
    )  # fmt: skip
    limits = Limits(cache=False)
    check(request, limits)
    return blocking(Flow(request, limits, Path(), Plugins(plugins)).estimate)


def request_of(
    suite: str, model: str | Sequence[str] = (), baseline: str | Sequence[str] = (), simulator: str = "agenda",
    judge: str | Sequence[str] = ("rules", "profile"), controls: bool = True, turns: int | None = None,
    limit: int | None = None, seeds: int = 1, repeats: int = 1, options: Sequence[str] | OptionTree = (),
) -> Request:  # fmt: skip
    """The request that these arguments of :func:`run` make. Raises UsageError for options of another form."""
    tree = parse_options(options) if not isinstance(options, Mapping) else options
    return Request(
        suite, names(model), names(baseline), simulator, names(judge), controls, turns, limit, seeds, repeats, tree
    )


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
            return await self._run()
        except BaseException as error:
            self.harness.plugins.notify("run_stop", reason=str(first_of(error)) or "interrupted")
            raise

    async def _run(self) -> Run:
        try:
            env, candidates, plan = self._build()
            metrics = self.harness.metrics()
            columns_of(metrics, {judge.name: JudgeInfo.of(judge) for judge in env.judges})
            for endpoint in list(self.harness.context.endpoints.values()):
                await endpoint.start()
            info = manifest(self.harness, self.request, env, candidates, plan)
            begun = self._begun(info)
            if not begun:
                rehearse = self.limits.preflight
                info["preflight"] = await preflight(self.harness, env, plan.cases) if rehearse else {"notes": []}
                self._prepare(plan, info)
            else:
                info["preflight"] = Run(self.path).info["preflight"]
            tally = await self._play(env, candidates, plan)
        finally:
            await self.harness.aclose()
        info |= finalise(self.path, plan)
        info["counts"]["planned"] = tally.planned
        info |= {"failures": tally.failures, "calls": self.harness.context.counters.record()}
        info["problems"] = [str(problem) for problem in self.harness.plugins.problems]
        write_json(self.path / "run.json", info)
        return complete(self.path, metrics, self.harness.plugins)

    async def estimate(self) -> list[Expected]:
        """What the run would ask of its models; starts nothing and writes nothing."""
        try:
            env, candidates, plan = self._build()
            return estimate(self.harness, env, candidates, plan, self.request.repeats)
        finally:
            await self.harness.aclose()

    def _build(self) -> tuple[DialogueEnv, dict[str, Candidate], Plan]:
        env = self.harness.environment(self.request.simulator, self.request.judges)
        candidates = self._candidates()
        plan = self._plan(candidates)
        self.harness.check_options()
        return env, candidates, plan

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
        limit = self.request.limit
        cases = self.harness.cases(limit)
        subsets = {}
        if limit is None and not self.request.models and len(cases) > DEFAULT_LIMIT:
            few = frozenset(case.id for case in self.harness.cases(DEFAULT_LIMIT))
            subsets = {name: few for name, candidate in candidates.items() if candidate.model}
        return Plan(
            tuple(candidates),
            with_turns(cases, self.request.turns),
            self.request.seeds,
            subsets,
            self.limits.shard,
        )

    def _begun(self, info: dict[str, Any]) -> bool:
        """Whether the directory holds this very run already. Raises RunDirectoryError if it holds another."""
        if (self.path / "run.json").exists():
            check_identity(self.path, info)
            return True
        return False

    def _prepare(self, plan: Plan, info: dict[str, Any]) -> None:
        if any(self.path.glob("[!.]*")):
            raise RunDirectoryError(f"{self.path} is not empty and holds no run; choose another --out")
        with replacing(self.path / "cases.jsonl") as file:
            file.writelines(dumps(case) for case in plan.cases)
        write_json(self.path / "run.json", info)

    async def _play(self, env: DialogueEnv, candidates: Mapping[str, Candidate], plan: Plan) -> Tally:
        index = LogIndex(self.path / "log")
        index.drop_torn_tail()
        log = Log(self.path / "log" / f"{self.limits.shard[0]:04d}.jsonl")
        tally = Tally()
        for unit in plan.units():
            tally.planned += 1
            tally.left[unit.candidate] += unit.case.turns
        counters = self.harness.context.counters
        booked = self.path / "log" / "calls.json"
        if booked.exists():
            counters.take_up(read_json(booked))
        score = _scorer(env, plan.cases, self.request.repeats)
        batch = Batch(
            plan, env, candidates, log, score, self.harness.plugins.notify, tally,
            over_budget=lambda: _over_budget(counters.cost, self.limits.max_cost),
            retry_errors=self.limits.retry_errors, stop_after=self.limits.stop_after,
        )  # fmt: skip
        if self.watch:
            self.watch(Live(self.path, tally, counters, plan, sum(counters.completion_tokens.values())))
        self.harness.plugins.notify("run_start", run=Run(self.path).info)
        try:
            await batch.run(index, workers=self.limits.max_connections or 16)
        finally:
            log.close()
            write_json(booked, counters.record())
        return tally


def _over_budget(cost: float, limit: float | None) -> str:
    if limit is None or cost < limit:
        return ""
    return f"--max-cost {limit} is spent ({cost:.2f} US dollars); resume with a higher one"


def _scorer(env: DialogueEnv, cases: Sequence[Case], repeats: int) -> ScoreDialogue:
    by_id = {case.id: case for case in cases}
    others = {case.id: other_case(case, cases) for case in cases}

    async def score(dialogue: Dialogue, pace: Pace) -> list[Score]:
        case, other = by_id[dialogue.case], others[dialogue.case]
        scores = score_dialogue(dialogue, case, env.judges, repeats=repeats, other=other, pace=pace)
        return [score async for score in scores]

    return score
