"""Padding helpers in plain torch, with flash-attn's names and shapes."""

from __future__ import annotations

from typing import Any

import torch
from einops import rearrange

__all__ = ["index_first_axis", "pad_input", "rearrange", "unpad_input"]


def index_first_axis(x: Any, indices: Any) -> Any:
    """Rows of x: (n, ...) -> (k, ...)."""
    return x[indices]


def unpad_input(hidden: Any, mask: Any) -> tuple[Any, Any, Any, int, Any]:
    """(batch, length, ...) -> (tokens, ...), their indices, cumulative lengths, longest, lengths."""
    lengths = mask.sum(dim=-1, dtype=torch.int32)
    indices = torch.nonzero(mask.flatten(), as_tuple=False).flatten()
    cumulative = torch.nn.functional.pad(torch.cumsum(lengths, 0, dtype=torch.int32), (1, 0))
    return hidden.flatten(0, 1)[indices], indices, cumulative, int(lengths.max()), lengths


def pad_input(tokens: Any, indices: Any, batch: int, length: int) -> Any:
    """The inverse of :func:`unpad_input`."""
    whole = torch.zeros(batch * length, *tokens.shape[1:], dtype=tokens.dtype, device=tokens.device)
    whole[indices] = tokens
    return whole.unflatten(0, (batch, length))
