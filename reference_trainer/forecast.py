"""What a training run will need, said before it starts: calls and money, disk, GPU memory. Estimates, not promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reference_trainer.recipe import PpoRecipe
from reference_trainer.setting import Setting
from rlpa_bench.calls import price
from rlpa_bench.estimate import INSTRUCTIONS, PROFILE, REPLY, USER

TRAINED = 16
"""Bytes per parameter of a model that is trained: bf16 weight and gradient, fp32 copy and two moments."""
RESUMABLE = 14
"""Bytes per parameter in a checkpoint that can be resumed."""
WEIGHT = 2
"""Bytes per parameter in bf16: the reference model, an engine, an exported model."""
ACTIVATIONS = 8.0
"""GB per GPU for activations and logits of one micro-batch: a guess that depends on lengths more than on anything."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one model in one role, and what they may cost."""

    role: str
    model: str
    calls: int
    dollars: float | None
    """None is unpriced, not free."""


def calls(setting: Setting) -> list[Calls]:
    """Calls of users and judges by model, for training and for the evaluation meanwhile; retries are not counted."""
    recipe = setting.recipe
    turns = setting.turns
    evaluations = setting.steps // recipe.evaluation.every if setting.dev_cases else 0
    dev = sum(case.turns for case in setting.dev_cases) * evaluations
    train = [judge.name for judge in setting.env.judges if not judge.deterministic]
    later = [judge.name for judge in setting.dev_env.judges if not judge.deterministic]
    by_role = {
        "simulator": turns + dev,
        "judge": turns * recipe.rollout.samples * len(train) + dev * len(later),
    }
    out = []
    for spec, role in setting.harness.context.roles:
        count = by_role.get(role, 0)
        model = setting.harness.context.endpoint(spec).model
        prompt = count * (INSTRUCTIONS + _history(turns // max(1, len(setting.cases))))
        out.append(
            Calls(role, spec, count, price((prompt, count * (USER if role == "simulator" else REPLY)), model.prices))
        )
    return out


def _history(turns: int) -> int:
    """Tokens of history in an average prompt of a dialogue."""
    return (turns + 1) // 2 * (USER + REPLY) + PROFILE


@dataclass(frozen=True, slots=True)
class Memory:
    """GB on each GPU, in the two phases of a step and when nothing is offloaded."""

    rollout: float
    """While engines write: their share of the GPU."""
    training: float
    """While models are trained."""
    gpu: float

    @property
    def most(self) -> float:
        return max(self.rollout, self.training)


def memory(recipe: PpoRecipe) -> Memory:
    """GPU memory of actor, critic, reference and engine. With ``colocate`` the phases take turns, else each model has
    a GPU of its own and the larger figure holds."""
    hardware, ranks = recipe.hardware, max(1, recipe.hardware.gpus)
    share = ranks if hardware.zero_stage == 3 else 1
    spread = ranks if hardware.zero_stage >= 1 else 1
    one = WEIGHT / share + (TRAINED - WEIGHT) / spread  # a trained model's bytes per parameter on one GPU
    models = 2 if hardware.colocate else 1
    training = hardware.parameters * (models * one + WEIGHT / share) + ACTIVATIONS
    return Memory(hardware.vllm_memory * hardware.gpu_gb, training, float(hardware.gpu_gb))


def disk(setting: Setting) -> float:
    """GB of checkpoints: resumable ones of actor and critic, one more than are kept, and every exported model."""
    recipe = setting.recipe
    exported = setting.steps // recipe.checkpoints.every + 1
    kept = min(recipe.checkpoints.keep + 1, exported)
    return recipe.hardware.parameters * (2 * RESUMABLE * kept + WEIGHT * exported)


def lines(setting: Setting) -> Iterator[str]:
    """The forecast in words."""
    recipe = setting.recipe
    what = "turns" if recipe.credit == "turn" else "dialogues"
    yield (
        f"{len(setting.cases)} users x {setting.turns // max(1, len(setting.cases))} turns: {setting.tickets} {what}, "
        f"{setting.steps} steps of {recipe.rollout.batch} {what} x {recipe.rollout.samples} samples, "
        f"{setting.tickets * recipe.rollout.samples // recipe.optimiser.batch} optimiser steps"
    )
    rows = setting.turns if recipe.credit == "turn" else len(setting.cases) * recipe.users.episodes
    if extra := setting.tickets - rows:
        yield (
            f"{extra} of the {what} meet the first users again, so that the last batch divides among "
            f"{max(1, recipe.hardware.gpus)} GPUs"
        )
    expected = calls(setting)
    for each in expected:
        cost = (
            "unpriced (set the model's price_prompt and price_completion)"
            if each.dollars is None
            else f"${each.dollars:,.0f}"
        )
        yield f"{each.calls:,} {each.role} calls to {each.model}: {cost}"
    if not expected:
        yield "users and judges are offline: no calls, no price"
    yield f"disk: about {disk(setting):,.1f} GB of checkpoints"
    need = memory(recipe)
    if recipe.hardware.gpus == 0:
        yield "no GPU: the engine's parts on a CPU, a test and no way to train"
        return
    apart = "" if recipe.hardware.colocate else ", each model on a GPU of its own"
    yield (
        f"GPU memory: of {need.gpu:.0f} GB about {need.rollout:.0f} GB while engines write and {need.training:.0f} GB "
        f"while models are trained{apart}"
    )
    if need.most > need.gpu:
        yield f"that is more than a GPU of {need.gpu:.0f} GB has: raise hardware.zero_stage or take more GPUs"
