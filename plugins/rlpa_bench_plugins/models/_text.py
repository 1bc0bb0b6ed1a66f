"""What several models need: cutting at stop strings, chat messages as dicts, refusing guides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rlpa_bench.errors import UsageError

if TYPE_CHECKING:
    from rlpa_bench.interfaces import Guide
    from rlpa_bench.types import Message

_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_THOUGHT = re.compile(r"\A.*?</think>", re.DOTALL)


def cut(text: str, stops: Iterable[str]) -> tuple[str, bool]:
    """The text up to and with the stop string that ends first in it, and whether there was one."""
    ends = [place + len(stop) for stop in stops if stop and (place := text.find(stop)) >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


def without_thinking(text: str) -> str:
    """The text without ``<think>`` blocks; templates that open the block themselves leave only its end."""
    kept = _THINKING.sub("", text)
    return text if kept == text and "</think>" not in text else _THOUGHT.sub("", kept).lstrip()


def reasoning_share(text: str) -> float:
    """Share of a text's characters that :func:`without_thinking` takes away."""
    return 1 - len(without_thinking(text)) / len(text) if text else 0.0


def as_dicts(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as chat APIs and chat templates take them."""
    return [{"role": message.role, "content": message.content} for message in messages]


def refuse_format(name: str) -> UsageError:
    """For a model whose engine has no grammar and is asked for ``format=guided``."""
    return UsageError(
        f"model {name!r} cannot enforce a format; use format=free, or a model that can: smollm2, llamacpp, vllm, "
        "or openai with guided_style=vllm or guided_style=llamacpp"
    )


def refuse_guide(name: str, guide: Guide) -> UsageError:
    """For a guide that reaches an engine which cannot enforce it."""
    return UsageError(f"model {name!r} cannot enforce a {guide.kind} guide; call it without one and parse its text")
