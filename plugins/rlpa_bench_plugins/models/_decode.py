"""Decodes a batch of chats with transformers, one seeded stream of draws per row, so that mates do not matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

from rlpa_bench.interfaces import Generation, Sampling
from rlpa_bench.randomness import Draws
from rlpa_bench_plugins.models._text import cut, reasoning_share, without_thinking


@dataclass
class Row:
    """One call of a batch."""

    prompt: list[int]
    sampling: Sampling
    draws: Draws
    limit: int
    """Tokens it may write: ``max_tokens``, or what is left of the model's context."""
    written: list[int] = field(default_factory=list)
    finish: str = ""


class Decoder:
    """A loaded causal language model and its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, context: int, threads: int) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.context = context
        self.threads = threads
        stated = model.generation_config.eos_token_id
        ends = stated if isinstance(stated, list) else [stated]
        given = signature(model.forward).parameters
        self._cache = "cache" if "cache" in given else "past_key_values"  # newer transformers renamed it
        self._ends = {end for end in (*ends, tokenizer.eos_token_id) if end is not None}

    def run(self, rows: Sequence[Row]) -> list[Generation]:
        """Writes all rows to their ends; a row leaves the batch when it is done. Shapes: (rows, tokens)."""
        import torch

        torch.set_num_threads(self.threads)  # holds for the calling thread only
        with torch.inference_mode():
            self._run(list(rows))
        return [self._generation(row) for row in rows]

    def _run(self, live: list[Row]) -> None:
        import torch

        ids, mask = self._padded(live)
        places = (mask.cumsum(-1) - 1).clamp(min=0)
        cache = None
        while live:
            out = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=places,
                **{self._cache: cache},
                use_cache=True,
                logits_to_keep=1,
            )
            cache = out[self._cache]
            for row, logits in zip(live, out.logits[:, -1].float(), strict=True):
                self._write(row, logits)
            keep = [i for i, row in enumerate(live) if not row.finish]
            if len(keep) < len(live) and keep:
                index = torch.tensor(keep, device=mask.device)
                cache.batch_select_indices(index)
                mask, places = mask[index], places[index]
            live = [live[i] for i in keep]
            if live:
                ids = torch.tensor([row.written[-1:] for row in live], device=mask.device)
                mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=-1)
                places = places[:, -1:] + 1

    def _padded(self, rows: list[Row]) -> tuple[Any, Any]:
        """Prompts padded on the left, and their attention mask."""
        import torch

        width = max(len(row.prompt) for row in rows)
        fill = [width - len(row.prompt) for row in rows]
        ids = [[0] * gap + row.prompt for gap, row in zip(fill, rows, strict=True)]
        mask = [[0] * gap + [1] * len(row.prompt) for gap, row in zip(fill, rows, strict=True)]
        return torch.tensor(ids, device=self.model.device), torch.tensor(mask, device=self.model.device)

    def _write(self, row: Row, logits: Any) -> None:
        token = sample(logits, row)
        row.written.append(token)
        if token in self._ends or self._stopped(row):
            row.finish = "stop"
        elif len(row.written) >= row.limit:
            row.finish = "length"

    def _stopped(self, row: Row) -> bool:
        stops = row.sampling.stop
        tail = row.written[-max((len(stop.encode()) for stop in stops), default=0) - 1 :]
        return bool(stops) and cut(self.tokenizer.decode(tail), stops)[1]

    def _generation(self, row: Row) -> Generation:
        whole = self.tokenizer.decode(row.written, skip_special_tokens=True)
        text, _ = cut(without_thinking(whole), row.sampling.stop)
        share = reasoning_share(whole)
        thought = round(share * len(row.written)) if share else None
        return Generation(text, row.finish, len(row.prompt), len(row.written), thought)


def sample(logits: Any, row: Row) -> int:
    """The next token of a row from its logits, shape (vocabulary,), in the order transformers uses."""
    import torch

    s = row.sampling
    if s.repetition_penalty != 1:
        seen = torch.tensor(sorted({*row.prompt, *row.written}), device=logits.device)
        scores = logits[seen]
        logits[seen] = torch.where(scores > 0, scores / s.repetition_penalty, scores * s.repetition_penalty)
    if s.temperature == 0:
        return int(logits.argmax())
    logits = logits / s.temperature
    if 0 < s.top_k < logits.numel():
        logits[logits < logits.topk(s.top_k).values[-1]] = -torch.inf
    if s.top_p < 1:
        ranked, order = logits.sort(descending=True)
        share = ranked.softmax(-1)
        logits[order[share.cumsum(-1) - share >= s.top_p]] = -torch.inf
    chances = logits.softmax(-1)
    if s.min_p > 0:
        chances[chances < s.min_p * chances.max()] = 0
    sums = chances.double().cumsum(-1)
    place = int(torch.searchsorted(sums, sums[-1] * row.draws.random(), right=True))
    return min(place, int(chances.nonzero()[-1]))
