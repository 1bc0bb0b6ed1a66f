"""The small PPO on a tiny model of random weights: it learns, it can be resumed, and it stops with a clear word."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the small PPO needs torch")
pytest.importorskip("transformers", reason="the tiny model is a Llama of transformers")

from reference_trainer.causal import Batch, log_probs, write  # noqa: E402
from reference_trainer.monitor import StoppedError  # noqa: E402
from reference_trainer.ppo import PPO, Settings, check_distinct, train  # noqa: E402
from reference_trainer.rewards import Rewards  # noqa: E402
from reference_trainer.store import DialogueStore  # noqa: E402
from rlpa_bench.build import Harness  # noqa: E402
from rlpa_bench.contract import Contract  # noqa: E402
from rlpa_bench.environment import DialogueEnv  # noqa: E402
from rlpa_bench.interfaces import Simulator  # noqa: E402
from rlpa_bench.options import Options  # noqa: E402
from rlpa_bench.types import Case, Gold, Item, Message, Session, State, Utterance  # noqa: E402

JOBS = ("nurse", "teacher", "baker", "plumber", "librarian", "pilot")
PROMPT, END = 22, 23
"""Of a vocabulary of 24 tokens: the first six write a job, the others are silent."""
SETTINGS = Settings(3e-3, 5e-3, tickets=16, batch=32, max_tokens=4, warmup=0.0)


class Toy:
    """A tokenizer whose every text keeps the contract, so that nothing has to be found by chance but the profile."""

    eos_token_id = END

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        jobs = [f"- Occupation: {JOBS[i]}" for i in ids if i < len(JOBS)]
        return Contract.write("\n".join(jobs), "I see.")

    @staticmethod
    def encode(messages: Sequence[Message]) -> list[int]:
        said = messages[-1].content
        return [PROMPT, next(i for i, job in enumerate(JOBS) if job in said)]


class Teller(Simulator):
    """Says what it does for a living in every turn."""

    name = "teller"
    Options = Options

    async def open(self, state: State) -> Utterance:
        assert state.case.gold
        (fact,) = state.case.gold.items
        return Utterance(f"I am a {fact.value}.", disclosed=(fact.key,))

    async def reply(self, state: State) -> Utterance:
        return await self.open(state)


def world() -> tuple[DialogueEnv, list[Case]]:
    """The real profile judge, and users who differ in nothing but their job."""
    harness = Harness("training")
    env = DialogueEnv(Teller(Options(), harness.context), harness.judges(["profile"]))
    facts = [Item("Occupation", job, id=f"occupation/{job}") for job in JOBS]
    cases = [Case(f"{i}", Gold((facts[i % len(JOBS)],)), f"{i}", (Session(3),)) for i in range(600)]
    return env, cases


def model(seed: int) -> Any:
    """About 27,000 parameters, random."""
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=END + 1,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=8,
            bos_token_id=None,
            eos_token_id=END,
            pad_token_id=END,
            attn_implementation="eager",
        )
        return LlamaForCausalLM(config)


def trainer(seed: int, steps: int, saved: Any = None) -> tuple[PPO, DialogueStore, Rewards]:
    torch.set_num_threads(1)
    env, cases = world()
    ppo = PPO(model(seed), replace(SETTINGS, seed=seed), steps)
    return ppo, DialogueStore(cases, env.start, env.advance, open_at_once=16, saved=saved), Rewards(env)


async def curve(seed: int, steps: int) -> list[float]:
    ppo, store, rewards = trainer(seed, steps)
    return [f["reward"] async for f in train(ppo, range(steps), store, rewards, Toy(), Toy.encode)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_mean_reward_rises(seed: int) -> None:
    """90 steps are enough to be nearly done with learning: .84 to .96 at the end, over 12 seeds, so that no rounding
    of another torch or processor decides (60 ended on the slope, at .71 to .80)."""
    rewards = asyncio.run(curve(seed, 90))
    first, last = sum(rewards[:5]) / 5, sum(rewards[-5:]) / 5
    assert first < 0.2, f"random weights already earn {first:.2f}"
    assert last > 0.7, f"after training the mean reward is {last:.2f}"


async def interrupted(seed: int, steps: int, at: int) -> list[float]:
    """The same as ``curve``, stopped after ``at`` steps and gone on with from what was saved, in new objects."""
    ppo, store, rewards = trainer(seed, steps)
    found = [f["reward"] async for f in train(ppo, range(at), store, rewards, Toy(), Toy.encode)]
    saved, dialogues = copy.deepcopy(ppo.state()), store.snapshot()
    ppo, store, rewards = trainer(seed + 1, steps, dialogues)  # other weights, until they are restored
    ppo.restore(saved)
    return found + [f["reward"] async for f in train(ppo, range(at, steps), store, rewards, Toy(), Toy.encode)]


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been() -> None:
    assert asyncio.run(interrupted(0, 8, at=5)) == asyncio.run(curve(0, 8))


def test_a_loss_that_is_no_number_stops_and_leaves_the_weights() -> None:
    ppo, _, _ = trainer(0, 1)
    batch = Batch.of([([PROMPT, 0], [1, END])] * 4, pad=END)
    before = copy.deepcopy(ppo.actor.state_dict())
    with pytest.raises(StoppedError, match="not a number"):
        ppo.learn(batch, torch.full((4,), torch.nan))
    assert all(torch.equal(value, before[name]) for name, value in ppo.actor.state_dict().items())


def test_a_policy_that_repeats_one_token_is_stopped() -> None:
    varied, stuck = list(range(20)), [3] * 15 + list(range(5))
    check_distinct([varied, varied, stuck])
    check_distinct([[1, 1, 1]] * 5)  # too short to tell
    with pytest.raises(StoppedError, match="2 of 3 completions repeat one token"):
        check_distinct([varied, stuck, stuck])


def test_rows_of_a_batch_do_not_see_their_mates() -> None:
    """Padding changes neither what is written at temperature 0 nor the log-probabilities of what was written."""
    llama = model(0)
    prompts = [[PROMPT], [PROMPT, 1], [PROMPT, 2, 3]]
    draws = torch.Generator().manual_seed(0)
    together = write(llama, prompts, draws, end=END, max_tokens=4, temperature=0.0)
    alone = [write(llama, [prompt], draws, end=END, max_tokens=4, temperature=0.0)[0] for prompt in prompts]
    assert together == alone
    rows = list(zip(prompts, [[4], [5, 6, END], [7, END]], strict=True))
    joint = log_probs(llama, Batch.of(rows, pad=END))
    for i, row in enumerate(rows):
        single = log_probs(llama, Batch.of([row], pad=END))[0]
        torch.testing.assert_close(joint[i, : len(row[1])], single, rtol=1e-4, atol=1e-5)


ROWS = [([PROMPT, 1, 2], [4]), ([PROMPT, 1, 2], [5, 6, END]), ([PROMPT], [7, END]), ([PROMPT], [8, 9, 1, END])]
"""Two turns of two samples, of unequal length."""


def learned(shared: int, s: Settings) -> tuple[list[Any], list[Any]]:
    """Log-probabilities and values of ROWS, and all weights after one step on them."""
    ppo = PPO(model(0), replace(s, batch=4, shared_prompts=shared > 1), 1, samples=2)
    torch.nn.init.normal_(ppo.critic.head.weight, generator=torch.Generator().manual_seed(0))
    batch = Batch.of(ROWS, pad=END, shared=shared)
    found = [part * batch.mask for part in (log_probs(ppo.actor, batch, bf16=s.bf16), ppo.critic(batch, bf16=s.bf16))]
    ppo.learn(batch, torch.tensor([0.0, 1.0, 0.5, 2.0]))
    return found, [*ppo.actor.parameters(), *ppo.critic.parameters()]


def test_samples_that_share_a_prompt_are_learnt_from_as_if_each_read_it() -> None:
    (each, weights), (once, others) = (learned(shared, SETTINGS) for shared in (1, 2))
    torch.testing.assert_close(once, each, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(others, weights, rtol=1e-3, atol=1e-5)
    assert not torch.allclose(weights[0], next(model(0).parameters()), atol=1e-4), "nothing was learnt"


def test_bfloat16_is_near_and_leaves_the_weights_in_float32() -> None:
    (exact, _), (rounded, weights) = (learned(2, replace(SETTINGS, bf16=bf16)) for bf16 in (False, True))
    torch.testing.assert_close(rounded, exact, rtol=0.02, atol=0.02)
    assert not torch.equal(rounded[0], exact[0]), "nothing was rounded"
    assert {weight.dtype for weight in weights} == {torch.float32}


def test_samples_of_one_prompt_are_written_as_if_each_read_it() -> None:
    llama, prompts = model(0), [[PROMPT, 1, 2], [PROMPT]]
    draws = [torch.Generator().manual_seed(3) for _ in range(2)]
    once = write(llama, prompts, draws[0], end=END, max_tokens=4, samples=3)
    each = write(llama, [p for p in prompts for _ in range(3)], draws[1], end=END, max_tokens=4)
    assert once == each
    assert len({tuple(ids) for ids in once}) > 1


def test_the_best_sample_goes_on_and_all_are_learnt_from() -> None:
    """Every step has tickets times samples rows; the store has finished a third of its dialogues after two turns."""
    ppo, store, rewards = trainer(0, 3)
    figures = asyncio.run(_three(ppo, store, rewards))
    assert [f["turn"] for f in figures] == [1.0, 2.0, 3.0]
    assert len(store.finished) == 16
    assert set(figures[0]) >= {"reward", "profile.f1", "malformed", "kl", "policy_loss", "value_loss", "tokens"}
    assert figures[0]["kl"] == 0.0, "the reference is the policy as it was at first"


async def _three(ppo: PPO, store: DialogueStore, rewards: Rewards) -> list[dict[str, float]]:
    return [f async for f in train(ppo, range(3), store, rewards, Toy(), Toy.encode)]
