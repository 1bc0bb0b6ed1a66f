"""The dialogues of a training run, one turn of one dialogue at a time.

RLPA's released trainer makes every turn a PPO sample of its own: several candidates answer one state, all are trained
on, and the best one continues the dialogue. A trainer asks for work by *ticket*: a row of its data set, which says
nothing but its number. Whoever takes a ticket gets the next waiting turn; when all its candidates are pushed, one of
them continues and the user answers, while other turns are still being written or judged.

Plain asyncio: on a cluster one process holds the store and the others call it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rlpa_bench.errors import UsageError
from rlpa_bench.randomness import Draws
from rlpa_bench.transcripts import adapter
from rlpa_bench.types import Case, Output, State

Start = Callable[[Case, int], Awaitable[State]]
"""Opens a dialogue of a case with a seed: ``DialogueEnv.start``, perhaps with retries."""
Advance = Callable[[State, Output], Awaitable[State]]
"""Continues a dialogue: ``DialogueEnv.advance``, perhaps with retries."""
Continuation = Literal["best", "random"]


@dataclass(frozen=True, slots=True)
class Job:
    """One candidate to write: sample number ``sample`` of the turn that comes next in ``state``."""

    ticket: int
    dialogue: int
    sample: int
    """0 to samples - 1, in the order in which the ticket was taken."""
    state: State


@dataclass(frozen=True, slots=True)
class Candidate:
    """What was written for a job, and its reward."""

    output: Output
    reward: float


@dataclass
class _Lease:
    """A ticket that is being played."""

    job: asyncio.Future[tuple[int, State]]
    taken: int = 0
    pushed: dict[int, Candidate] = field(default_factory=dict)


@dataclass
class _Open:
    """An open dialogue. Without a state it has yet to begin; with a chosen output the user has yet to answer."""

    state: State | None = None
    chosen: Output | None = None


class DialogueStore:
    """Hands out open turns, continues dialogues, opens the next user when one has finished.

    Args:
        cases: the users, met in this order; dialogue ``n`` is case ``n % len(cases)`` with seed ``n // len(cases)``.
        open_at_once: dialogues open at a time; the trainer's rollout batch (RLPA: 256) gives the released order, in
            which so many users go from their first turn to their last before the next ones come.
        samples: candidates per turn (RLPA: 4).
        episodes: how often every user is met.
        continuation: ``best`` is the candidate with the highest reward, of equal ones the lowest sample number (the
            released code takes the first to be scored, so that its choice depends on the clock); ``random`` is a
            draw from the dialogue's counter, for ablations.
        users_at_once: calls to ``start`` and ``advance`` at a time.
        saved: a :meth:`snapshot` to go on from.
        settled: called after each ticket with the number of finished tickets, before the user answers.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        start: Start,
        advance: Advance,
        *,
        open_at_once: int,
        samples: int = 4,
        episodes: int = 1,
        continuation: Continuation = "best",
        users_at_once: int = 64,
        saved: Mapping[str, Any] | None = None,
        settled: Callable[[int], None] | None = None,
    ) -> None:
        if not cases or min(open_at_once, samples, episodes, users_at_once) < 1:
            raise UsageError("a store needs cases, and at least one dialogue, sample, episode and user at once")
        self.samples = samples
        self.planned = len(cases) * episodes
        self.finished: list[int] = []
        """Numbers of the dialogues that came to their end."""
        self.done: set[int] = set()
        """Tickets whose candidates are all pushed."""
        self._cases = cases
        self._start, self._advance = start, advance
        self._open_at_once = open_at_once
        self._continuation = continuation
        self._gate = asyncio.Semaphore(users_at_once)
        self._settled = settled
        self._next = 0
        self._open: dict[int, _Open] = {}
        self._ready: deque[int] = deque()
        self._idle: deque[int] = deque()
        self._waiting: deque[asyncio.Future[tuple[int, State]]] = deque()
        self._leases: dict[int, _Lease] = {}
        self._moving: dict[int, asyncio.Task[None]] = {}
        self._error: BaseException | None = None
        if saved:
            self._restore(saved)

    @property
    def opened(self) -> int:
        """Dialogues begun so far."""
        return self._next

    async def take(self, ticket: int) -> Job:
        """The turn of this ticket, the same for each of its samples. Waits while every open turn is being played.

        Raises:
            UsageError: for a ticket that was played already, or taken more often than there are samples.
            RlpaBenchError: what the user's side raised, after which nothing more is handed out.
        """
        self._check()
        if ticket in self.done:
            raise UsageError(
                f"ticket {ticket} was played already; dialogues and checkpoint are of different steps: "
                "resume both from one step"
            )
        if (lease := self._leases.get(ticket)) is None:
            lease = self._leases[ticket] = _Lease(asyncio.get_running_loop().create_future())
            self._waiting.append(lease.job)
            self._feed()
        sample, lease.taken = lease.taken, lease.taken + 1
        if sample >= self.samples:
            raise UsageError(f"ticket {ticket} was taken {sample + 1} times, but a turn has {self.samples} samples")
        dialogue, state = await asyncio.shield(lease.job)
        return Job(ticket, dialogue, sample, state)

    async def push(self, job: Job, candidate: Candidate) -> None:
        """Hands in the candidate of a job; the last one of a ticket continues its dialogue.

        Raises:
            UsageError: for a job that is not open or was pushed before.
        """
        self._check()
        lease = self._leases.get(job.ticket)
        if lease is None or job.sample >= lease.taken or job.sample in lease.pushed:
            raise UsageError(f"sample {job.sample} of ticket {job.ticket} is not open; push every job once")
        lease.pushed[job.sample] = candidate
        if len(lease.pushed) == self.samples:
            del self._leases[job.ticket]
            self._open[job.dialogue].chosen = self._choose(job, lease.pushed)
            self.done.add(job.ticket)
            self._idle.append(job.dialogue)
            if self._settled:
                self._settled(len(self.done))
            self._feed()

    async def settle(self) -> None:
        """Waits until no user is being asked. Raises what the user's side raised."""
        while self._moving:
            await asyncio.gather(*self._moving.values())
        self._check()

    def snapshot(self) -> dict[str, Any]:
        """All dialogues as JSON, at any moment: turns being played are open again, users asked now are asked anew."""
        order = dict.fromkeys([*self._played, *self._ready, *self._moving, *self._idle])
        kept = adapter(State | None), adapter(Output | None)
        return {
            "next": self._next,
            "finished": list(self.finished),
            "done": sorted(self.done),
            "open": [
                {
                    "dialogue": number,
                    "state": kept[0].dump_python(self._open[number].state, mode="json"),
                    "chosen": kept[1].dump_python(self._open[number].chosen, mode="json"),
                }
                for number in order
            ],
        }

    def _restore(self, saved: Mapping[str, Any]) -> None:
        self._next = saved["next"]
        self.finished = list(saved["finished"])
        self.done = set(saved["done"])
        kept = adapter(State | None), adapter(Output | None)
        for entry in saved["open"]:
            number = entry["dialogue"]
            standing = _Open(kept[0].validate_python(entry["state"]), kept[1].validate_python(entry["chosen"]))
            self._open[number] = standing
            waits = standing.state is not None and standing.chosen is None
            (self._ready if waits else self._idle).append(number)

    @property
    def _played(self) -> list[int]:
        """Dialogues whose turn a ticket is playing."""
        jobs = [lease.job for lease in self._leases.values()]
        return [job.result()[0] for job in jobs if job.done() and not job.exception()]

    def _choose(self, job: Job, pushed: Mapping[int, Candidate]) -> Output:
        if self._continuation == "random":
            return pushed[Draws("continuation", job.state.key).below(self.samples)].output
        best = max(range(self.samples), key=lambda sample: (pushed[sample].reward, -sample))
        return pushed[best].output

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _feed(self) -> None:
        """Starts what can go on: users' answers, planned dialogues, waiting tickets."""
        while len(self._open) < self._open_at_once and self._next < self.planned:
            self._begin()
        self._serve()
        if self._waiting and not (self._moving or self._idle or self._played):
            for _ in range(min(len(self._waiting), self._open_at_once - len(self._open))):
                self._begin()  # users left early and none is planned any more: meet the first ones again
        while self._idle:
            number = self._idle.popleft()
            self._moving[number] = asyncio.get_running_loop().create_task(self._move(number))

    def _begin(self) -> None:
        self._open[self._next] = _Open()
        self._idle.append(self._next)
        self._next += 1

    def _serve(self) -> None:
        while self._waiting and self._ready:
            number = self._ready.popleft()
            state = self._open[number].state
            assert state is not None
            self._waiting.popleft().set_result((number, state))

    async def _move(self, number: int) -> None:
        """Begins or continues a dialogue; whatever fails here ends the store, since its turns would be missing."""
        try:
            standing = self._open[number]
            async with self._gate:
                if standing.state is None:
                    case = self._cases[number % len(self._cases)]
                    state = await self._start(case, number // len(self._cases))
                else:
                    assert standing.chosen is not None
                    state = await self._advance(standing.state, standing.chosen)
        except Exception as error:
            self._error = self._error or error
            while self._waiting:
                self._waiting.popleft().set_exception(error)
            return
        finally:
            del self._moving[number]
        if state.ended:
            del self._open[number]
            self.finished.append(number)
        else:
            self._open[number] = _Open(state)
            self._ready.append(number)
        self._feed()
