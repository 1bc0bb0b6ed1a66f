"""Rewards: the judges' own parts, added up; a verdict that is missing never becomes a 0."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from puppet import answering, data, harness, puppet
from toys import Plugin, ToySimulator, ToySuite, case, reply

from reference_trainer.rewards import Rewards
from rlpa_bench.build import Harness
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import JudgeError, UsageError
from rlpa_bench.interfaces import Judge, Part
from rlpa_bench.matching import released_f1
from rlpa_bench.options import Options
from rlpa_bench.plugins import Plugins
from rlpa_bench.types import TurnSubject, Verdict


class Flaky(Judge):
    """Fails as often as it is told, each time under another key."""

    name = "flaky"
    Options = Options
    parts = {"nice": Part(), "other": Part()}
    reward = ("nice",)
    left = 0
    keys: list[str] = []

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        self.keys.append(subject.key)
        if type(self).left:
            type(self).left -= 1
            raise JudgeError("busy", reason="429")
        return {"nice": Verdict(0.25), "other": Verdict(1.0)}


class Silent(Flaky):
    name = "silent"

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        return {"nice": Verdict(None, "unscored", "reads English only"), "other": Verdict(1.0)}


class NoReward(Flaky):
    name = "no-reward"
    reward = ()


def env(*judges: str) -> DialogueEnv:
    plugins = Plugins([Plugin(ToySuite, ToySimulator, Flaky, Silent, NoReward)])
    return Harness("toy", plugins=plugins).environment("toy", judges)


def score(rewards: Rewards, text: str) -> object:
    async def run() -> object:
        return await rewards.score(await rewards.env.start(case()), text)

    Flaky.keys.clear()
    return asyncio.run(run())


def test_the_reward_is_what_the_benchmark_scores() -> None:
    environment = env("profile", "rules", "flaky")
    rewards = Rewards(environment)
    assert rewards.names == ("profile.f1", "rules.gate", "flaky.nice")
    text = reply("Being thirty and new in town must feel odd. What do you miss most?", "- Age: 30")

    async def both() -> tuple[object, object]:
        state = await environment.start(case())
        return await rewards.score(state, text), (await environment.score(state, [text]))[0]

    mine, theirs = asyncio.run(both())
    assert (mine.total, dict(mine.parts)) == (theirs.total, dict(theirs.reward))  # type: ignore[attr-defined]
    assert mine.parts["profile.f1"] == pytest.approx(2 / 3)  # type: ignore[attr-defined]


def test_a_broken_contract_is_0_and_asks_nobody() -> None:
    given = score(Rewards(env("profile", "flaky")), "no blocks at all")
    assert (given.total, dict(given.parts)) == (0.0, {"profile.f1": 0.0, "flaky.nice": 0.0})  # type: ignore[attr-defined]
    assert given.malformed and Flaky.keys == []  # type: ignore[attr-defined]


def test_a_missing_verdict_is_asked_for_again_as_a_new_draw() -> None:
    Flaky.left = 2
    given = score(Rewards(env("flaky"), wait=0), reply("Hi"))
    assert given.total == 0.25  # type: ignore[attr-defined]
    assert Flaky.keys == ["case-0/0/1", "case-0/0/1#1", "case-0/0/1#2"]


def test_a_judge_that_is_down_stops_training_and_is_no_reward_of_0() -> None:
    Flaky.left = 100
    with pytest.raises(JudgeError, match=r"'flaky' gave no 'nice' .* in 3 tries \(429: busy\); training stops"):
        score(Rewards(env("flaky"), retries=2, wait=0), reply("Hi"))
    assert len(Flaky.keys) == 3
    Flaky.left = 0


def test_a_turn_that_is_never_scored_is_refused() -> None:
    with pytest.raises(UsageError, match=r"does not score 'nice'.*reads English only"):
        score(Rewards(env("silent"), wait=0), reply("Hi"))


def test_judges_without_a_reward_are_refused() -> None:
    with pytest.raises(UsageError, match="nothing to reward: no-reward"):
        Rewards(env("no-reward"))
    with pytest.raises(UsageError, match="nothing to reward: no judge"):
        Rewards(env())


def test_released_f1_has_the_released_faults() -> None:
    """Ten of ten is 0.952 there (one line too many), one of three golden lines with an extra line 2·(1/2·1/3)/(5/6)."""
    rewards = Rewards(env("released-f1-matched"))
    given = score(rewards, reply("Hi", "- Age: 30"))
    assert given.total == pytest.approx(released_f1(2, 3, 1)) == pytest.approx(0.4)  # type: ignore[attr-defined]
    perfect = reply("Hi", "- Age: 30\n- Occupation: nurse\n- Personality Traits: calm")
    assert score(rewards, perfect).total == pytest.approx(released_f1(4, 3, 3))  # type: ignore[attr-defined]


def test_a_model_counts_for_the_released_f1() -> None:
    """One call, both profiles as data, the count read as an answer; a broken contract costs no call."""
    model = puppet(answering({"count": 2}))
    judge = harness(model, "judge.released-f1.model=puppet:x").judges(["released-f1"])[0]
    rewards = Rewards(DialogueEnv(ToySimulator(Options(), judge.context), [judge]), wait=0)
    given = score(rewards, reply("Hi", "- Age: 30\n- Interests: chess"))
    assert given.total == pytest.approx(released_f1(3, 3, 2))  # type: ignore[attr-defined]
    shown = data(model.requests[0][0])
    assert shown["A"] == ["Age: 30", "Interests: chess"] and len(shown["B"]) == 3
    assert score(rewards, "no blocks").total == 0.0  # type: ignore[attr-defined]
    assert len(model.requests) == 1


def test_a_count_that_cannot_be_read_is_no_reward_of_0() -> None:
    model = puppet(answering({"count": "many"}))
    judge = harness(model, "judge.released-f1.model=puppet:x").judges(["released-f1"])[0]
    rewards = Rewards(DialogueEnv(ToySimulator(Options(), judge.context), [judge]), retries=1, wait=0)
    with pytest.raises(JudgeError, match="gave no 'f1'"):
        score(rewards, reply("Hi"))
