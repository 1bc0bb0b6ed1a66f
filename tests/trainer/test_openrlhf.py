"""Guards against another OpenRLHF: its own parser takes our arguments, its own sample code takes our samples."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from concurrent.futures import wait
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_engine import FakeEngine
from stock_openrlhf import SOURCE, needs_openrlhf, needs_torch, stock
from toys import reply

from reference_trainer.executor import Policy, TurnPlayer
from reference_trainer.flags import arguments
from reference_trainer.recipe import PpoRecipe, load, names
from reference_trainer.setting import Setting
from reference_trainer.stock_parser import parsed
from reference_trainer.store import DialogueStore
from rlpa_bench.errors import UsageError

from .test_executor import setting

PPO = [name for name in names() if load(name).kind == "ppo"]
AUTHORS = [
    "--ref_num_nodes",
    "1",
    "--ref_num_gpus_per_node",
    "8",
    "--critic_num_nodes",
    "1",
    "--critic_num_gpus_per_node",
    "8",
    "--actor_num_nodes",
    "1",
    "--actor_num_gpus_per_node",
    "8",
    "--vllm_num_engines",
    "8",
    "--vllm_tensor_parallel_size",
    "1",
    "--colocate_all_models",
    "--vllm_gpu_memory_utilization",
    "0.65",
    "--pretrain",
    "Qwen2.5-3B-Instruct",
    "--remote_rm_url",
    "rfn.py",
    "--save_path",
    "saves",
    "--ckpt_path",
    "ckpt",
    "--save_hf_ckpt",
    "--micro_train_batch_size",
    "4",
    "--train_batch_size",
    "128",
    "--micro_rollout_batch_size",
    "16",
    "--rollout_batch_size",
    "256",
    "--n_samples_per_prompt",
    "4",
    "--max_epochs",
    "1",
    "--num_episodes",
    "1",
    "--prompt_max_len",
    "4096",
    "--generate_max_len",
    "4096",
    "--zero_stage",
    "3",
    "--bf16",
    "--actor_learning_rate",
    "5e-7",
    "--critic_learning_rate",
    "9e-6",
    "--init_kl_coef",
    "0.01",
    "--prompt_data",
    "users.jsonl",
    "--input_key",
    "input",
    "--label_key",
    "profile",
    "--apply_chat_template",
    "--normalize_reward",
    "--packing_samples",
    "--save_steps",
    "10",
    "--flash_attn",
    "--gradient_checkpointing",
    "--vllm_sync_backend",
    "nccl",
    "--vllm_enable_sleep",
    "--deepspeed_enable_sleep",
    "--use_multiturn",
    "--max_rounds",
    "10",
    "--round_batch_size",
    "256",
    "--system_file",
    "actor_sys.txt",
]


@needs_openrlhf
@pytest.mark.parametrize("name", PPO)
def test_openrlhf_takes_the_arguments_of_every_recipe(name: str) -> None:
    recipe = load(name)
    assert SOURCE and isinstance(recipe, PpoRecipe)
    args = parsed(SOURCE, arguments(recipe, Path("out")))
    assert (args.algo.advantage.estimator, args.reward.remote_url) == ("gae", ["agent"])
    assert args.critic.model_name_or_path == recipe.model, "the critic begins as the policy, with a fresh value head"
    assert args.train.agent_func_path.endswith("agent.py")


@needs_openrlhf
def test_the_authors_numbers_arrive_and_changed_defaults_are_undone() -> None:
    assert SOURCE
    recipe = load("qwen-rlpa")
    assert isinstance(recipe, PpoRecipe)
    args = parsed(SOURCE, arguments(recipe, Path("out")))
    advantage, rollout, train = args.algo.advantage, args.rollout, args.train
    assert (advantage.lambd, advantage.gamma, args.critic.value_clip, args.actor.eps_clip) == (0.95, 1.0, 0.2, 0.2)
    assert (args.actor.adam.lr, args.critic.adam.lr, args.algo.kl.init_coef) == (5e-7, 9e-6, 0.01)
    assert (rollout.batch_size, rollout.micro_batch_size, rollout.n_samples_per_prompt) == (256, 16, 4)
    assert (train.batch_size, train.micro_batch_size, train.max_epochs, train.num_episodes) == (128, 4, 1, 1)
    assert (args.data.max_len, rollout.max_new_tokens, rollout.temperature, rollout.top_p) == (8192, 4096, 1.0, 1.0)
    assert (args.actor.num_gpus_per_node, args.vllm.num_engines, args.ds.zero_stage) == (8, 8, 3)
    assert args.train.colocate_all and args.vllm.enable_sleep and args.ds.enable_sleep and args.ds.packing_samples
    assert args.ds.attn_implementation == "flash_attention_2" and args.vllm.gpu_memory_utilization == 0.65
    assert (args.ckpt.save_steps, args.ckpt.best_metric_key, args.train.seed) == (10, "none", 42)
    bare = parsed(
        SOURCE, ["--actor.model_name_or_path", "x", "--reward.remote_url", "x", "--actor.num_gpus_per_node", "1"]
    )
    assert (bare.algo.advantage.lambd, bare.critic.value_clip) == (1, 0.5), "the defaults that the recipe undoes"


@needs_openrlhf
def test_the_authors_own_flags_are_refused() -> None:
    assert SOURCE
    with pytest.raises(UsageError, match=r"OpenRLHF refuses the arguments: unrecognized arguments: --ref_num_nodes"):
        parsed(SOURCE, AUTHORS)


@needs_openrlhf
def test_its_own_assertions_are_ours_to_read() -> None:
    assert SOURCE
    recipe = load("qwen-rlpa")
    assert isinstance(recipe, PpoRecipe)
    words = arguments(recipe, Path("out"))
    words[words.index("--rollout.batch_size") + 1] = "8"
    with pytest.raises(UsageError, match="number of sample batches must be greater"):
        parsed(SOURCE, words)


class Cluster:
    """Ray as OpenRLHF's sampler uses it: refs are futures of work on one event loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def method(self, work: Any) -> Any:
        async def run(*given: Any, **named: Any) -> Any:
            result = work(*given, **named)
            return await result if asyncio.iscoroutine(result) else result

        return SimpleNamespace(remote=lambda *a, **k: asyncio.run_coroutine_threadsafe(run(*a, **k), self.loop))

    def get(self, ref: Any) -> Any:
        return [one.result() for one in ref] if isinstance(ref, list) else ref.result()

    def wait(self, refs: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        done, _ = wait(refs, timeout, "FIRST_COMPLETED")
        ready = [ref for ref in refs if ref in done][:num_returns]
        return ready, [ref for ref in refs if ref not in ready]

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class Executor:
    """Our player behind the signature that OpenRLHF calls."""

    def __init__(self, player: TurnPlayer, of: Setting) -> None:
        self.player, self.of = player, of

    async def execute(
        self, prompt: str, label: str, sampling_params: Any, max_length: int, hf_tokenizer: Any, llm_engine: Any,
        images: Any = None,
    ) -> Any:  # fmt: skip
        return await self.player.execute(
            prompt, label, Policy(llm_engine, hf_tokenizer, sampling_params, self.of.limits)
        )


@needs_openrlhf
@needs_torch
@pytest.mark.parametrize(("users", "steps"), [(4, 3), (6, 5)], ids=["whole batches", "a tail batch"])
def test_openrlhfs_own_sampler_plays_all_dialogues(users: int, steps: int) -> None:
    """Its sampler, its engine actor and its experiences around a fake engine: two engines, shuffled tickets."""
    of = setting(f"users.limit={users}", "rollout.batch=4")
    dialogues = DialogueStore(of.cases, of.users.start, of.users.advance, open_at_once=4, samples=4)
    player = TurnPlayer(dialogues, of.rewards, None)
    cluster = Cluster()
    with stock() as load_module:
        sampler = load_module("trainer.ppo_utils.samples_generator")
        actor = load_module("trainer.ray.vllm_engine").RolloutRayActor
        experience = load_module("trainer.ppo_utils.experience").Experience
        sampler.ray.get, sampler.ray.wait = cluster.get, cluster.wait
        engines = []
        for seed in range(2):
            fake = FakeEngine(lambda text, n, seed=seed: reply(f"I see. What else, {seed}{n}?", f"- Age: {n}"))
            engine = actor.__new__(actor)
            engine.executor, engine.generate = Executor(player, of), fake.generate
            engine.llm = SimpleNamespace(output_processor=SimpleNamespace(get_num_unfinished_requests=lambda: 0))
            called = {"generate_responses", "get_num_unfinished_requests"}
            engines.append(SimpleNamespace(**{name: cluster.method(getattr(engine, name)) for name in called}))
        rows = [(["train"], [f"train {t}"], [json.dumps({"ticket": t, "split": "train"})], [None])
                for t in range(of.turns)]  # fmt: skip
        random.Random(0).shuffle(rows)
        args = SimpleNamespace(
            rollout=SimpleNamespace(batch_size=4, n_samples_per_prompt=4, vllm_generate_batch_size=4),
            algo=SimpleNamespace(dynamic_filtering_enable=False, advantage=SimpleNamespace(is_correction_level="off")),
            vllm=SimpleNamespace(enable_sleep=False),
        )
        generator = sampler.SamplesGenerator(SimpleNamespace(args=args), rows, None, fake.tokenizer, engines)
        played: list[list[int]] = []
        exhausted = False
        while not exhausted:
            samples, _, _, exhausted = generator.generate_samples(max_len=8000, max_new_tokens=400)
            if samples:
                whole = experience.concat_experiences(samples, 0)
                assert whole.sequences.shape[0] == len(samples) and whole.rewards.shape == (len(samples),)
                assert whole.action_mask.sum() > 0
                played.append([int(turn) for turn in whole.info["turn"]])
    cluster.close()
    assert len(played) == steps and sum(map(len, played)) == users * 3 * 4
    assert sorted(dialogues.finished) == list(range(users))
    assert Counter(turn for step in played for turn in step) == dict.fromkeys((1, 2, 3), users * 4)
    assert [set(step) for step in played[:3]] == [{1}, {2}, {3}], "the released order"
