"""A model of ours as an lm-eval model: limits, retries, cache and booking are the harness's. Imports lm-eval."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import BoundModel
from rlpa_bench.types import Call, Message

TOKENS = 256
"""Tokens a task may write that does not say so itself; lm-eval's own default."""
MEND = "choose generation tasks, or ask through lm-eval's own model: --engine hf --engine-args pretrained=PATH"


class HarnessLM(LM):
    """Answers generation tasks; log-likelihoods are not to be had from a chat endpoint.

    lm-eval calls it from a thread of its own while ``loop`` runs in another.
    """

    def __init__(self, model: BoundModel, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._model, self._loop = model, loop
        self.ends: dict[str, Counter[str]] = {}
        """Task -> how its answers ended."""

    @property
    def tokenizer_name(self) -> str:
        return ""

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return json.dumps(chat_history)

    def chat_template(self, chat_template: bool | str = False) -> str:
        return ""

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Raises ProviderError if any request failed for good: a missing answer must not count as a wrong one."""
        return asyncio.run_coroutine_threadsafe(self._answers(requests), self._loop).result()

    async def _answers(self, requests: Sequence[Instance]) -> list[str]:
        done = await asyncio.gather(*(self._answer(request) for request in requests), return_exceptions=True)
        failed = [error for error in done if isinstance(error, BaseException)]
        if other := next((error for error in failed if not isinstance(error, ProviderError)), None):
            raise other
        if failed:
            raise ProviderError(
                f"{len(failed)} of {len(requests)} requests of the probe failed, the first with: {failed[0]}; nothing "
                "was recorded of this task, and the same command goes on with what was answered"
            )
        return [text for text in done if isinstance(text, str)]

    async def _answer(self, request: Instance) -> str:
        context, settings = request.args
        stops = settings.get("until") or []
        stops = [stops] if isinstance(stops, str) else [stop for stop in stops if stop]
        text, call = await self._model.generate(
            [Message(turn["role"], turn["content"]) for turn in json.loads(context)],
            key=f"probe/{request.task_name}/{request.doc_id}/{request.idx}",
            temperature=float(settings.get("temperature", 0.0)) if settings.get("do_sample") else 0.0,
            max_tokens=int(settings.get("max_gen_toks") or settings.get("max_tokens") or TOKENS),
            stop=tuple(stops),
        )
        self._book(str(request.task_name), call)
        ends = [place for stop in stops if (place := text.find(stop)) >= 0]
        return text[: min(ends)] if ends else text

    def _book(self, task: str, call: Call) -> None:
        self.ends.setdefault(task, Counter())[call.finish] += 1

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        raise UsageError(f"a chat model gives no log-likelihoods; {MEND}")

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        raise UsageError(f"a chat model gives no log-likelihoods; {MEND}")
