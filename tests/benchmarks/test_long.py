"""What a turn costs the harness in a dialogue of a hundred turns, against one of ten."""

from __future__ import annotations

from pathlib import Path
from time import process_time
from typing import Any

import pytest

import rlpa_bench
from rlpa_bench.runner.batch import Batch

pytestmark = pytest.mark.slow


def milliseconds(monkeypatch: pytest.MonkeyPatch, out: Path, turns: int, cases: int, **terms: Any) -> float:
    """Processor time of a turn, played and judged."""
    spent = 0.0
    whole = Batch.run

    async def timed(self: Batch, *args: Any, **kinds: Any) -> None:
        nonlocal spent
        began = process_time()
        await whole(self, *args, **kinds)
        spent = process_time() - began

    with monkeypatch.context() as patch:
        patch.setattr(Batch, "run", timed)
        run = rlpa_bench.run(
            suite="aloe", turns=turns, limit=cases, controls=False, cache=False, preflight=False, out=out, **terms
        )
    return 1000 * spent / sum(len(dialogue.turns) for dialogue in run.dialogues())


@pytest.mark.parametrize("candidate", [{"model": "scripted"}, {"baseline": "asker"}], ids=["scripted", "asker"])
def test_a_turn_of_a_hundred_costs_at_most_half_as_much_again_as_one_of_ten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, candidate: dict[str, str]
) -> None:
    milliseconds(monkeypatch, tmp_path / "warm", 10, 5, **candidate)
    short = min(milliseconds(monkeypatch, tmp_path / f"short{i}", 10, 20, **candidate) for i in range(3))
    long = min(milliseconds(monkeypatch, tmp_path / f"long{i}", 100, 2, **candidate) for i in range(3))
    print(f"\n{candidate}: {short:.2f} ms a turn of 10, {long:.2f} ms of 100, ratio {long / short:.2f}")
    assert long <= 1.5 * short
