"""A causal language model as PPO and the supervised fits use it: batches, log-probabilities, a critic, sampling."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Prompts padded on the left, completions on the right."""

    ids: Tensor
    """(samples, prompt + completion tokens)"""
    seen: Tensor
    """Attention mask, of the same shape."""
    mask: Tensor
    """(samples, completion tokens): 1 on tokens that were written, the end token included."""

    @classmethod
    def of(cls, rows: Sequence[tuple[list[int], list[int]]], pad: int, device: Any = "cpu") -> Batch:
        """Prompts and completions as tokens."""
        left, right = (max(len(row[i]) for row in rows) for i in (0, 1))
        ids, seen, mask = [], [], []
        for prompt, written in rows:
            before, after = left - len(prompt), right - len(written)
            ids.append([pad] * before + prompt + written + [pad] * after)
            seen.append([0] * before + [1] * (len(prompt) + len(written)) + [0] * after)
            mask.append([1.0] * len(written) + [0.0] * after)
        return cls(*(torch.tensor(part, device=device) for part in (ids, seen, mask)))

    def rows(self, index: Tensor) -> Batch:
        return Batch(self.ids[index], self.seen[index], self.mask[index])

    @property
    def places(self) -> Tensor:
        return (self.seen.cumsum(1) - 1).clamp(min=0)


def log_probs(model: Any, batch: Batch, temperature: float = 1.0) -> Tensor:
    """Log-probabilities of the tokens that were written: (samples, completion tokens)."""
    width = batch.mask.shape[1]
    out = model(
        input_ids=batch.ids,
        attention_mask=batch.seen,
        position_ids=batch.places,
        use_cache=False,
        logits_to_keep=width + 1,
    )
    chances = (out.logits[:, :-1].float() / temperature).log_softmax(-1)
    return chances.gather(-1, batch.ids[:, -width:, None]).squeeze(-1)


class Critic(torch.nn.Module):  # type: ignore[misc]  # torch is not looked into
    """The policy's transformer with a fresh head that values the text before each token."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.body = copy.deepcopy(policy.base_model)
        self.head = torch.nn.Linear(policy.config.hidden_size, 1)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, batch: Batch) -> Tensor:
        out = self.body(input_ids=batch.ids, attention_mask=batch.seen, position_ids=batch.places, use_cache=False)
        hidden = out.last_hidden_state[:, -batch.mask.shape[1] - 1 : -1]
        values: Tensor = self.head(hidden.float()).squeeze(-1)
        return values


def write(
    model: Any,
    prompts: Sequence[list[int]],
    generator: torch.Generator,
    *,
    end: int,
    max_tokens: int,
    temperature: float = 1.0,
) -> list[list[int]]:
    """Samples a completion for each prompt, up to and with the token ``end``; at temperature 0 takes the likeliest."""
    batch = Batch.of([(prompt, []) for prompt in prompts], end, model.device)
    ids, seen, places = batch.ids, batch.seen, batch.places
    written: list[list[int]] = [[] for _ in prompts]
    live, cache = list(range(len(prompts))), None
    name = "cache" if "cache" in signature(model.forward).parameters else "past_key_values"  # newer transformers
    while live:
        given = {"input_ids": ids, "attention_mask": seen, "position_ids": places, name: cache}
        with torch.no_grad():
            out = model(**given, use_cache=True, logits_to_keep=1)
        cache = out[name]
        chances = out.logits[:, -1].float()
        if temperature:
            tokens = torch.multinomial((chances / temperature).softmax(-1), 1, generator=generator)
        else:
            tokens = chances.argmax(-1, keepdim=True)
        for row, token in zip(live, tokens[:, 0].tolist(), strict=True):
            written[row].append(token)
        kept = [i for i, row in enumerate(live) if written[row][-1] != end and len(written[row]) < max_tokens]
        if len(kept) < len(live) and kept:
            cache.batch_select_indices(torch.tensor(kept))
        live = [live[i] for i in kept]
        ids = tokens[kept]
        seen = torch.cat([seen[kept], seen.new_ones(len(kept), 1)], 1)
        places = places[kept, -1:] + 1
    return written
