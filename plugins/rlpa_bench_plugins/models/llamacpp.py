"""GGUF models in this process through llama.cpp (xllamacpp): no server to start, no torch."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from hashlib import file_digest, sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any, TypeVar

from pydantic import Field

from rlpa_bench.errors import UsageError
from rlpa_bench.interfaces import Generation, Guide, Model, Sampling
from rlpa_bench.options import ModelOptions
from rlpa_bench.types import JSON, Message
from rlpa_bench_plugins.models._gguf import metadata
from rlpa_bench_plugins.models._llama_engine import PROMPT_CACHE_MIB, Engine
from rlpa_bench_plugins.models._text import as_dicts

T = TypeVar("T")
SAMPLERS = ("penalties", "temperature", "top_k", "top_p", "min_p")
"""The order transformers uses; llama.cpp's own applies the temperature last, which changes what top_p means."""

HOMES = 4096
"""Dialogues whose engine is remembered, so that a later turn finds what was read before."""


class LlamaCppOptions(ModelOptions):
    slots: int = Field(8, ge=1, description="Dialogues served at once, over all engines.")
    context: int = Field(4096, ge=256, description="Tokens of prompt and answer per slot.")
    engines: int | None = Field(
        None, ge=1, description="Copies of llama.cpp that divide the slots; unset is chosen here."
    )
    threads: int | None = Field(None, ge=1, description="Threads per engine; unset is chosen here.")
    gpu_layers: int = Field(0, ge=0, description="Layers to put on a GPU, where the installed xllamacpp can.")


class LlamaCpp(Model):
    """A GGUF file, in this process through llama.cpp (continuous batching, prefix cache, grammars).

    Equal seeds give equal texts only for calls made one at a time: how calls are batched moves the last bits.
    """

    name = "llamacpp"
    Options = LlamaCppOptions
    requires = ("xllamacpp",)
    extra = "local"
    takes_argument = "path of a GGUF file"
    guides = frozenset({"contract", "json"})
    options: LlamaCppOptions

    def __init__(self, options: Any, context: Any, argument: str = "") -> None:
        super().__init__(options, context, argument)
        self._engines: list[Engine] = []
        self._homes: dict[int, Engine] = {}
        self._first = asyncio.Lock()
        self._shared = False

    @cached_property
    def path(self) -> Path:
        """The GGUF file. Raises UsageError if it is not there."""
        path = Path(self.argument).expanduser()
        if not self.argument or not path.is_file():
            raise UsageError(
                f"model {self.name} needs a GGUF file, but {self.argument!r} is none; write {self.name}:PATH.gguf"
            )
        return path

    @cached_property
    def _identity(self) -> dict[str, str]:
        with self.path.open("rb") as file:
            weights = file_digest(file, "sha256").hexdigest()
        template = metadata(self.path).get("tokenizer.chat_template", "")
        return {"weights_sha256": weights, "chat_template_sha256": sha256(template.encode()).hexdigest()}

    @cached_property
    def _engine_version(self) -> str:
        return f"xllamacpp {version('xllamacpp')}"

    def describe(self) -> Mapping[str, JSON]:
        return {"engine": self._engine_version, **self._identity}

    @property
    def concurrency(self) -> int | None:
        return self.options.slots

    async def start(self) -> None:
        path = await asyncio.to_thread(lambda: self.path)
        metadata(path)
        self._pool = ThreadPoolExecutor(self.options.slots, thread_name_prefix=self.name)
        self._states = TemporaryDirectory(prefix="rlpa-bench-")
        try:
            await self._in_thread(self._load, path)
        except BaseException:
            await self.aclose()
            raise

    def _load(self, path: Path) -> None:
        o = self.options
        engines, threads = self._layout()
        engines = min(engines, o.slots)
        cache = PROMPT_CACHE_MIB // engines
        for i in range(engines):
            slots = len(range(i, o.slots, engines))
            engine = Engine(path, slots, o.context, threads, o.gpu_layers, cache, Path(self._states.name))
            self._engines.append(engine)

    def _layout(self) -> tuple[int, int]:
        """Engines and threads of each: threads that wait for a core someone else uses make everything slower."""
        return self.options.engines or 1, self.options.threads or max(1, (os.cpu_count() or 1) // 2)

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        body = self._body(messages, sampling, guide)
        if not self._shared and messages[0].role == "system":
            async with self._first:
                if not self._shared:
                    await self._in_thread(self._share, body)
                    self._shared = True
        spoken = [message.content for message in messages if message.role == "user"]
        engine = self._engine(hash(tuple(spoken[:-1])))
        if len(self._homes) > HOMES:
            self._homes.clear()
        self._homes[hash(tuple(spoken))] = engine
        engine.busy += 1
        cancelled = Event()
        try:
            return await self._in_thread(engine.chat, body, sampling.stop, cancelled)
        finally:
            engine.busy -= 1
            cancelled.set()

    def _engine(self, dialogue: int) -> Engine:
        """The engine that has read this dialogue's earlier turns, unless it is full; else the least busy one."""
        home = self._homes.pop(dialogue, None)
        return home if home and home.busy < home.slots else min(self._engines, key=lambda engine: engine.busy)

    def _body(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> dict[str, Any]:
        body: dict[str, Any] = {
            "messages": as_dicts(messages),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "repeat_penalty": sampling.repetition_penalty,
            "repeat_last_n": self.options.context,
            "samplers": list(SAMPLERS),
            "max_tokens": sampling.max_tokens,
            "seed": -1 if sampling.seed is None else sampling.seed,
        }
        if guide and guide.kind == "contract":
            body["grammar"] = self.context.contract.gbnf()
        elif guide:
            schema = {"name": "answer", "schema": dict(guide.schema or {})}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _share(self, body: Mapping[str, Any]) -> None:
        """Reads the first prompt once and copies it to every slot: they all begin with the same system text."""
        first = self._engines[0]
        first.chat({**body, "max_tokens": 1, "id_slot": 0}, (), Event())
        if first.keep_state(0, "first"):
            for engine in self._engines:
                for slot in range(engine.slots):
                    engine.load_state(slot, "first")

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    async def aclose(self) -> None:
        if "_pool" in self.__dict__:
            await asyncio.to_thread(self._pool.shutdown)
            self._engines.clear()
            self._homes.clear()
            self._states.cleanup()
