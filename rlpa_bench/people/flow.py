"""A run whose users are people: the ordinary runner with one worker a place, waiting for whoever takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import cast

from rlpa_bench.build import Candidate
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import UsageError
from rlpa_bench.interfaces import Baseline
from rlpa_bench.people.forgetting import ForgettingLog, withdraw_from_files
from rlpa_bench.people.journal import FILE, Journal
from rlpa_bench.people.study import Place, Study
from rlpa_bench.pipeline import Flow
from rlpa_bench.plan import Plan, Unit
from rlpa_bench.plugins import Plugins
from rlpa_bench.request import Limits, Request
from rlpa_bench.runner.batch import Batch, Pace, RunStoppedError, ScoreDialogue, Tally, Turnstile
from rlpa_bench.runs import Run, write_json
from rlpa_bench.scoring import other_case, score_dialogue
from rlpa_bench.transcripts import LogIndex, Progress, dumps, replacing
from rlpa_bench.types import Dialogue, Output, Score, State, Turn, View

SIMULATOR = "human"
CONSENT = "consent.txt"
"""The text that the people of a run agreed to, in its folder."""
GONE = "simulator: gone: nobody came, or whoever did went away before the end"
Front = Callable[[Study], AbstractAsyncContextManager[asyncio.Event]]
"""What people see of a study while it lasts; the event is set when nobody is to be waited for after the run."""

Workers = dict[tuple[str, int], asyncio.Task[None]]
"""Who plays a place, by case and seed."""

_unit: ContextVar[Unit] = ContextVar("unit")
"""The dialogue that a worker plays."""


class Remembering:
    """A candidate's baseline, whose replies are written down before they are shown and never asked for twice."""

    def __init__(self, baseline: Baseline, study: Study) -> None:
        self._baseline = baseline
        self._study = study
        self.name = baseline.name
        self.grants = baseline.grants
        self.unhurried = baseline.unhurried

    async def respond(self, view: View) -> Output:
        unit = _unit.get()
        known = self._study.reply_of(unit, view.turn)
        if known is not None:
            return known
        return self._study.keep_reply(unit, view.turn, await self._baseline.respond(view))


@dataclass
class PeopleBatch(Batch):
    """One worker a place, which plays the place's dialogues one after another in their drawn order."""

    study: Study = field(kw_only=True)
    workers: Workers = field(default_factory=dict, kw_only=True)

    async def run(self, index: LogIndex, workers: int = 0) -> None:
        """See :class:`Batch`; there are as many workers as places."""
        done, begun = self._known(index)
        turnstile = Turnstile()
        async with asyncio.TaskGroup() as group:
            for key, place in self.study.places.items():
                units = iter([talk.unit for talk in place.talks if talk.unit.number not in done])
                self.workers[key] = group.create_task(self._work(units, begun, group, turnstile))

    async def _dialogue(self, unit: Unit, progress: Progress | None) -> Dialogue:
        _unit.set(unit)
        await self.study.turn_of(unit)
        dialogue = await super()._dialogue(replace(unit, case=self.study.case(unit.case.id, unit.seed)), progress)
        self.study.end(unit, dialogue)
        await self.study.looked_at(unit)
        return dialogue

    async def _play(self, unit: Unit, state: State | None, turns: list[Turn]) -> str:
        if self.study.closed:
            self.log.failed(unit.number, GONE, len(turns))
            return f"error: {GONE}"
        return await super()._play(unit, state, turns)


@dataclass(frozen=True)
class Terms:
    """What people agree to, and how the study is held."""

    consent: str
    own: bool = False
    """Whether they play themselves."""
    closed: bool = False
    """Whether nobody is waited for: what is not finished has failed, and the run is complete."""


class StudyPausedError(RunStoppedError):
    """Nobody is there any more, and the run is not complete."""


class PeopleFlow(Flow):
    """A run (see :func:`rlpa_bench.pipeline.run`) with people as its users, who see it through ``front``."""

    def __init__(
        self, request: Request, limits: Limits, path: Path, plugins: Plugins, terms: Terms, front: Front
    ) -> None:
        # The cache would keep what people said where nobody can take it back.
        super().__init__(request, replace(limits, cache=False), path, plugins)
        self.terms = terms
        self.front = front
        self._stack = AsyncExitStack()
        self._over = asyncio.Event()

    async def run(self) -> Run:
        """Returns when the run is complete and nobody looks at it any more."""
        async with self._stack:
            await super().run()
            await self._over.wait()
        return Run(self.path)

    async def _play(self, env: DialogueEnv, candidates: Mapping[str, Candidate], plan: Plan) -> Tally:
        if not hasattr(env.simulator, "ask"):
            raise UsageError(f"simulator {env.simulator.name!r} cannot be a person; leave it out of the configuration")
        index = LogIndex(self.path / "log")
        index.drop_torn_tail()
        study = self._study(plan)
        env.simulator.ask = study.ask
        log = ForgettingLog(self.path / "log" / "0000.jsonl")
        workers: Workers = {}
        study.on_forget = partial(self._forget, study, workers, log)
        if study.finish_forgetting():
            index = LogIndex(self.path / "log")
        study.take_up(index, retry_errors=self.limits.retry_errors)
        batch = PeopleBatch(
            plan, env, _remembering(candidates, study), log, self._scorer(env, study), _silence, _planned(plan),
            stop_after=self.limits.stop_after, retry_errors=self.limits.retry_errors, study=study, workers=workers,
        )  # fmt: skip
        self._over = await self._stack.enter_async_context(self.front(study))
        try:
            await self._until_over(batch.run(index), study)
        finally:
            log.close()
            write_json(self.path / "log" / "calls.json", self.harness.context.counters.record())
            self._write_cases(study)
        return batch.tally

    async def _until_over(self, playing: Coroutine[None, None, None], study: Study) -> None:
        """Plays until the run is complete. Raises StudyPausedError if the front is over before."""
        work, over = asyncio.ensure_future(playing), asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait({work, over}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and study.unfinished:
                raise StudyPausedError("there are still places and partners left; the same command goes on")
            await work
        finally:
            over.cancel()
            work.cancel()
            await asyncio.gather(work, over, return_exceptions=True)

    def _study(self, plan: Plan) -> Study:
        (self.path / CONSENT).write_text(self.terms.consent + "\n", encoding="utf-8")
        journal = Journal(self.path / FILE)
        self._stack.callback(journal.close)
        terms = self.terms
        return Study(plan, journal, consent=terms.consent, own=terms.own, closed=terms.closed)

    def _scorer(self, env: DialogueEnv, study: Study) -> ScoreDialogue:
        cases = study.plan.cases
        others = {case.id: other_case(case, cases) for case in cases}  # none where people play themselves

        async def score(dialogue: Dialogue, pace: Pace) -> list[Score]:
            case, other = study.case(dialogue.case, dialogue.seed), others[dialogue.case]
            times = self.request.repeats
            scores = score_dialogue(dialogue, case, env.judges, repeats=times, other=other, pace=pace)
            return [score async for score in scores]

        return score

    def _forget(self, study: Study, workers: Workers, log: ForgettingLog, place: Place) -> None:
        units = [talk.unit for talk in place.talks]
        if worker := workers.get((place.case.id, place.seed)):
            worker.cancel()
        log.withdraw(unit.number for unit in units)
        self._write_cases(study)
        withdraw_from_files(self.path, units)

    def _write_cases(self, study: Study) -> None:
        if self.terms.own:
            write_cases(self.path, study)


def write_cases(path: Path, study: Study) -> None:
    """The cases with the facts that people gave of themselves; run.json keeps the digest of those without."""
    with replacing(path / "cases.jsonl") as file:
        file.writelines(dumps(study.case(case.id, 0)) for case in study.plan.cases)


def _remembering(candidates: Mapping[str, Candidate], study: Study) -> dict[str, Candidate]:
    return {
        name: replace(candidate, baseline=cast("Baseline", Remembering(candidate.baseline, study)))
        for name, candidate in candidates.items()
    }


def _silence(*_: object, **__: object) -> None:
    """Observers are told of no turn and no dialogue: what they pass on cannot be taken back."""


def _planned(plan: Plan) -> Tally:
    tally = Tally()
    for unit in plan.units():
        tally.planned += 1
        tally.left[unit.candidate] += unit.case.turns
    return tally
