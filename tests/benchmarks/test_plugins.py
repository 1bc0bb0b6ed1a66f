"""What plugins cost: listing fifty of them, telling observers of a turn, guarding a call."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from itertools import count
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from time import perf_counter, process_time
from typing import Any

import pytest
from fake_dist import install
from toyruns import play
from toys import ToyJudge, case, reply

from rlpa_bench import hookimpl
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.guard import guarded
from rlpa_bench.plugins import Plugins
from rlpa_bench.testing.scenes import Teller

INSTALLED = 50
SECONDS_OVER_BARE = 1.0
SOURCE = """
from rlpa_bench import hookimpl

@hookimpl
def rlpa_bench_judges():
    from rlpa_bench.interfaces import Judge, Part
    from rlpa_bench import options
    from rlpa_bench.types import Verdict

    class Constant(Judge):
        "Number {number} of many."
        name = "judge-{number}"
        Options = options.Options
        parts = {{"one": Part()}}

        async def judge(self, subject):
            return {{"one": Verdict(1.0)}}

    return [Constant]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty distributions, each with a judge of its own."""
    folder = tmp_path_factory.mktemp("site")
    for number in range(INSTALLED):
        module = f"plug_many_{number}"
        install(folder, f"many-{number}", {f"many-{number}": module}, **{module: SOURCE.format(number=number)})
    return folder


def run(code: str, *words: str, site: Path | None = None) -> str:
    environment = os.environ | ({"PYTHONPATH": str(site)} if site else {})
    done = subprocess.run([sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


LIST = "from rlpa_bench.cli.main import main; main()", "plugins", "list"


def least(times: int, code: str, *words: str, site: Path | None = None) -> tuple[float, float]:
    """Seconds of the shortest of several runs, by the clock and of the processor: a busy machine only adds."""

    def once() -> tuple[float, float]:
        before, began = getrusage(RUSAGE_CHILDREN), perf_counter()
        run(code, *words, site=site)
        after = getrusage(RUSAGE_CHILDREN)
        return perf_counter() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    clock, processor = zip(*(once() for _ in range(times)), strict=True)
    return min(clock), min(processor)


def test_listing_fifty_plugins(benchmark: Any, site: Path) -> None:
    """``plugins list`` with fifty further distributions: at most 1 s of processor time over a bare interpreter.

    By the clock it is the same on a machine that does nothing else; both are shown.
    """
    listed = benchmark.pedantic(run, LIST, {"site": site}, rounds=1, iterations=1, warmup_rounds=1)
    assert listed.count("judge-") == INSTALLED
    if benchmark.enabled:
        bare, without, all_ = least(7, "pass"), least(7, *LIST), least(7, *LIST, site=site)
        for i, clock in enumerate(("by the clock", "of the processor")):
            over, fewer = all_[i] - bare[i], without[i] - bare[i]
            benchmark.extra_info[clock] = {"bare": bare[i], "over bare": over, "without the fifty": fewer}
            print(f"\n{over:.3f} s {clock} over a bare interpreter's {bare[i]:.3f} s; without the fifty {fewer:.3f} s")
        assert all_[1] - bare[1] <= SECONDS_OVER_BARE


class Observer:
    """Counts turns."""

    def __init__(self) -> None:
        self.seen = 0

    @hookimpl
    def rlpa_bench_turn_end(self, candidate: str, turn: Any) -> None:
        self.seen += 1


@pytest.mark.benchmark(timer=process_time)
@pytest.mark.parametrize("observers", [0, 1, 10])
def test_telling_observers_of_a_turn(benchmark: Any, observers: int) -> None:
    """Seconds of processor time of one ``turn_end``, what the observers' threads do with it included."""
    watching = [Observer() for _ in range(observers)]
    plugins = Plugins(watching, entry_point_group=None)

    async def turn() -> Any:
        env = DialogueEnv(Teller())  # type: ignore[arg-type]
        return (await env.advance(await env.start(case()), reply("Hm?"))).turns[0]

    facts = {"candidate": "toy/plain", "case": "case-0", "seed": 0, "turn": asyncio.run(turn())}
    told = count()

    def tell() -> None:
        next(told)
        plugins.notify("turn_end", **facts)

    benchmark.pedantic(tell, rounds=40, iterations=100, warmup_rounds=1)
    plugins.notify("run_end", summary={})
    assert {observer.seen for observer in watching} <= {next(told)} and plugins.problems == []


def test_guarding_a_call(benchmark: Any) -> None:
    """Seconds that the guard around a plugin's coroutine takes, for a coroutine that does nothing."""

    async def nothing() -> int:
        return 1

    async def many() -> int:
        return sum([await guarded("judge 'rules'", nothing) for _ in range(100)])

    assert benchmark(lambda: asyncio.run(many())) == 100


@pytest.mark.benchmark(timer=process_time)
@pytest.mark.parametrize("observers", [0, 10])
def test_a_whole_run_with_observers(benchmark: Any, tmp_path: Path, observers: int) -> None:
    """Seconds of processor time of a run of 120 turns that cost nothing else, for comparison."""
    runs = count()

    def whole() -> Any:
        return play(tmp_path / str(next(runs)), ToyJudge, watchers=[Observer() for _ in range(observers)])

    assert benchmark.pedantic(whole, rounds=5, warmup_rounds=1).info["counts"]["played"] == 24
