"""Proximal policy optimisation in one process: plain torch, on the CPU or on one GPU, from top to bottom.

For runs that can be looked at and for tests; OpenRLHF is the engine for real sizes. The dialogues
(:class:`~reference_trainer.store.DialogueStore`), the environment and the rewards are those that it uses, and the
formulas equal OpenRLHF 0.11.2's: a test compares them with its own code.

PPO: Schulman et al., arXiv 1707.06347. GAE: arXiv 1506.02438. Defaults: RLPA (arXiv 2505.15456, appendix E.2 and the
released script); learning rates are a matter of the model's size and have to be given.
"""

from __future__ import annotations

import asyncio
import copy
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reference_trainer.causal import Batch, Critic, log_probs, write
from reference_trainer.monitor import StoppedError
from reference_trainer.rewards import Rewards
from reference_trainer.store import Candidate, DialogueStore, Job
from rlpa_bench.types import Message, Output

Encode = Callable[[Sequence[Message]], list[int]]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run of PPO can be told."""

    actor_lr: float
    critic_lr: float
    tickets: int = 256
    """Turns per step; as many dialogues are open."""
    batch: int = 128
    """Samples per optimizer step; a step has ``tickets`` times the store's samples."""
    epochs: int = 1
    kl: float = 0.01
    clip: float = 0.2
    value_clip: float = 0.2
    gamma: float = 1.0
    lambd: float = 0.95
    reward_clip: tuple[float, float] = (-10.0, 10.0)
    temperature: float = 1.0
    max_tokens: int = 320
    max_norm: float = 1.0
    warmup: float = 0.03
    """Share of the steps in which the learning rates rise; they then fall to a tenth along a cosine."""
    seed: int = 0
    shared_prompts: bool = False
    """Reads the prompt of a turn once for all its samples; mini-batches then are made of whole turns."""
    bf16: bool = False
    """Matrix products in bfloat16; weights, optimizer and losses stay in float32."""


# The formulas. All tensors have the shape (samples, completion tokens); the mask is 1 on tokens that were written.


def shaped_rewards(total: Tensor, log_ratio: Tensor, mask: Tensor, s: Settings) -> Tensor:
    """A sample's reward on its last token, minus the KL estimate (k1, kept within 10) to the reference everywhere."""
    last = mask.shape[1] - 1 - mask.long().flip(1).argmax(1, keepdim=True)
    ends = torch.zeros_like(log_ratio).scatter(1, last, total.clamp(*s.reward_clip).unsqueeze(1))
    return ends - s.kl * log_ratio.clamp(-10, 10)


def advantages(values: Tensor, rewards: Tensor, mask: Tensor, s: Settings) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimates and returns; after the last token nothing more is expected."""
    values, rewards = values * mask, rewards * mask
    running, out = torch.zeros_like(values[:, 0]), torch.zeros_like(values)
    for t in reversed(range(values.shape[1])):
        following = values[:, t + 1] if t + 1 < values.shape[1] else 0.0
        running = rewards[:, t] + s.gamma * following - values[:, t] + s.gamma * s.lambd * running
        out[:, t] = running
    return out, out + values


def whitened(estimates: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and variance 1 over all tokens of a step."""
    mean = (estimates * mask).sum() / mask.sum()
    variance = ((estimates - mean).square() * mask).sum() / mask.sum()
    return (estimates - mean) * variance.clamp(min=1e-8).rsqrt()


def policy_loss(log_probs: Tensor, old: Tensor, estimates: Tensor, mask: Tensor, s: Settings) -> Tensor:
    """The clipped surrogate, averaged over the tokens of a batch."""
    ratio = (log_probs - old).clamp(-20, 20).exp()
    surrogate = torch.min(ratio * estimates, ratio.clamp(1 - s.clip, 1 + s.clip) * estimates)
    return -(surrogate * mask).sum() / mask.sum()


def value_loss(values: Tensor, old: Tensor, returns: Tensor, mask: Tensor, s: Settings) -> Tensor:
    """Half of the clipped squared error, averaged over the tokens of a batch."""
    clipped = old + (values - old).clamp(-s.value_clip, s.value_clip)
    error = torch.max((values - returns).square(), (clipped - returns).square())
    return 0.5 * (error * mask).sum() / mask.sum()


# The training loop.


@dataclass(frozen=True, slots=True)
class Played:
    """The samples of a step, their rewards, and means of what they were made of."""

    rows: list[tuple[list[int], list[int]]]
    """Tokens of prompt and completion, the samples of a turn together."""
    totals: Tensor
    means: dict[str, float]


class PPO:
    """Actor, critic and reference of one run, and what is done with the samples of a step.

    Args:
        policy: a causal language model of transformers, trained in place.
        steps: how many steps the run will have, for the learning rates.
        samples: of each turn, one after the other.
    """

    def __init__(self, policy: Any, s: Settings, steps: int, samples: int = 4) -> None:
        self.actor, self.critic, self.s = policy, Critic(policy).to(policy.device), s
        self.reference = copy.deepcopy(policy).requires_grad_(False)
        self.generator = torch.Generator(policy.device).manual_seed(s.seed)
        self.shared = samples if s.shared_prompts else 1
        total = steps * s.epochs * math.ceil(s.tickets * samples / s.batch)
        self.trained: list[tuple[torch.nn.Module, Any, Any]] = []
        for module, lr in ((self.actor, s.actor_lr), (self.critic, s.critic_lr)):
            adam = torch.optim.AdamW(module.parameters(), lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
            rates = torch.optim.lr_scheduler.LambdaLR(adam, lambda n: rate(n, total, s.warmup))
            self.trained.append((module, adam, rates))

    def learn(self, batch: Batch, totals: Tensor) -> dict[str, float]:
        """One step on the samples of the current policy and their rewards. Raises StoppedError."""
        s, mask = self.s, batch.mask
        with torch.no_grad():
            old = log_probs(self.actor, batch, s.temperature, bf16=s.bf16)
            log_ratio = old - log_probs(self.reference, batch, s.temperature, bf16=s.bf16)
            old_values = self.critic(batch, bf16=s.bf16)
            estimates, returns = advantages(old_values, shaped_rewards(totals, log_ratio, mask, s), mask, s)
            estimates = whitened(estimates, mask)
        losses = []
        for _ in range(s.epochs):
            turns = torch.arange(len(totals), device=totals.device).view(-1, batch.shared)
            order = torch.randperm(len(turns), generator=self.generator, device=totals.device)
            for drawn in order.split(max(1, s.batch // batch.shared)):
                index = turns[drawn].flatten()
                part = batch.rows(index)
                new = log_probs(self.actor, part, s.temperature, bf16=s.bf16)
                values = self.critic(part, bf16=s.bf16)
                policy = policy_loss(new, old[index], estimates[index], part.mask, s)
                value = value_loss(values, old_values[index], returns[index], part.mask, s)
                self._descend(policy, value)
                losses.append((policy.item(), value.item()))
        policies, values = zip(*losses, strict=True)
        kl = (log_ratio * mask).sum().item() / len(totals)
        return {
            "policy_loss": sum(policies) / len(losses),
            "value_loss": sum(values) / len(losses),
            "kl": kl,
            "tokens": mask.sum().item() / len(totals),
        }

    def _descend(self, *losses: Tensor) -> None:
        for loss, (module, adam, rates) in zip(losses, self.trained, strict=True):
            adam.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(module.parameters(), self.s.max_norm)
            if not torch.isfinite(norm):
                raise StoppedError("the loss or its gradient is not a number; lower the learning rate and resume")
            adam.step()
            rates.step()

    def state(self) -> dict[str, Any]:
        """All that has to be kept to go on."""
        parts = [part.state_dict() for group in self.trained for part in group]
        return {"parts": parts, "reference": self.reference.state_dict(), "draws": self.generator.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        for part, kept in zip([part for group in self.trained for part in group], state["parts"], strict=True):
            part.load_state_dict(kept)
        self.reference.load_state_dict(state["reference"])
        self.generator.set_state(state["draws"])


def rate(step: int, steps: int, warmup: float, floor: float = 0.1) -> float:
    """The learning rate's factor: up in a line, then down a cosine to ``floor``."""
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    done = min(1.0, (step - rising) / max(1, steps - rising))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))


async def play(ppo: PPO, step: int, store: DialogueStore, rewards: Rewards, tokenizer: Any, encode: Encode) -> Played:
    """Plays the tickets of one step: every sample of a turn is written, scored and handed to the store."""
    first = step * ppo.s.tickets
    tickets = [first + i for i in range(ppo.s.tickets) for _ in range(store.samples)]
    jobs: list[Job] = await asyncio.gather(*(store.take(ticket) for ticket in tickets))
    prompts = [encode(rewards.env.view(job.state).messages) for job in jobs]
    s, end = ppo.s, tokenizer.eos_token_id
    written = write(
        ppo.actor,
        prompts[:: ppo.shared],
        ppo.generator,
        end=end,
        max_tokens=s.max_tokens,
        temperature=s.temperature,
        samples=ppo.shared,
        bf16=s.bf16,
    )
    check_distinct(written)
    totals, parts = [], []
    for job, ids in zip(jobs, written, strict=True):
        text = tokenizer.decode(ids, skip_special_tokens=True)
        output = Output(text, finish="stop" if ids[-1] == end else "length")
        rewarded = await rewards.score(job.state, output)
        await store.push(job, Candidate(output, rewarded.total))
        totals.append(rewarded.total)
        parts.append({**rewarded.parts, "malformed": float(bool(rewarded.malformed))})
    await store.settle()
    rows = list(zip(prompts, written, strict=True))
    means = {name: sum(part[name] for part in parts) / len(parts) for name in parts[0]}
    turn = sum(job.state.turn for job in jobs) / len(jobs)
    return Played(rows, torch.tensor(totals, device=ppo.actor.device), {"turn": turn, **means})


async def train(
    ppo: PPO, steps: Sequence[int], store: DialogueStore, rewards: Rewards, tokenizer: Any, encode: Encode
) -> AsyncIterator[dict[str, float]]:
    """Plays and learns; gives a line of figures after each step. Raises StoppedError, JudgeError, SimulatorError."""
    for step in steps:
        played = await play(ppo, step, store, rewards, tokenizer, encode)
        batch = Batch.of(played.rows, tokenizer.eos_token_id, ppo.actor.device, shared=ppo.shared)
        figures = ppo.learn(batch, played.totals)
        yield {"step": step, "reward": played.totals.mean().item(), **played.means, **figures}


def check_distinct(written: Sequence[list[int]], least: int = 16, most: float = 0.5) -> None:
    """Raises StoppedError if in most long completions one token fills more than half of the text."""
    longer = [ids for ids in written if len(ids) >= least]
    fallen = [ids for ids in longer if max(Counter(ids).values()) > most * len(ids)]
    if longer and len(fallen) > len(longer) / 2:
        raise StoppedError(
            f"{len(fallen)} of {len(longer)} completions repeat one token: the policy has collapsed; go back to an "
            "earlier checkpoint, with a lower learning rate or more weight on the KL"
        )
