"""Two ways to play the same rollout work: ours, and the scheme of RLPA's released trainer; seconds of each.

    python tests/rollout_schemes.py        # in real time, prints the figures

The released scheme: all samples of a batch are written, judged by 16 threads, and only when the whole batch is judged
do 64 threads ask the users. User and judge answer after half a second, the policy at once.
"""

from __future__ import annotations

import asyncio
import json
import selectors
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from fake_engine import FakeEngine, Sampling
from toys import Plugin, ToyJudge, ToySimulator, case, reply

from reference_trainer.executor import Limits, Policy, TurnPlayer
from reference_trainer.rewards import Rewards
from reference_trainer.store import DialogueStore
from rlpa_bench.build import Harness
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.plugins import Plugins
from rlpa_bench.types import Case, Output, Session, State, TurnSubject, Utterance, Verdict

LATENCY = 0.5
SAMPLES = 4
REPLY = reply("And you?")


class SlowUser(ToySimulator):
    name = "slow-user"

    async def reply(self, state: State) -> Utterance:
        await asyncio.sleep(LATENCY)
        return Utterance("I see.", ())


class SlowJudge(ToyJudge):
    name = "slow-judge"

    async def judge(self, subject: TurnSubject) -> dict[str, Verdict]:
        await asyncio.sleep(LATENCY)
        return {"asks": Verdict(1.0), "length": Verdict(1.0)}


class JumpingClock(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when nothing is left to do: exact, and done in no time."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(selectors.SelectSelector())
        select = self._selector.select  # type: ignore[attr-defined]

        def jump(timeout: float | None = None) -> Any:
            events = select(0)
            if not events and timeout:
                self.now += timeout
            return events

        self._selector.select = jump  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.now


def environment() -> DialogueEnv:
    from toys import ToySuite

    plugins = Plugins([Plugin(ToySuite, SlowUser, SlowJudge)], entry_point_group=None)
    return Harness("toy", plugins=plugins).environment("slow-user", ["slow-judge"])


def cases(users: int, turns: int) -> list[Case]:
    return [case(i, (Session(turns, "Hello"),)) for i in range(users)]


async def ours(users: int, turns: int, batch: int, judges_at_once: int, users_at_once: int) -> float:
    """Seconds of event-loop time, batch after batch as OpenRLHF asks for them."""
    env = environment()
    rewards = Rewards(env, at_once=judges_at_once)
    store = DialogueStore(
        cases(users, turns), env.start, env.advance, open_at_once=batch, samples=SAMPLES, users_at_once=users_at_once
    )
    player = TurnPlayer(store, rewards, None)
    engine = FakeEngine(lambda text, n: REPLY)
    policy = Policy(engine, engine.tokenizer, Sampling(), Limits(200, 8000))
    clock = asyncio.get_running_loop().time
    began = clock()
    for first in range(0, users * turns, batch):
        rows = [json.dumps({"ticket": t, "split": "train"}) for t in range(first, min(first + batch, users * turns))]
        await asyncio.gather(*(player.execute("", row, policy) for row in rows for _ in range(SAMPLES)))
    await store.settle()
    assert len(store.finished) == users
    return clock() - began


async def released(users: int, turns: int, batch: int, judges_at_once: int = 16, users_at_once: int = 64) -> float:
    """The same work by the released scheme."""
    env = environment()
    judging, asking = asyncio.Semaphore(judges_at_once), asyncio.Semaphore(users_at_once)

    async def judged(state: State) -> None:
        async with judging:
            await env.score(state, [REPLY])

    async def asked(state: State) -> State:
        async with asking:
            return await env.advance(state, Output(REPLY))

    clock = asyncio.get_running_loop().time
    began = clock()
    everybody = cases(users, turns)
    for first in range(0, users, batch):
        states: Sequence[State] = [await env.start(one) for one in everybody[first : first + batch]]
        for _ in range(turns):
            await asyncio.gather(*(judged(state) for state in states for _ in range(SAMPLES)))
            states = await asyncio.gather(*(asked(state) for state in states))
    return clock() - began


def jumping(work: Coroutine[Any, Any, float]) -> float:
    """Seconds on a clock that jumps over waiting: latencies and limits only, no computing."""
    with asyncio.Runner(loop_factory=JumpingClock) as runner:
        return runner.run(work)


def main() -> None:
    users, turns, batch, calls = 64, 3, 64, 256
    bound = turns * (SAMPLES * batch / calls * LATENCY) + (turns - 1) * LATENCY
    for name, scheme in (
        ("released scheme, 16 and 64 threads", lambda: released(users, turns, batch)),
        (f"ours, {calls} judges and users at a time", lambda: ours(users, turns, batch, calls, calls)),
        ("ours, 16 judges and 64 users at a time", lambda: ours(users, turns, batch, 16, 64)),
    ):
        began = time.perf_counter()
        asyncio.run(scheme())
        seconds = time.perf_counter() - began
        print(f"{name}: {seconds:.1f} s, {users * turns / seconds:.1f} turns/s")
    print(f"latency bound at {calls} calls at a time: {bound:.1f} s, {users * turns / bound:.1f} turns/s")


if __name__ == "__main__":
    main()
