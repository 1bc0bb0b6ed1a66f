"""Many dialogues at once, each judged when it ends while the next is played, each turn logged when it is finished."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import count
from time import monotonic

from rlpa_bench.build import Candidate
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import BoundaryError
from rlpa_bench.plan import Plan, Unit
from rlpa_bench.runner.play import DialogueFailedError, Step, play, restore
from rlpa_bench.transcripts import Log, LogIndex, Progress, is_json
from rlpa_bench.types import Dialogue, Score, State, Turn

MOMENT = 0.003
"""Seconds for which judges may hold the event loop: some turns by rules, or one that goes on to wait for a model."""

Pace = Callable[[], Awaitable[None]]
ScoreDialogue = Callable[[Dialogue, Pace], Awaitable[list[Score]]]


class RunStoppedError(BoundaryError):
    """The run cannot usefully go on; what is finished stays and the same command resumes."""


@dataclass
class Tally:
    """Live counts of a run."""

    planned: int = 0
    left: Counter[str] = field(default_factory=Counter)
    """Turns that are still to be played, by candidate."""
    played: Counter[str] = field(default_factory=Counter)
    """Turns played in this try, by candidate; 0 for one that has begun and not finished a turn."""
    dialogues: int = 0
    resumed: int = 0
    turns: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    _last: str = ""
    _streak: int = 0

    def fail(self, kind: str) -> int:
        """Books a failure; returns how many of the same kind came in a row."""
        self.failures[kind] = self.failures.get(kind, 0) + 1
        self._streak = self._streak + 1 if kind == self._last else 1
        self._last = kind
        return self._streak

    def seconds_left(self, elapsed: float) -> float | None:
        """Seconds until the slowest candidate is through, at its own pace so far; None while a pace is unknown.

        Candidates overlap, and one with a large model may take a thousand times longer than a control. Those that
        have not begun are not reckoned with.
        """
        begun = {name: turns for name, turns in list(self.played.items()) if self.left[name] > 0}
        if not all(begun.values()):
            return None
        return max((elapsed / turns * self.left[name] for name, turns in begun.items()), default=None)

    def succeed(self) -> None:
        self._last, self._streak = "", 0


class Turnstile:
    """Lets judges work for a moment per round of the event loop, so that no reply of a model waits long behind them.

    Those of the dialogue that ended first come first: judges keep what they read of a dialogue at hand.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = count()
        self._open = False
        self._since = 0.0

    def entrance(self) -> Pace:
        """What the judgements of one dialogue await."""
        return partial(self._enter, next(self._count))

    async def _enter(self, dialogue: int) -> None:
        if monotonic() - self._since < MOMENT:
            return
        loop = asyncio.get_running_loop()
        admitted = loop.create_future()
        heappush(self._waiting, (dialogue, next(self._count), admitted))
        if not self._open:
            self._open = True
            loop.call_soon(self._admit, loop)
        await admitted
        self._since = monotonic()

    def _admit(self, loop: asyncio.AbstractEventLoop) -> None:
        self._open = bool(self._waiting)
        if self._open:
            admitted = heappop(self._waiting)[2]
            if not admitted.done():  # else its dialogue was cancelled
                admitted.set_result(None)
            loop.call_soon(self._admit, loop)


@dataclass
class Batch:
    """Everything the workers share."""

    plan: Plan
    env: DialogueEnv
    candidates: Mapping[str, Candidate]
    log: Log
    score: ScoreDialogue
    notify: Callable[..., None]
    tally: Tally
    stop_after: int = 20
    over_budget: Callable[[], str] = lambda: ""
    """Says why the run must stop now; empty while it may go on."""
    retry_errors: bool = False

    async def run(self, index: LogIndex, workers: int) -> None:
        """Plays and judges whatever the log does not hold yet.

        Raises:
            RunStoppedError: after ``stop_after`` failures of one kind in a row, or when the budget is spent.
        """
        known, open_units = self._known(index)
        waiting = iter(self._waiting(known))
        turnstile = Turnstile()
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work(waiting, open_units, group, turnstile))

    def _known(self, index: LogIndex) -> tuple[set[int], dict[int, Progress]]:
        """Units that need nothing more, and those begun: a few per worker."""
        done: set[int] = set()
        begun: dict[int, Progress] = {}
        for number, lines in index.units():
            progress = Progress(lines)
            failed = progress.ended.startswith("error")
            if progress.scores is not None and progress.ended and not (failed and self.retry_errors):
                done.add(number)
                self.tally.resumed += 1
                self._pass(number, self.plan.unit(number).case.turns)
            else:
                self._pass(number, len(progress.lines))
                begun[number] = progress
        return done, begun

    def _pass(self, number: int, turns: int) -> None:
        """Turns of a unit that need not be played any more."""
        self.tally.left[self.plan.unit(number).candidate] -= turns

    def _waiting(self, done: set[int]) -> Iterator[Unit]:
        return (unit for unit in self.plan.units() if unit.number not in done)

    async def _work(
        self, waiting: Iterator[Unit], begun: dict[int, Progress], group: asyncio.TaskGroup, turnstile: Turnstile
    ) -> None:
        """Plays one dialogue after another; the last one is judged meanwhile."""
        judging: asyncio.Task[None] | None = None
        try:
            for unit in waiting:
                self._check_budget()
                self.tally.played.setdefault(unit.candidate, 0)
                dialogue = await self._dialogue(unit, begun.pop(unit.number, None))
                if judging:
                    await judging
                judging = group.create_task(self._judge(unit, dialogue, turnstile.entrance()))
                await asyncio.sleep(0)  # lets signals and the progress display in when nothing ever waits
        except RunStoppedError:
            if judging:  # what has been played to its end is still judged
                await judging
            raise

    async def _judge(self, unit: Unit, dialogue: Dialogue, pace: Pace) -> None:
        self.log.scores(unit.number, await self.score(dialogue, pace), len(dialogue.turns))
        self.tally.dialogues += 1
        self._pass(unit.number, unit.case.turns - len(dialogue.turns))
        self.notify("dialogue_end", dialogue=dialogue)

    def _check_budget(self) -> None:
        if reason := self.over_budget():
            raise RunStoppedError(reason, reason="budget")

    async def _dialogue(self, unit: Unit, progress: Progress | None) -> Dialogue:
        turns: list[Turn] = []
        ended, state = "", None
        if progress:
            turns = list(progress.turns)
            ended = progress.ended
            if ended.startswith("error") and self.retry_errors:
                ended = ""
            state = self._resumed(unit, turns, progress)
        if not ended:
            ended = await self._play(unit, state, turns)
        return Dialogue(unit.candidate, unit.case.id, unit.seed, tuple(turns), unit.case.turns, ended)

    @staticmethod
    def _resumed(unit: Unit, turns: Sequence[Turn], progress: Progress) -> State | None:
        upcoming = progress.upcoming
        return restore(unit.case, unit.seed, tuple(turns), upcoming) if upcoming else None

    async def _play(self, unit: Unit, state: State | None, turns: list[Turn]) -> str:
        try:
            async for step in play(self.env, self.candidates[unit.candidate], unit.case, unit.seed, state):
                self._log(unit.number, step)
                turns.append(step.turn)
                self.tally.turns += 1
                self.tally.played[unit.candidate] += 1
                self._pass(unit.number, 1)
                self.notify("turn_end", candidate=unit.candidate, case=unit.case.id, seed=unit.seed, turn=step.turn)
                if step.state.ended:
                    self.tally.succeed()
                    return step.state.ended
                self._check_budget()
        except DialogueFailedError as failure:
            self.log.failed(unit.number, failure.reason, len(turns))
            if self.tally.fail(failure.kind) >= self.stop_after:
                raise RunStoppedError(
                    f"{self.stop_after} dialogues in a row failed with the same error ({failure.reason}), the last of "
                    f"{unit.candidate} with simulator {self.env.simulator.name}; mend it, then resume",
                    reason="repeated",
                ) from failure
            return f"error: {failure.reason}"
        raise AssertionError("play() ends a dialogue or raises")

    def _log(self, unit: int, step: Step) -> None:
        upcoming = None if step.state.ended else step.state.user
        try:
            self.log.turn(unit, step.turn, upcoming, step.state.ended, step.seconds)
        except TypeError as error:  # somebody's memory or state is no JSON: an unwritten turn did not happen
            raise DialogueFailedError("simulator" if is_json(step.turn.output) else "candidate", error) from error
