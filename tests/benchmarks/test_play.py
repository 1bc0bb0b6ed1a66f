"""How fast dialogues are played and judged: with a model that answers at once, and against an endpoint with latency.

Figures of one machine and one moment, so nothing is asserted of them; ``tox -e bench -- -m slow -s`` prints them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import pytest

import rlpa_bench
from rlpa_bench.runner.batch import Batch

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


@contextmanager
def endpoint(latency: float) -> Iterator[str]:
    """The address of an endpoint in a process of its own that answers after so many seconds."""
    command = [sys.executable, str(HERE / "latency_server.py"), str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        finally:
            server.kill()


def played(monkeypatch: pytest.MonkeyPatch, out: Path, **terms: Any) -> dict[str, float]:
    """Turns, and seconds by the clock and of processor time, of the part of a run that plays and judges."""
    spent: dict[str, float] = {}
    whole = Batch.run

    async def timed(self: Batch, *args: Any, **kinds: Any) -> None:
        clock, processor = perf_counter(), process_time()
        await whole(self, *args, **kinds)
        spent.update(clock=perf_counter() - clock, processor=process_time() - processor)

    monkeypatch.setattr(Batch, "run", timed)
    run = rlpa_bench.run(suite="aloe", controls=False, cache=False, out=out, **terms)
    assert run.info["counts"]["failed"] == 0 and run.info["counts"]["played"] == run.info["counts"]["planned"]
    return spent | {"turns": sum(len(dialogue.turns) for dialogue in run.dialogues())}


@pytest.mark.parametrize("candidate", [{"model": "scripted"}, {"baseline": "asker"}], ids=["scripted", "asker"])
def test_turns_per_second_of_processor_time(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, candidate: dict[str, str]
) -> None:
    terms = {**candidate, "seeds": 5}
    spent = benchmark.pedantic(played, args=(monkeypatch, tmp_path / "run"), kwargs=terms, rounds=1)
    rate = spent["turns"] / spent["processor"]
    benchmark.extra_info["turns per second"] = round(rate)
    print(f"\n{candidate}: {rate:.0f} turns/s of processor time")


@pytest.mark.parametrize(("latency", "connections", "seeds"), [(0.2, 128, 32), (2.0, 1000, 40)])
def test_share_of_the_ideal(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, latency: float, connections: int, seeds: int
) -> None:
    with endpoint(latency) as address:
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        terms = {"model": "openai:served", "seeds": seeds, "max_connections": connections}
        spent = benchmark.pedantic(played, args=(monkeypatch, tmp_path / "run"), kwargs=terms, rounds=1)
    share = spent["turns"] / spent["clock"] / (connections / latency)
    each = 1000 * spent["processor"] / spent["turns"]
    benchmark.extra_info |= {"share of ideal": round(share, 3), "processor ms per turn": round(each, 3)}
    print(f"\n{latency} s, {connections} connections: {share:.2f} of the ideal, {each:.2f} ms of processor time a turn")
