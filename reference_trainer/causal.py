"""A causal language model as PPO and the supervised fits use it: batches, log-probabilities, a critic, sampling."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
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
    shared: int = 1
    """So many neighbouring samples answer the same prompt, which then is read once for all of them."""

    @classmethod
    def of(
        cls, rows: Sequence[tuple[list[int], list[int]]], pad: int, device: Any = "cpu", *, shared: int = 1
    ) -> Batch:
        """Prompts and completions as tokens."""
        left, right = (max(len(row[i]) for row in rows) for i in (0, 1))
        ids, seen, mask = [], [], []
        for prompt, written in rows:
            before, after = left - len(prompt), right - len(written)
            ids.append([pad] * before + prompt + written + [pad] * after)
            seen.append([0] * before + [1] * (len(prompt) + len(written)) + [0] * after)
            mask.append([1.0] * len(written) + [0.0] * after)
        tensors = [torch.tensor(part, device=device) for part in (ids, seen, mask)]
        return cls(tensors[0], tensors[1], tensors[2], shared)

    def rows(self, index: Tensor) -> Batch:
        """Some of the samples; those that share a prompt have to stay together."""
        return Batch(self.ids[index], self.seen[index], self.mask[index], self.shared)

    @property
    def places(self) -> Tensor:
        return (self.seen.cumsum(1) - 1).clamp(min=0)


def bfloat16(device: Any, on: bool) -> torch.autocast:
    """Matrix products in bfloat16 while it is entered; weights and sums stay as they are."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=on)


def _cache_name(model: Any) -> str:
    return "cache" if "cache" in signature(model.forward).parameters else "past_key_values"  # newer transformers


def _before_each(model: Any, batch: Batch, pick: Callable[[Any], Tensor], *, head: bool) -> Tensor:
    """What the model gives before each written token: (samples, completion tokens, width of what is picked).

    Args:
        head: whether the model has a head over the vocabulary, which then reads no more than it must.
    """
    width, n = batch.mask.shape[1], batch.shared
    if n == 1:
        more = {"logits_to_keep": width + 1} if head else {}
        out = model(input_ids=batch.ids, attention_mask=batch.seen, position_ids=batch.places, use_cache=False, **more)
        return pick(out)[:, -width - 1 : -1]
    name, ids, seen, places = _cache_name(model), batch.ids, batch.seen, batch.places
    out = model(
        input_ids=ids[::n, :-width],
        attention_mask=seen[::n, :-width],
        position_ids=places[::n, :-width],
        use_cache=True,
        **({"logits_to_keep": 1} if head else {}),
    )
    first = pick(out)[:, -1:].repeat_interleave(n, 0)
    if width == 1:
        return first
    out[name].batch_repeat_interleave(n)
    given = {"input_ids": ids[:, -width:-1], "attention_mask": seen[:, :-1], "position_ids": places[:, -width:-1]}
    return torch.cat([first, pick(model(**given, **{name: out[name]}, use_cache=True))], 1)


def log_probs(model: Any, batch: Batch, temperature: float = 1.0, *, bf16: bool = False) -> Tensor:
    """Log-probabilities of the tokens that were written: (samples, completion tokens)."""
    with bfloat16(batch.ids.device, bf16):
        logits = _before_each(model, batch, lambda out: out.logits, head=True)
    chances = (logits.float() / temperature).log_softmax(-1)
    return chances.gather(-1, batch.ids[:, -batch.mask.shape[1] :, None]).squeeze(-1)


class Critic(torch.nn.Module):  # type: ignore[misc]  # torch is not looked into
    """The policy's transformer with a fresh head that values the text before each token."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.body = copy.deepcopy(policy.base_model)
        self.head = torch.nn.Linear(policy.config.hidden_size, 1)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, batch: Batch, *, bf16: bool = False) -> Tensor:
        with bfloat16(batch.ids.device, bf16):
            hidden = _before_each(self.body, batch, lambda out: out.last_hidden_state, head=False)
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
    samples: int = 1,
    bf16: bool = False,
) -> list[list[int]]:
    """Samples completions of each prompt, up to and with the token ``end``; at temperature 0 takes the likeliest.

    Returns:
        Tokens of ``samples`` completions for each prompt, those of one prompt together.
    """
    with torch.no_grad(), bfloat16(model.device, bf16):
        return _write(model, prompts, generator, end, max_tokens, temperature, samples)


def _write(
    model: Any,
    prompts: Sequence[list[int]],
    generator: torch.Generator,
    end: int,
    max_tokens: int,
    temperature: float,
    samples: int,
) -> list[list[int]]:
    batch = Batch.of([(prompt, []) for prompt in prompts], end, model.device)
    ids, seen, places, name = batch.ids, batch.seen, batch.places, _cache_name(model)
    out = model(input_ids=ids, attention_mask=seen, position_ids=places, use_cache=True, logits_to_keep=1)
    cache, chances = out[name], out.logits[:, -1].float()
    if samples > 1:
        cache.batch_repeat_interleave(samples)
        chances, seen, places = (part.repeat_interleave(samples, 0) for part in (chances, seen, places))
    written: list[list[int]] = [[] for _ in chances]
    live = list(range(len(written)))
    while True:
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
        if not live:
            return written
        seen = torch.cat([seen[kept], seen.new_ones(len(kept), 1)], 1)
        places = places[kept, -1:] + 1
        given = {"input_ids": tokens[kept], "attention_mask": seen, "position_ids": places, name: cache}
        chances = model(**given, use_cache=True, logits_to_keep=1).logits[:, -1].float()
