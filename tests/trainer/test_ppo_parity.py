"""The formulas of the small PPO against OpenRLHF's own code, loaded by path from the pinned release."""

from __future__ import annotations

import ast
import importlib.util
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

torch = pytest.importorskip("torch", reason="the small PPO needs torch")

from reference_trainer import causal, ppo  # noqa: E402
from reference_trainer.engine import VERSION, source  # noqa: E402

FOUND = source()
pytestmark = pytest.mark.skipif(
    FOUND is None, reason=f"set RLPA_BENCH_OPENRLHF to the wheel of openrlhf {VERSION} (pip download --no-deps)"
)
SETTINGS = ppo.Settings(1e-4, 1e-4)


class Oracle:
    """OpenRLHF's functions: models/utils.py and models/loss.py as they are, GAE cut out of the experience maker."""

    def __init__(self, folder: Path) -> None:
        package = types.ModuleType("openrlhf_oracle")
        package.__path__ = [str(folder / "models")]
        sys.modules["openrlhf_oracle"] = package
        self.utils, self.losses = (self._module(name, folder) for name in ("utils", "loss"))
        maker = ast.parse((folder / "trainer/ppo_utils/experience_maker.py").read_text(encoding="utf-8"))
        functions = {node.name: node for node in ast.walk(maker) if isinstance(node, ast.FunctionDef)}
        names: dict[str, Any] = {"torch": torch, "compute_reward": self.utils.compute_reward, "MagicMock": MagicMock}
        exec("from typing import List, Tuple\nimport itertools\nExperience = object", names)
        names |= {"apply_length_penalties": lambda experiences, args: None}
        for name in ("get_advantages_and_returns", "compute_advantages_and_returns"):
            exec(compile(ast.Module([functions[name]], []), name, "exec"), names)
        self.gae, self.whole = names["get_advantages_and_returns"], names["compute_advantages_and_returns"]

    @staticmethod
    def _module(name: str, folder: Path) -> Any:
        spec = importlib.util.spec_from_file_location(f"openrlhf_oracle.{name}", folder / "models" / f"{name}.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    """With a stand-in for DeepSpeed, which the file imports and these functions do not use."""
    assert FOUND is not None
    before = dict(sys.modules)
    sys.modules["deepspeed"] = MagicMock()
    compile_before, torch.compile = torch.compile, lambda function: function
    try:
        yield Oracle(FOUND)
    finally:
        torch.compile = compile_before
        for name in set(sys.modules) - set(before):
            if name.startswith(("openrlhf_oracle", "deepspeed")):
                del sys.modules[name]


def drawn(seed: int, rows: int = 5, width: int = 9) -> dict[str, Any]:
    """Random tensors and completions of unequal length, one of them a single token."""
    draws = torch.Generator().manual_seed(seed)
    lengths = [1, width, *(int(torch.randint(1, width + 1, (1,), generator=draws)) for _ in range(rows - 2))]
    mask = torch.tensor([[1.0] * n + [0.0] * (width - n) for n in lengths])
    names = ("values", "old_values", "log_probs", "old", "returns", "estimates")
    made = {name: torch.randn(rows, width, generator=draws) for name in names}
    # far enough to meet every clamp: rewards beyond the clip, KL beyond 10, ratios beyond 20
    made |= {"log_ratio": 8 * torch.randn(rows, width, generator=draws)}
    made |= {"totals": 9 * torch.randn(rows, generator=draws)}
    made["far"] = made["old"] + 15 * torch.randn(rows, width, generator=draws)
    return {"mask": mask, **made}


SEEDS = pytest.mark.parametrize("seed", range(20))


@SEEDS
def test_the_reward_lies_on_the_last_token_and_the_kl_on_every_one(oracle: Oracle, seed: int) -> None:
    d = drawn(seed)
    kl = oracle.utils.compute_approx_kl(d["log_ratio"], torch.zeros_like(d["log_ratio"]), kl_estimator="k1")
    theirs = oracle.utils.compute_reward(d["totals"], SETTINGS.kl, kl, d["mask"], SETTINGS.reward_clip)
    assert torch.equal(ppo.shaped_rewards(d["totals"], d["log_ratio"], d["mask"], SETTINGS), theirs)


@SEEDS
@pytest.mark.parametrize(("gamma", "lambd"), [(1.0, 0.95), (1.0, 1.0), (0.9, 0.5)])
def test_advantages_and_returns(oracle: Oracle, seed: int, gamma: float, lambd: float) -> None:
    d = drawn(seed)
    theirs = oracle.gae(None, d["values"], d["returns"], d["mask"], gamma, lambd)
    ours = ppo.advantages(d["values"], d["returns"], d["mask"], replace(SETTINGS, gamma=gamma, lambd=lambd))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)


@SEEDS
def test_a_whole_step_from_rewards_to_whitened_advantages(oracle: Oracle, seed: int) -> None:
    d = drawn(seed, rows=4)
    kl = d["log_ratio"].clamp(-10, 10)
    experience = types.SimpleNamespace(
        rewards=d["totals"], index=[0, 1, 2, 3], kl=kl, action_mask=d["mask"], values=d["values"], info={}
    )
    algo = types.SimpleNamespace(estimator="gae", gamma=1.0, lambd=0.95, no_std_norm=False)
    maker = types.SimpleNamespace(
        strategy=types.SimpleNamespace(
            args=types.SimpleNamespace(
                rollout=types.SimpleNamespace(n_samples_per_prompt=4),
                algo=types.SimpleNamespace(advantage=algo),
                reward=types.SimpleNamespace(clip_range=SETTINGS.reward_clip),
            )
        ),
        kl_ctl=types.SimpleNamespace(value=SETTINGS.kl),
        advantage_estimator="gae",
    )
    maker.get_advantages_and_returns = lambda *given: oracle.gae(maker, *given)
    (theirs,) = oracle.whole(maker, [experience])
    shaped = ppo.shaped_rewards(d["totals"], d["log_ratio"], d["mask"], SETTINGS)
    estimates, returns = ppo.advantages(d["values"], shaped, d["mask"], SETTINGS)
    torch.testing.assert_close(ppo.whitened(estimates, d["mask"]), theirs.advantages, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(returns, theirs.returns, rtol=1e-5, atol=1e-5)


@SEEDS
@pytest.mark.parametrize("which", ["log_probs", "far"])
def test_policy_loss_and_its_gradient(oracle: Oracle, seed: int, which: str) -> None:
    d = drawn(seed)
    mine, other = (d[which].clone().requires_grad_() for _ in range(2))
    ours = ppo.policy_loss(mine, d["old"], d["estimates"], d["mask"], SETTINGS)
    theirs = oracle.losses.PolicyLoss(0.2, 0.2)(other, d["old"], d["estimates"], action_mask=d["mask"])[0]
    torch.testing.assert_close(ours, theirs)
    for loss in (ours, theirs):
        loss.backward()
    torch.testing.assert_close(mine.grad, other.grad)


@SEEDS
def test_value_loss_and_its_gradient(oracle: Oracle, seed: int) -> None:
    d = drawn(seed)
    mine, other = (d["values"].clone().requires_grad_() for _ in range(2))
    ours = ppo.value_loss(mine, d["old_values"], d["returns"], d["mask"], SETTINGS)
    theirs = oracle.losses.ValueLoss(SETTINGS.value_clip)(other, d["old_values"], d["returns"], d["mask"])
    torch.testing.assert_close(ours, theirs)
    for loss in (ours, theirs):
        loss.backward()
    torch.testing.assert_close(mine.grad, other.grad)


@SEEDS
def test_log_probabilities_of_written_tokens(oracle: Oracle, seed: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 8, 11, generator=draws)
    rows = [([1], [2, 3, 4, 5, 6, 7]), ([1, 2], [3, 4]), ([1, 2], [9, 9, 9])]
    batch = causal.Batch.of(rows, pad=0)
    width = batch.mask.shape[1]
    out = types.SimpleNamespace(logits=logits[:, -width - 1 :])
    labels = batch.ids[:, -width:]
    ours = causal.log_probs(lambda **given: out, batch, temperature=0.7)
    theirs = oracle.utils.log_probs_from_logits(logits[:, -width - 1 : -1].clone(), labels, temperature=0.7)
    torch.testing.assert_close(ours, theirs)


def test_the_schedule_is_that_of_transformers() -> None:
    """OpenRLHF asks transformers for ``cosine_with_min_lr`` with a floor of a tenth."""
    transformers = pytest.importorskip("transformers")
    adam = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = transformers.get_scheduler(
        "cosine_with_min_lr",
        adam,
        num_warmup_steps=3,
        num_training_steps=100,
        scheduler_specific_kwargs={"min_lr": 0.1},
    )
    rates = []
    for _ in range(100):
        rates.append(theirs.get_last_lr()[0])
        adam.step()
        theirs.step()
    ours = [ppo.rate(n, 100, warmup=0.03) for n in range(100)]
    assert max(abs(a - b) for a, b in zip(ours[3:], rates[3:], strict=True)) < 1e-6
