"""Models in this process through transformers, on the CPU or a GPU."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from secrets import randbits
from typing import Any, ClassVar, Literal

from pydantic import Field

from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import Generation, Guide, Model, Sampling
from rlpa_bench.options import ModelOptions
from rlpa_bench.randomness import Draws
from rlpa_bench.types import JSON, Message
from rlpa_bench_plugins.models._checkpoint import trained_on, weights
from rlpa_bench_plugins.models._decode import Decoder, Row
from rlpa_bench_plugins.models._text import as_dicts, refuse_format, refuse_guide

GATHER = 0.005
"""Seconds a batch waits for calls that arrive together."""


class HFOptions(ModelOptions):
    device: str = Field("auto", description="cpu, cuda, cuda:1, mps; auto is cuda where there is one, else cpu.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto is float32 on the CPU and the checkpoint's own elsewhere."
    )
    batch_size: int = Field(8, ge=1, description="Calls decoded at once.")
    context: int | None = Field(None, ge=16, description="Tokens of prompt and answer; unset is the model's own.")
    threads: int | None = Field(None, ge=1, description="Threads on the CPU; unset is half of its cores.")
    revision: str | None = Field(None, description="Branch, tag or commit, for a model of a hub.")
    chat_template: Path | None = Field(None, description="A Jinja file in place of the tokenizer's chat template.")


class HF(Model):
    """A Hugging Face checkpoint (folder, hub id or GGUF file), in this process through transformers.

    Seeds hold per call: a call's draws depend on its own seed only, whichever calls share its batch.
    """

    name = "hf"
    Options: ClassVar[type[Any]] = HFOptions
    requires = ("torch", "transformers")
    extra = "hf"
    takes_argument = "a checkpoint folder, a hub id or the path of a GGUF file"
    options: HFOptions

    def __init__(self, options: Any, context: Any, argument: str = "") -> None:
        super().__init__(options, context, argument)
        if options.format == "guided":
            raise refuse_format(self.name)
        if self.takes_argument and not argument:
            raise UsageError(f"model {self.name!r} needs {self.takes_argument}; write {self.name}:PATH")
        self._waiting: list[tuple[Row, asyncio.Future[Generation]]] = []
        self._worker: asyncio.Task[None] | None = None

    @property
    def concurrency(self) -> int | None:
        return self.options.batch_size

    @cached_property
    def device(self) -> str:
        """Where it runs. Raises UsageError for a GPU that is not there; never falls back to another device."""
        import torch

        wanted = self.options.device
        if wanted == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        try:
            torch.empty(1, device=wanted)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).split("\n")[0]
            raise UsageError(f"model {self.name!r} cannot use device {wanted!r} ({reason}); set device=cpu") from None
        return wanted

    def describe(self) -> Mapping[str, JSON]:
        return self._identity

    @cached_property
    def _identity(self) -> dict[str, JSON]:
        return {
            "engine": f"transformers {version('transformers')}, torch {version('torch')}",
            "weights": self._weights,
            **trained_on(self.argument),
            "chat_template_sha256": sha256(self._decoder.tokenizer.chat_template.encode()).hexdigest(),
            "device": self.device.partition(":")[0],
            "dtype": str(self._decoder.model.dtype),
        }

    @cached_property
    def _weights(self) -> str:
        return weights(self.argument, self.options.revision)

    @cached_property
    def _decoder(self) -> Decoder:
        model, tokenizer = self._load()
        if self.options.chat_template:
            tokenizer.chat_template = self.options.chat_template.read_text(encoding="utf-8")
        if not tokenizer.chat_template:
            raise UsageError(f"{self.argument} has no chat template; give one with the model's option chat_template")
        context = self.options.context or getattr(model.config, "max_position_embeddings", None)
        threads = self.options.threads or max(1, (os.cpu_count() or 1) // 2)
        return Decoder(model.to(self.device).eval(), tokenizer, context or 4096, threads)

    def _load(self) -> tuple[Any, Any]:
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        path = Path(self.argument).expanduser()
        source, more = str(path) if path.exists() else self.argument, {"revision": self.options.revision or "main"}
        if path.is_file():
            source, more = str(path.parent), {"gguf_file": path.name}
        dtype = self.options.dtype
        dtype = "float32" if dtype == "auto" and self.device == "cpu" else dtype
        try:
            tokenizer = AutoTokenizer.from_pretrained(source, **more)
            return AutoModelForCausalLM.from_pretrained(source, dtype=dtype, **more), tokenizer
        except (OSError, ValueError, ImportError) as error:
            reason = " ".join(str(error).split())[:300]
            raise UsageError(f"transformers cannot load {self.argument!r} ({reason}); check path or id") from None

    async def start(self) -> None:
        await asyncio.to_thread(self.describe)

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        if guide:
            raise refuse_guide(self.name, guide)
        row, future = self._row(messages, sampling), asyncio.get_running_loop().create_future()
        self._waiting.append((row, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        try:
            answer: Generation = await future
        except asyncio.CancelledError:
            row.finish = "cancelled"  # it leaves its batch at the next token
            raise
        return answer

    def _row(self, messages: Sequence[Message], sampling: Sampling) -> Row:
        decoder = self._decoder
        text = decoder.tokenizer.apply_chat_template(as_dicts(messages), tokenize=False, add_generation_prompt=True)
        prompt = decoder.tokenizer(text, add_special_tokens=False)["input_ids"]
        room = decoder.context - len(prompt)
        if room < 1:
            message = f"a prompt of {len(prompt)} tokens exceeds the context of {decoder.context} of {self.argument}"
            raise ProviderError(message, reason="context_overflow")
        seed = randbits(63) if sampling.seed is None else sampling.seed
        return Row(prompt, sampling, Draws("hf", seed), min(sampling.max_tokens, room))

    async def _work(self) -> None:
        await asyncio.sleep(GATHER)
        while self._waiting:
            batch = [call for call in self._waiting[: self.options.batch_size] if not call[1].done()]
            del self._waiting[: self.options.batch_size]
            try:
                answers: Sequence[Any] = await asyncio.to_thread(self._decoder.run, [row for row, _ in batch])
            except Exception as error:
                answers = [_out_of_memory(error)] * len(batch)
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():
                    continue
                future.set_exception(answer) if isinstance(answer, Exception) else future.set_result(answer)

    async def aclose(self) -> None:
        if self._worker:
            await asyncio.gather(self._worker, return_exceptions=True)
        self.__dict__.pop("_decoder", None)


def _out_of_memory(error: Exception) -> Exception:
    if "out of memory" not in str(error).lower():
        return error
    message = "the device ran out of memory; lower the model's option batch_size, context or max_tokens"
    return ProviderError(message, reason="out_of_memory")
