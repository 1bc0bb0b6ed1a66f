"""Large runs: peak memory of a run of many dialogues, and judging 100,000 recorded turns again.

Figures of one machine and one moment, so nothing is asserted of them; ``tox -e bench -- -m slow -s`` prints them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def measured(*command: str) -> tuple[float, float]:
    """Seconds and peak MiB of a command in a process of its own."""
    began = perf_counter()
    with subprocess.Popen([sys.executable, "-m", "rlpa_bench", *command], stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return perf_counter() - began, usage.ru_maxrss / 1024


def run(out: Path, dialogues: int) -> list[str]:
    terms = ["--suite", "aloe", "--model", "scripted", "--no-controls", "--no-cache"]
    return ["run", *terms, "--seeds", str(dialogues // 100), "--out", str(out)]


def test_memory_of_1000_and_20000_dialogues(benchmark: Any, tmp_path: Path) -> None:
    few = measured(*run(tmp_path / "few", 1000))[1]
    many = benchmark.pedantic(measured, args=run(tmp_path / "many", 20_000), rounds=1)[1]
    benchmark.extra_info |= {"MiB": [round(few), round(many)]}
    print(f"\npeak memory: {few:.0f} MiB for 1,000 dialogues, {many:.0f} MiB for 20,000, {many / few - 1:+.0%}")


def test_judging_100000_recorded_turns_again(benchmark: Any, tmp_path: Path) -> None:
    played = tmp_path / "run"
    measured(*run(played, 10_000))
    small = tmp_path / "small"
    measured(*run(small, 1000))
    _, few = measured("score", str(small), "--judge", "rules,profile")
    seconds, many = benchmark.pedantic(measured, args=("score", str(played), "--judge", "rules,profile"), rounds=1)
    benchmark.extra_info |= {"seconds": round(seconds), "MiB": [round(few), round(many)]}
    print(f"\n100,000 turns judged again in {seconds:.0f} s, {many:.0f} MiB ({few:.0f} MiB for 10,000 turns)")
