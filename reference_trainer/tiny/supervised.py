"""Learning from texts: imitation of one completion (SFT), preference of one over another (DPO, arXiv 2305.18290)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reference_trainer.causal import Batch, log_probs
from reference_trainer.monitor import StoppedError
from reference_trainer.ppo import rate
from rlpa_bench.randomness import Draws

Row = tuple[list[int], list[int]]
"""Tokens of a prompt and of a completion."""
Pair = tuple[list[int], list[int], list[int]]
"""Tokens of a prompt, of the preferred and of the rejected completion."""
CHUNK = 16
"""Batches whose rows are put in order of length together, so that little is padded."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How long and how fast to learn."""

    lr: float
    batch: int
    epochs: int
    seed: int = 0
    warmup: float = 0.03
    beta: float = 0.1
    """DPO's weight on staying near the reference."""
    bf16: bool = False
    """Matrix products in bfloat16; weights and losses stay in float32."""


def batches(lengths: Sequence[int], fit: Fit) -> Iterator[list[int]]:
    """Indices of the rows of each batch, in an order drawn from the seed; a last, smaller batch is left out."""
    for epoch in range(fit.epochs):
        draws = Draws("batches", fit.seed, epoch)
        order = draws.shuffled(range(len(lengths)))
        size = fit.batch * CHUNK
        whole = []
        for start in range(0, len(order), size):
            chunk = sorted(order[start : start + size], key=lambda i: lengths[i])
            whole += [chunk[i : i + fit.batch] for i in range(0, len(chunk) - fit.batch + 1, fit.batch)]
        yield from draws.shuffled(whole)


def imitation_loss(model: Any, rows: Sequence[Row], pad: int, *, bf16: bool = False) -> Tensor:
    """Mean negative log-likelihood of the completions' tokens."""
    batch = Batch.of(rows, pad, model.device)
    return -(log_probs(model, batch, bf16=bf16) * batch.mask).sum() / batch.mask.sum()


def preference_loss(
    model: Any, reference: Any, pairs: Sequence[Pair], beta: float, pad: int, *, bf16: bool = False
) -> Tensor:
    """DPO's loss, averaged over pairs."""
    rows = [(prompt, best) for prompt, best, _ in pairs] + [(prompt, worst) for prompt, _, worst in pairs]
    batch = Batch.of(rows, pad, model.device)
    with torch.no_grad():
        before = (log_probs(reference, batch, bf16=bf16) * batch.mask).sum(1)
    gained = (log_probs(model, batch, bf16=bf16) * batch.mask).sum(1) - before
    best, worst = gained.chunk(2)
    return -torch.nn.functional.logsigmoid(beta * (best - worst)).mean()


def fit_sft(model: Any, rows: Sequence[Row], fit: Fit, pad: int) -> Iterator[float]:
    """Trains in place; gives the loss of each step. Raises StoppedError."""
    order = list(batches([len(prompt) + len(text) for prompt, text in rows], fit))
    losses = [lambda b=b: imitation_loss(model, [rows[i] for i in b], pad, bf16=fit.bf16) for b in order]
    return _descend(model, fit, losses)


def fit_dpo(model: Any, pairs: Sequence[Pair], fit: Fit, pad: int) -> Iterator[float]:
    """Trains in place against a copy of the model as it is now; gives the loss of each step. Raises StoppedError."""
    reference = copy.deepcopy(model).requires_grad_(False)
    order = list(batches([len(prompt) + len(best) for prompt, best, _ in pairs], fit))
    losses = [
        lambda b=b: preference_loss(model, reference, [pairs[i] for i in b], fit.beta, pad, bf16=fit.bf16)
        for b in order
    ]
    return _descend(model, fit, losses)


def _descend(model: Any, fit: Fit, losses: Sequence[Any]) -> Iterator[float]:
    adam = torch.optim.AdamW(model.parameters(), fit.lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    for step, loss_of in enumerate(losses):
        for group in adam.param_groups:
            group["lr"] = fit.lr * rate(step, len(losses), fit.warmup)
        loss = loss_of()
        if not torch.isfinite(loss):
            raise StoppedError(f"the loss of step {step} is not a number; lower the learning rate")
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        yield loss.item()
