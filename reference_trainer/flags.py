"""A PPO recipe as the command line of stock OpenRLHF, every value with the flag of the authors' fork and its source.

The authors ran OpenRLHF 0.6.2 with flags that no longer exist, and defaults that have since changed silently; the
table below sets each of them. ``docs/how-to/train.md`` prints it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference_trainer.recipe import PpoRecipe

SCRIPT = "released script"
DEFAULT = "default of their OpenRLHF 0.6.2"
PAPER = "appendix E.2 and released script"
OURS = "ours"

Get = Callable[[PpoRecipe], Any]


@dataclass(frozen=True, slots=True)
class Flag:
    """One argument: True is a bare flag, False and None leave it out, a tuple is several words."""

    new: str
    old: str
    """The authors' flag; ``-`` where the value was a default or there was none."""
    get: Get
    source: str


def _ranks(recipe: PpoRecipe) -> int:
    return max(1, recipe.hardware.gpus)


FLAGS = (
    Flag("--actor.num_nodes", "--actor_num_nodes", lambda r: 1, PAPER),
    Flag("--actor.num_gpus_per_node", "--actor_num_gpus_per_node", _ranks, "section 4.1 (8; appendix E.2 says 4)"),
    Flag("--critic.num_nodes", "--critic_num_nodes", lambda r: 1, PAPER),
    Flag("--critic.num_gpus_per_node", "--critic_num_gpus_per_node", _ranks, "section 4.1 (8; appendix E.2 says 4)"),
    Flag("--ref.num_nodes", "--ref_num_nodes", lambda r: 1, PAPER),
    Flag("--ref.num_gpus_per_node", "--ref_num_gpus_per_node", _ranks, "section 4.1 (8; appendix E.2 says 4)"),
    Flag("--vllm.num_engines", "--vllm_num_engines", _ranks, SCRIPT),
    Flag("--vllm.tensor_parallel_size", "--vllm_tensor_parallel_size", lambda r: 1, SCRIPT),
    Flag("--train.colocate_all", "--colocate_all_models", lambda r: r.hardware.colocate, SCRIPT),
    Flag("--vllm.enable_sleep", "--vllm_enable_sleep", lambda r: r.hardware.colocate, SCRIPT),
    Flag("--ds.enable_sleep", "--deepspeed_enable_sleep", lambda r: r.hardware.colocate, SCRIPT),
    Flag("--vllm.sync_backend", "--vllm_sync_backend", lambda r: r.hardware.sync, SCRIPT),
    Flag(
        "--vllm.gpu_memory_utilization", "--vllm_gpu_memory_utilization", lambda r: r.hardware.vllm_memory,
        f"{SCRIPT}; the default is now 0.95",
    ),
    Flag("--vllm.enforce_eager", "-", lambda r: r.hardware.vllm_eager, OURS),
    Flag(
        "--vllm.enable_prefix_caching", "-", lambda r: r.hardware.prefix_caching,
        f"{OURS}: the prompts of a turn's samples, and of its next turn, begin alike",
    ),
    Flag("--actor.model_name_or_path", "--pretrain", lambda r: r.model, "section 4.1"),
    Flag("--algo.advantage.estimator", "-", lambda r: "gae", "appendix B"),
    Flag("--algo.advantage.gamma", "-", lambda r: r.optimiser.gamma, DEFAULT),
    Flag("--algo.advantage.lambd", "-", lambda r: r.optimiser.lambd, f"{DEFAULT}; now 1"),
    Flag("--algo.kl.init_coef", "--init_kl_coef", lambda r: r.optimiser.kl, SCRIPT),
    Flag("--algo.kl.estimator", "-", lambda r: "k1", DEFAULT),
    Flag("--actor.eps_clip", "-", lambda r: r.optimiser.clip, DEFAULT),
    Flag("--critic.value_clip", "-", lambda r: r.optimiser.value_clip, f"{DEFAULT}; now 0.5"),
    Flag("--actor.adam.lr", "--actor_learning_rate", lambda r: r.optimiser.actor_lr, PAPER),
    Flag("--critic.adam.lr", "--critic_learning_rate", lambda r: r.optimiser.critic_lr, PAPER),
    Flag("--actor.adam.betas", "-", lambda r: r.optimiser.betas, DEFAULT),
    Flag("--critic.adam.betas", "-", lambda r: r.optimiser.betas, DEFAULT),
    Flag("--actor.lr_warmup_ratio", "-", lambda r: r.optimiser.warmup, DEFAULT),
    Flag("--critic.lr_warmup_ratio", "-", lambda r: r.optimiser.warmup, DEFAULT),
    Flag("--actor.lr_scheduler", "-", lambda r: "cosine_with_min_lr", DEFAULT),
    Flag("--critic.lr_scheduler", "-", lambda r: "cosine_with_min_lr", DEFAULT),
    Flag("--actor.min_lr_ratio", "-", lambda r: 0.1, DEFAULT),
    Flag("--critic.min_lr_ratio", "-", lambda r: 0.1, DEFAULT),
    Flag("--actor.max_norm", "-", lambda r: r.optimiser.max_norm, DEFAULT),
    Flag("--critic.max_norm", "-", lambda r: r.optimiser.max_norm, DEFAULT),
    Flag("--reward.clip_range", "-", lambda r: r.reward.clip, DEFAULT),
    Flag("--rollout.n_samples_per_prompt", "--n_samples_per_prompt", lambda r: r.rollout.samples, PAPER),
    Flag(
        "--rollout.batch_size", "--rollout_batch_size and --round_batch_size", lambda r: r.rollout.batch,
        f"{PAPER}; turns of so many open dialogues",
    ),
    Flag(
        "--rollout.micro_batch_size", "--micro_rollout_batch_size", lambda r: r.rollout.micro_batch, PAPER,
    ),
    Flag("--rollout.temperature", "-", lambda r: r.rollout.temperature, DEFAULT),
    Flag("--rollout.top_p", "-", lambda r: r.rollout.top_p, DEFAULT),
    Flag("--data.max_len", "--prompt_max_len", lambda r: r.rollout.max_length, f"{SCRIPT}: 4096 + 4096, now one limit"),
    Flag("--rollout.max_new_tokens", "--generate_max_len", lambda r: r.rollout.max_new_tokens, SCRIPT),
    Flag("--train.batch_size", "--train_batch_size", lambda r: r.optimiser.batch, PAPER),
    Flag("--train.micro_batch_size", "--micro_train_batch_size", lambda r: r.optimiser.micro_batch, PAPER),
    Flag("--train.max_epochs", "--max_epochs", lambda r: r.optimiser.epochs, PAPER),
    Flag(
        "--train.num_episodes", "--num_episodes", lambda r: 1,
        f"{PAPER}; more episodes are more rows of the data set",
    ),
    Flag("--ds.zero_stage", "--zero_stage", lambda r: r.hardware.zero_stage, SCRIPT),
    Flag("--ds.param_dtype", "--bf16", lambda r: "bf16", SCRIPT),
    Flag("--ds.attn_implementation", "--flash_attn", lambda r: r.hardware.attention, SCRIPT),
    Flag("--ds.packing_samples", "--packing_samples", lambda r: r.hardware.packing, SCRIPT),
    Flag(
        "--actor.gradient_checkpointing_enable", "--gradient_checkpointing",
        lambda r: r.hardware.gradient_checkpointing, SCRIPT,
    ),
    Flag("--ckpt.save_hf", "--save_hf_ckpt", lambda r: True, SCRIPT),
    Flag("--ckpt.save_steps", "--save_steps", lambda r: r.checkpoints.every, SCRIPT),
    Flag("--ckpt.max_num", "-", lambda r: r.checkpoints.keep, DEFAULT),
    Flag("--ckpt.load_enable", "-", lambda r: True, f"{OURS}: resumes where there is a checkpoint"),
    Flag(
        "--ckpt.best_metric_key", "-", lambda r: "none",
        f"{OURS}: the last checkpoint counts, none is chosen by its score",
    ),
    Flag("--logger.logging_steps", "-", lambda r: 1, DEFAULT),
    Flag("--train.seed", "-", lambda r: r.seed, DEFAULT),
)  # fmt: skip

LEFT_OUT = (
    ("--remote_rm_url", "--train.agent_func_path: our agent executor asks user and judges"),
    ("--use_multiturn --max_rounds 10", "`users.turns` of the recipe; one row of the data set is one turn"),
    ("--system_file", "the contract of the suite, as in every run"),
    ("--apply_chat_template", "done in the executor, which renders each turn"),
    ("--normalize_reward", "nothing: it only set buffers of the critic to 0 and 1"),
    ("--max_samples", "`users.limit` of the recipe"),
    ("--use_wandb", "TensorBoard files; no account is needed"),
)
"""The authors' flags that no flag of today replaces."""


def arguments(recipe: PpoRecipe, folder: Path) -> list[str]:
    """The arguments of ``openrlhf.cli.train_ppo_ray`` for a recipe whose files lie in ``folder``."""
    return list(_words([*((flag.new, flag.get(recipe)) for flag in FLAGS), *_places(recipe, folder)]))


def _places(recipe: PpoRecipe, folder: Path) -> Iterator[tuple[str, Any]]:
    """What depends on where the run lies."""
    yield "--train.agent_func_path", str(folder / "agent.py")
    yield "--data.prompt_dataset", str(folder / "tickets.jsonl")
    yield "--data.input_key", "input"
    yield "--data.label_key", "label"
    yield "--ckpt.path", str(folder / "checkpoints")
    yield "--ckpt.output_dir", str(folder / "final")
    yield "--logger.tensorboard_dir", str(folder / "tensorboard")
    yield "--logger.wandb.run_name", folder.name
    if recipe.users.dev_profiles:
        yield "--eval.dataset", str(folder / "dev.jsonl")
        yield "--eval.steps", recipe.evaluation.every
        yield "--eval.temperature", recipe.evaluation.temperature
        yield "--eval.n_samples_per_prompt", 1


def _words(pairs: list[tuple[str, Any]]) -> Iterator[str]:
    for flag, value in pairs:
        if value is None or value is False:
            continue
        yield flag
        if value is True:
            continue
        yield from (str(each) for each in (value if isinstance(value, tuple) else (value,)))


def table(recipe: PpoRecipe) -> str:
    """Old flag, new flag, value and source of everything a recipe sets, as a Markdown table."""
    lines = ["| authors (OpenRLHF 0.6.2) | OpenRLHF 0.11.2 | value | source |", "|---|---|---|---|"]
    for flag in FLAGS:
        value = flag.get(recipe)
        shown = {True: "set", False: "not set"}.get(value, value) if isinstance(value, bool) else value
        text = " ".join(map(str, shown)) if isinstance(shown, tuple) else str(shown)
        old = "-" if flag.old == "-" else f"`{flag.old}`"
        lines.append(f"| {old} | `{flag.new}` | {text} | {flag.source} |")
    lines += [f"| `{old}` | {new} | | {SCRIPT} |" for old, new in LEFT_OUT]
    return "\n".join(lines)
