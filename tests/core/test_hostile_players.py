"""Hostile baselines, simulators, judges and models: their own dialogues fail and name them, no other row changes."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hostile import FAULTS, blocks, exits, once, others_unharmed
from toyruns import files, play
from toys import Plain, ToyJudge, ToyModel, ToySimulator

import rlpa_bench
from rlpa_bench.guard import guarded
from rlpa_bench.interfaces import Generation, Guide, Sampling
from rlpa_bench.runner.batch import RunStoppedError
from rlpa_bench.types import Message, Output, State, TurnSubject, Utterance, Verdict, View


@pytest.mark.parametrize("fault", FAULTS)
def test_a_baseline_that_exits_or_blocks(whole: rlpa_bench.Run, out: Path, impatient: None, fault: Any) -> None:
    class Hostile(Plain):
        name = "hostile"

        async def respond(self, view: View) -> Output:
            if view.turn == 3 and Hostile.left:
                Hostile.left -= 1
                fault()
            return await super().respond(view)

        left = 1

    run = play(out, Hostile, baseline="hostile,counter")
    (failed,) = [dialogue for dialogue in run.dialogues() if dialogue.ended != "schedule"]
    assert failed.ended.startswith("error: candidate: " + FAULTS[fault].format(who="baseline 'hostile'"))
    assert run.info["counts"]["played"] == 23
    others_unharmed(out, whole)


def test_a_baseline_that_waits_for_ever(whole: rlpa_bench.Run, out: Path, impatient: None) -> None:
    class Sleepy(Plain):
        name = "sleepy"
        respond = once(Plain.respond)

    run = play(out, Sleepy, baseline="sleepy,counter")
    (failed,) = [dialogue for dialogue in run.dialogues() if dialogue.ended != "schedule"]
    assert failed.ended == "error: candidate: timeout: baseline 'sleepy' gave no answer within 3 s"
    others_unharmed(out, whole)


def test_a_simulator_that_waits_for_ever_or_exits(out: Path, impatient: None) -> None:
    class Sleepy(ToySimulator):
        reply = once(ToySimulator.reply)

    run = play(out / "sleepy", Sleepy, baseline="plain")
    (failed,) = [dialogue for dialogue in run.dialogues() if dialogue.ended != "schedule"]
    assert failed.ended == "error: simulator: timeout: simulator 'toy' gave no answer within 3 s"

    class Leaving(ToySimulator):
        async def reply(self, state: State) -> Utterance:
            return sys.exit(3) if state.key == "case-1/0/3" else await super().reply(state)

    run = play(out / "leaving", Leaving, baseline="plain")
    (failed,) = [dialogue for dialogue in run.dialogues() if dialogue.ended != "schedule"]
    assert failed.ended == "error: simulator: exit: simulator 'toy' called sys.exit(3)"


def test_a_person_may_take_their_time(impatient: None) -> None:
    async def think(_: object) -> str:
        await asyncio.sleep(3.2)
        return "done"

    assert asyncio.run(guarded("simulator 'human'", think, None, unhurried=True)) == "done"


@pytest.mark.parametrize("fault", [exits, blocks])
def test_a_judge_that_exits_or_blocks(whole: rlpa_bench.Run, out: Path, impatient: None, fault: Any) -> None:
    class Hostile(ToyJudge):
        async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
            if subject.key == "case-1/0/3" and subject.gold.items[0].value == "31":
                fault()
            return await super().judge(subject)

    run = play(out, Hostile, baseline="plain,counter")
    bad = [score for score in run.scores() if score.status != "scored"]
    assert {(s.case, s.seed, s.turn) for s in bad} == {("case-1", 0, 3)} and len(bad) == 4
    assert all(s.reason.startswith(FAULTS[fault].format(who="judge 'asks'")) and s.value is None for s in bad)
    assert (out / "dialogues.jsonl").read_bytes() == (whole.path / "dialogues.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("text", "candidate: TypeError: model 'toy' returned str, not a Generation with a text"),
        (Generation(None), "candidate: TypeError: model 'toy' returned Generation, not a Generation with a text"),  # type: ignore[arg-type]
        (exits, "candidate: exit: model 'toy' called sys.exit(0)"),
        (blocks, "candidate: blocked: model 'toy' has blocked everything for 1.5 s"),
    ],
)
def test_a_hostile_model_is_named(out: Path, impatient: None, answer: Any, said: str) -> None:
    class Hostile(ToyModel):
        async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
            return answer() if callable(answer) else answer  # type: ignore[no-any-return]

    run = play(out, Hostile, baseline="plain,counter", limit=1, seeds=1)
    assert [d.ended for d in run.dialogues()] == [f"error: {said}", "schedule"]


def test_a_plugin_that_cancels_itself_leaves_no_hole(whole: rlpa_bench.Run, out: Path) -> None:
    class Cancelled(Plain):
        name = "cancelled"

        async def respond(self, view: View) -> Output:
            raise asyncio.CancelledError

    run = play(out, Cancelled, baseline="cancelled,counter")
    assert run.info["counts"] == {"planned": 24, "played": 12, "failed": 12, "retried": 0}
    assert run.info["failures"] == {"candidate: cancelled": 12}
    others_unharmed(out, whole)


def test_a_plugin_that_always_fails_is_named_when_it_stops_the_run(out: Path) -> None:
    class Broken(Plain):
        name = "broken"

        async def respond(self, view: View) -> Output:
            raise ZeroDivisionError("by zero")

    with pytest.raises(RunStoppedError, match=r"by zero\), the last of toy/broken with simulator toy; mend it"):
        play(out, Broken, baseline="broken", seeds=6)


def test_global_random_state_decides_nothing(whole: rlpa_bench.Run, out: Path) -> None:
    class Reseeding(Plain):
        """Plain, but for what it does to the generators of everybody."""

        async def respond(self, view: View) -> Output:
            import numpy as np

            random.seed(7)
            np.random.seed(7)
            return await super().respond(view)

    before = random.getstate()
    try:
        assert files(play(out, Reseeding).path) == files(whole.path)
    finally:
        random.setstate(before)
