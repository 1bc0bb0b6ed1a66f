"""How long the command takes to start, over a bare interpreter: medians of seven, after one run to warm the caches."""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter
from typing import Any

import pytest

ROUNDS = 7
pytestmark = pytest.mark.slow


def seconds(*command: str) -> float:
    began = perf_counter()
    subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL, check=True)
    return perf_counter() - began


@pytest.mark.parametrize("words", [("--help",), ("plugins", "list")], ids=" ".join)
def test_start(benchmark: Any, words: tuple[str, ...]) -> None:
    bare, ours = ("-c", "pass"), ("-m", "rlpa_bench", *words)
    seconds(*bare), seconds(*ours)
    pairs = [(seconds(*bare), seconds(*ours)) for _ in range(ROUNDS)]
    over = median(mine for _, mine in pairs) - median(theirs for theirs, _ in pairs)
    benchmark.pedantic(seconds, args=ours, rounds=1)
    benchmark.extra_info["seconds over bare"] = round(over, 3)
    print(f"\n{' '.join(words)}: {over:.2f} s over a bare interpreter")
