"""An overloaded endpoint gets fewer calls at once, and more again when it is well; nobody waits for ever."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from rlpa_bench.throttle import Throttle


def test_a_burst_of_refusals_counts_once_and_successes_bring_it_back() -> None:
    throttle = Throttle(16)
    for _ in range(10):
        throttle.overloaded()
    assert throttle.limit == 8
    throttle.succeeded()
    throttle.overloaded()
    assert throttle.limit == 4
    for _ in range(4 + 5 + 6):
        throttle.succeeded()
    assert throttle.limit == 7
    for _ in range(1000):
        throttle.succeeded()
    assert throttle.limit == throttle.most == 16


def test_it_never_falls_below_one() -> None:
    throttle = Throttle(3)
    for _ in range(5):
        throttle.succeeded()
        throttle.overloaded()
    assert throttle.limit == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.lists(st.sampled_from(["ok", "busy", "cancel"]), min_size=1, max_size=60))
def test_calls_at_once_keep_the_limit_and_all_come_through(most: int, plan: list[str]) -> None:
    throttle = Throttle(most)
    active = 0

    async def call(what: str) -> str:
        nonlocal active
        async with throttle:
            active += 1
            assert active <= most
            try:
                await asyncio.sleep(0)
                assert active <= most
            finally:
                active -= 1
        (throttle.overloaded if what == "busy" else throttle.succeeded)()
        return what

    async def scenario() -> list[str]:
        tasks = [asyncio.create_task(call(what)) for what in plan]
        await asyncio.sleep(0)
        for task, what in zip(tasks, plan, strict=True):
            if what == "cancel":
                task.cancel()
        done = []
        for task in tasks:
            with suppress(asyncio.CancelledError):
                done.append(await asyncio.wait_for(task, 10))
        return done

    done = asyncio.run(scenario())
    assert sorted(done) == sorted(what for what in plan if what != "cancel") or "cancel" in plan
    assert len(done) >= sum(what != "cancel" for what in plan)


def test_the_limit_that_fell_holds_for_those_who_wait() -> None:
    async def scenario() -> int:
        throttle, peak, active = Throttle(4), 0, 0

        async def call() -> None:
            nonlocal peak, active
            async with throttle:
                active += 1
                peak = max(peak, active)
                await asyncio.sleep(0)
                active -= 1

        throttle.overloaded()
        await asyncio.gather(*(call() for _ in range(20)))
        return peak

    assert asyncio.run(scenario()) == 2
