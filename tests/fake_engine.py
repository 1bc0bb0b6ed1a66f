"""A tokenizer of characters and a policy that answers at once: what OpenRLHF gives an executor, without an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

END = 256 * 256
START = END + 1


class CharTokenizer:
    """A ChatML tokenizer whose ids are characters (of the first plane), and two special tokens."""

    eos_token, eos_token_id, pad_token_id = "<|im_end|>", END, START
    specials = {"<|im_end|>": END, "<|im_start|>": START}

    def apply_chat_template(self, chat: Sequence[dict[str, str]], tokenize: bool, add_generation_prompt: bool) -> str:
        assert not tokenize and add_generation_prompt
        text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in chat)
        return f"{text}<|im_start|>assistant\n"

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        assert not add_special_tokens
        for word, value in self.specials.items():
            text = text.replace(word, chr(value))
        return {"input_ids": list(map(ord, text))}

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        text = "".join(map(chr, ids))
        for word, value in self.specials.items():
            text = text.replace(chr(value), "" if skip_special_tokens else word)
        return text


@dataclass
class Sampling:
    """What vLLM's SamplingParams has and an executor reads."""

    max_tokens: int | None = None
    logprobs: int | None = None


class FakeEngine:
    """Answers a prompt by ``policy(prompt text, call number)``; ``seen`` keeps the prompts as ids."""

    def __init__(self, policy: Callable[[str, int], str], seconds: float = 0.0) -> None:
        self.policy, self.seconds = policy, seconds
        self.tokenizer = CharTokenizer()
        self.seen: list[list[int]] = []
        self.asked: list[Sampling] = []

    async def generate(self, prompt: list[int], sampling: Any, multi_modal_data: Any = None) -> Any:
        number = len(self.seen)
        self.seen.append(list(prompt))
        self.asked.append(sampling)
        await asyncio.sleep(self.seconds)
        ids = self.tokenizer(self.policy(self.tokenizer.decode(prompt), number), False)["input_ids"]
        cut = len(ids) >= sampling.max_tokens
        ids = ids[: sampling.max_tokens] if cut else [*ids, END]
        logprobs = [{i: SimpleNamespace(logprob=-float(k))} for k, i in enumerate(ids)] if sampling.logprobs else None
        reason = "length" if cut else "stop"
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=ids, finish_reason=reason, logprobs=logprobs)])
