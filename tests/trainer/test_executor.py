"""The executor with a fake engine: what the policy sees, what it is rewarded for, what goes back to OpenRLHF."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from fake_engine import END, FakeEngine, Sampling
from toys import reply

from reference_trainer.executor import Limits, Policy, TrajectoryPlayer, TurnPlayer
from reference_trainer.recipe import PpoRecipe, parse
from reference_trainer.rendering import between, prompt
from reference_trainer.setting import Setting
from reference_trainer.store import DialogueStore
from rlpa_bench.errors import UsageError
from rlpa_bench.types import Message

RECIPE = """
kind = "ppo"
title = "test"
model = "none"
[users]
suite = "training"
limit = 4
turns = 3
dev_profiles = 2
[reward]
judges = ["profile", "rules"]
[rollout]
batch = 4
micro_batch = 4
samples = 4
max_length = 8000
max_new_tokens = 400
[optimiser]
batch = 16
micro_batch = 4
[hardware]
parameters = 0.001
"""


def setting(*changes: str) -> Setting:
    recipe = parse(RECIPE, "test", changes)
    assert isinstance(recipe, PpoRecipe)
    return Setting(recipe)


def dialogues(of: Setting) -> DialogueStore:
    rollout = of.recipe.rollout
    return DialogueStore(
        of.cases, of.users.start, of.users.advance, open_at_once=rollout.batch, samples=rollout.samples
    )


def policy(engine: FakeEngine, of: Setting, **sampling: Any) -> Policy:
    return Policy(engine, engine.tokenizer, Sampling(**sampling), of.limits)


def label(ticket: int, split: str = "train") -> str:
    return json.dumps({"ticket": ticket, "split": split})


async def batch(player: Any, engine: FakeEngine, of: Setting, tickets: Sequence[int], n: int = 4) -> list[Any]:
    tasks = [player.execute(f"train {t}", label(t), policy(engine, of)) for t in tickets for _ in range(n)]
    return await asyncio.gather(*tasks)


def varied(text: str, number: int) -> str:
    """Every fourth sample says what is true of nobody, one guesses, one breaks the contract."""
    kinds = [reply("Hm. And you?", "- Age: 200"), "no blocks", reply("How old are you?", ""), reply("I see. And?", "")]
    return kinds[number % 4]


def test_the_policy_sees_what_a_candidate_of_the_benchmark_sees() -> None:
    """Only the latest assistant turn shows its profile; the prompt is the view's messages through the template."""
    of = setting()
    engine = FakeEngine(lambda text, n: reply(f"Reply {n}.", f"- Age: {20 + n}"))
    player = TurnPlayer(dialogues(of), of.rewards, of.dev)

    async def run() -> None:
        for ticket in range(12):
            await batch(player, engine, of, [ticket])

    asyncio.run(run())
    third = [text for ids in engine.seen if (text := engine.tokenizer.decode(ids)).count("<|im_start|>assistant") == 3]
    assert third
    for text in third:
        turns = text.split("<|im_start|>assistant\n")[1:-1]
        assert "<profile>" not in turns[0] and "<profile>" in turns[1]
        assert text.startswith(f"<|im_start|>system\n{of.env.contract.system}<|im_end|>")


def test_a_sample_is_the_prompt_then_what_the_policy_wrote_with_its_end_token() -> None:
    of = setting()
    engine = FakeEngine(lambda text, n: reply("Hello!", ""))
    player = TurnPlayer(dialogues(of), of.rewards, of.dev)

    async def one() -> Any:
        return await asyncio.gather(*(player.execute("p", label(0), policy(engine, of, logprobs=1)) for _ in range(4)))

    for sample in asyncio.run(one()):
        (start, end), tokens = sample["action_ranges"][0], sample["observation_tokens"]
        assert tokens[:start] == engine.seen[0] and end == len(tokens) and tokens[-1] == END
        assert engine.tokenizer.decode(tokens[start:end], True) == reply("Hello!", "")
        assert len(sample["rollout_log_probs"]) == len(tokens)
        assert sample["rollout_log_probs"][start - 1 : start + 2] == [0.0, 0.0, -1.0]
        assert sample["prompt"] == "p" and sample["label"] == label(0) and sample["truncated"] is False


def test_rewards_are_those_of_the_turn_and_every_part_is_logged() -> None:
    of = setting()
    engine = FakeEngine(varied)
    samples = asyncio.run(batch(TurnPlayer(dialogues(of), of.rewards, of.dev), engine, of, [0]))
    keys = {frozenset(sample["extra_logs"]) for sample in samples}
    assert keys == {
        frozenset({"profile.f1", "rules.gate", "malformed", "distinct_tokens", "exchanges_dropped", "turn"})
    }
    for sample in samples:
        logged = sample["extra_logs"]
        assert sample["reward"] == sample["scores"] == logged["profile.f1"] + logged["rules.gate"]
    broken = [sample for sample in samples if sample["extra_logs"]["malformed"]]
    assert len(broken) == 1 and broken[0]["reward"] == 0.0


def test_the_best_sample_continues() -> None:
    of = setting()
    engine = FakeEngine(lambda text, n: reply("What do you like to do?", "") if n % 4 == 2 else "no blocks")
    player = TurnPlayer(dialogues(of), of.rewards, of.dev)

    async def run() -> None:
        await batch(player, engine, of, [0, 1, 2, 3])
        await batch(player, engine, of, [4, 5, 6, 7])

    asyncio.run(run())
    second = [engine.tokenizer.decode(ids) for ids in engine.seen[16:]]
    assert second and all("What do you like to do?" in text and "no blocks" not in text for text in second)


def test_an_output_has_its_own_limit_whatever_the_context_still_holds() -> None:
    of = setting("rollout.max_new_tokens=20")
    engine = FakeEngine(lambda text, n: "x" * 100)
    shared = Sampling(max_tokens=None)
    player = TurnPlayer(dialogues(of), of.rewards, of.dev)

    async def run() -> Any:
        given = Policy(engine, engine.tokenizer, shared, of.limits)
        return await asyncio.gather(*(player.execute("p", label(0), given) for _ in range(4)))

    samples = asyncio.run(run())
    assert [len(s["observation_tokens"]) - s["action_ranges"][0][0] for s in samples] == [20] * 4
    assert all(s["truncated"] and s["reward"] == 0.0 for s in samples)
    assert shared.max_tokens is None, "the engine's parameters are shared by the samples of a ticket"


def test_the_oldest_exchanges_leave_a_prompt_that_is_too_long() -> None:
    tokenizer = FakeEngine(str).tokenizer
    messages = [Message("system", "S" * 50)]
    for n in range(5):
        messages += [Message("user", f"u{n}" * 20), Message("assistant", f"a{n}" * 20)]
    messages.append(Message("user", "now"))
    whole, dropped = prompt(tokenizer, messages, 10_000)
    assert dropped == 0
    cut, dropped = prompt(tokenizer, messages, len(whole) - 1)
    text = tokenizer.decode(cut)
    assert dropped == 1 and "u0" not in text and "u1" in text and text.startswith("<|im_start|>system")
    with pytest.raises(UsageError, match=r"but a prompt may have 40; raise rollout\.max_length"):
        prompt(tokenizer, messages, 40)


def test_evaluation_plays_whole_dialogues_with_users_set_apart_and_selects_nothing() -> None:
    of = setting()
    assert not {case.cluster for case in of.cases} & {case.cluster for case in of.dev_cases}
    engine = FakeEngine(lambda text, n: reply("And what do you do?", ""))
    player = TurnPlayer(dialogues(of), of.rewards, of.dev)
    sample = asyncio.run(player.execute("dev 1", label(1, "dev"), policy(engine, of)))
    assert len(engine.seen) == 3 and sample["extra_logs"]["turn"] == 3
    assert 0 <= sample["reward"] <= 2 and len(sample["action_ranges"]) == 1


def test_trajectory_credit_is_one_growing_sample_with_the_mean_reward() -> None:
    of = setting('credit="trajectory"', "optimiser.lambd=1.0")
    engine = FakeEngine(lambda text, n: reply(f"Reply {n}. And you?", f"- Age: {40 + n}"))
    player = TrajectoryPlayer(of.cases, of.users, of.rewards, of.dev, of.limits)
    sample = asyncio.run(player.execute("p", label(0), policy(engine, of, logprobs=1)))
    tokens, spans = sample["observation_tokens"], sample["action_ranges"]
    assert len(spans) == 3 and len(sample["rollout_log_probs"]) == len(tokens) == spans[-1][1]
    for ids, (start, _) in zip(engine.seen, spans, strict=True):
        assert tokens[:start] == ids, "what is trained on is what was sampled, token by token"
    text = engine.tokenizer.decode(tokens)
    assert "<|im_end|><|im_end|>" not in text and text.count("<profile>") >= 3
    for start, end in spans:
        assert engine.tokenizer.decode(tokens[start:end]).startswith("<profile>")
    assert sample["reward"] == pytest.approx(sample["extra_logs"]["profile.f1"] + sample["extra_logs"]["rules.gate"])


def test_the_end_token_stands_once_between_turns_whether_or_not_it_was_sampled() -> None:
    tokenizer = FakeEngine(str).tokenizer
    for ended in (True, False):
        ids = [
            *tokenizer("done", False)["input_ids"],
            *([END] if ended else []),
            *between(tokenizer, "Hi", ended=ended),
        ]
        expected = "done<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        assert tokenizer.decode(ids) == expected


def test_a_trajectory_without_room_ends_and_the_turns_that_never_came_count_as_0() -> None:
    of = setting('credit="trajectory"', "optimiser.lambd=1.0", "rollout.max_new_tokens=300")
    engine = FakeEngine(lambda text, n: reply("And you?", ""))
    whole = asyncio.run(
        TrajectoryPlayer(of.cases, of.users, of.rewards, None, of.limits).execute("p", label(0), policy(engine, of))
    )
    room = Limits(300, whole["action_ranges"][0][1] + 20)
    player = TrajectoryPlayer(of.cases, of.users, of.rewards, None, room)
    short = asyncio.run(player.execute("p", label(0), policy(engine, of)))
    assert len(short["action_ranges"]) == 1
    first = short["extra_logs"]["profile.f1"] + short["extra_logs"]["rules.gate"]
    assert short["reward"] == pytest.approx(first / 3)
