"""Every number of the experiments, as planned in docs/explanation/learning.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reference_trainer.ppo import Settings
from reference_trainer.tiny.supervised import Fit

ARMS: Mapping[str, tuple[str, ...]] = {
    "full": ("profile", "rules"),
    "profile-only": ("profile",),
    "response-only": ("rules",),
}
"""What each arm of PPO is rewarded with: RLPA's sum, and its two ablations."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The defaults are those of the tiny model."""

    base: str = "random weights"
    """What imitation starts from: these, with a vocabulary of the demonstrations' own, or ``smollm2``."""
    attention: str = "eager"
    """How transformers computes it."""
    turns: int = 10
    """Of each dialogue, in training and in evaluation."""
    per_profile: int = 3
    rows: int | None = None
    """Turns to imitate, drawn from all; None is all."""
    sft: Fit = field(default_factory=lambda: Fit(lr=3e-3, batch=16, epochs=1))
    dpo: Fit | None = field(default_factory=lambda: Fit(lr=1e-4, batch=16, epochs=2))
    arms: tuple[str, ...] = tuple(ARMS)
    actor_lr: float = 3e-4
    critic_lr: float = 1e-3
    tickets: int = 8
    samples: int = 4
    steps: int = 30
    batch: int = 16
    max_tokens: int = 160
    seeds: int = 3
    profiles: int = 60
    temperature: float = 0.7
    """Of the evaluation: the benchmark's own default."""
    keep_every: int = 10
    shared_prompts: bool = False
    bf16: bool = False

    def settings(self, seed: int) -> Settings:
        return Settings(
            self.actor_lr,
            self.critic_lr,
            tickets=self.tickets,
            batch=self.batch,
            max_tokens=self.max_tokens,
            seed=seed,
            shared_prompts=self.shared_prompts,
            bf16=self.bf16,
        )


TINY = Plan()
PLANS: Mapping[str, Plan] = {
    "tiny": TINY,
    "longer": replace(TINY, sft=replace(TINY.sft, epochs=3)),
    "smollm2": Plan(
        base="smollm2",
        attention="sdpa",
        turns=4,
        per_profile=1,
        rows=256,
        sft=Fit(lr=2e-4, batch=4, epochs=1, bf16=True),
        dpo=None,
        arms=("full",),
        actor_lr=2e-5,
        critic_lr=6e-5,
        max_tokens=96,
        seeds=1,
        keep_every=5,
        shared_prompts=True,
        bf16=True,
    ),
}
