"""Messages as token ids, through the chat template of the policy's own tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlpa_bench.errors import UsageError
from rlpa_bench.types import Message

_MARK = "\ue000reply\ue001"
"""Stands for an assistant turn where a template is asked what comes after one; private characters, in no text."""


def encoded(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text, without special tokens of the tokenizer's own."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return [int(token) for token in ids]


def rendered(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The text of a chat up to where the assistant begins to write."""
    chat = [{"role": message.role, "content": message.content} for message in messages]
    text: str = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    return text


def chat_ids(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Token ids of a chat up to where the assistant begins to write."""
    return encoded(tokenizer, rendered(tokenizer, messages))


def prompt(tokenizer: Any, messages: Sequence[Message], most: int) -> tuple[list[int], int]:
    """Token ids of a chat and how many past exchanges had to leave it, the oldest first, to fit ``most`` tokens.

    Raises:
        UsageError: if system text and last message alone do not fit.
    """
    first, past, last = messages[0], list(messages[1:-1]), messages[-1]
    dropped = 0
    while True:
        ids = chat_ids(tokenizer, [first, *past, last])
        if len(ids) <= most:
            return ids, dropped
        if not past:
            raise UsageError(
                f"the system text and the user's message take {len(ids)} tokens, but a prompt may have {most}; "
                "raise rollout.max_length or lower rollout.max_new_tokens"
            )
        del past[:2]
        dropped += 1


def between(tokenizer: Any, said: str, *, ended: bool) -> list[int]:
    """Token ids from the end of an assistant's output to where it writes again, with the user's words in between.

    Args:
        ended: whether the output closed with the end-of-sequence token itself, which then is not repeated.
    """
    chat = [Message("system", "-"), Message("user", "-"), Message("assistant", _MARK), Message("user", said)]
    _, found, rest = rendered(tokenizer, chat).rpartition(_MARK)
    if not found:
        raise UsageError("the chat template changes the assistant's words; trajectory credit needs one that does not")
    end = tokenizer.eos_token or ""
    if ended:
        rest = rest.removeprefix(end)
    return encoded(tokenizer, rest)
