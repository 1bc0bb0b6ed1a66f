"""Any OpenAI-compatible endpoint: OpenAI itself, vLLM, llama.cpp, SGLang, Ollama, LiteLLM, OpenRouter, …"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_serializer

from rlpa_bench.errors import UsageError
from rlpa_bench.interfaces import Generation, Guide, Model, Sampling
from rlpa_bench.options import ModelOptions
from rlpa_bench.types import JSON, Message
from rlpa_bench_plugins.models._chat_client import ChatClient, without_credentials
from rlpa_bench_plugins.models._prices import list_price
from rlpa_bench_plugins.models._text import refuse_format
from rlpa_bench_plugins.models._wire import GUIDES, Dialect

OFFICIAL = "https://api.openai.com/v1"
SamplingField = Literal["temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens", "stop", "seed"]
OFFICIAL_OMITS: tuple[SamplingField, ...] = ("top_k", "min_p", "repetition_penalty")


class OpenAIOptions(ModelOptions):
    base_url: str | None = Field(None, description=f"Unset is OPENAI_BASE_URL, or else {OFFICIAL}.")
    api_key_env: str = Field("OPENAI_API_KEY", description="The environment variable that holds the key.")
    timeout: float = Field(120.0, gt=0, description="Seconds a call may take.")
    transport: Literal["aiohttp", "sdk"] = Field("aiohttp", description="sdk goes through the openai package.")
    guided_style: Literal["none", "json", "vllm", "llamacpp"] = Field(
        "none", description="How the endpoint takes a guide; json serves JSON Schemas only."
    )
    omit: tuple[SamplingField, ...] | None = Field(
        None, description="Sampling fields not to send; unset is top_k, min_p, repetition_penalty at OpenAI, else none."
    )
    extra: dict[str, Any] = Field({}, description="Further fields of the request, such as reasoning_effort.")

    @field_serializer("base_url")
    def _shown(self, url: str | None) -> str | None:
        return without_credentials(url) if url else url


class OpenAI(Model):
    """A chat model behind an OpenAI-compatible address; the key comes from the environment and is never shown."""

    name = "openai"
    Options = OpenAIOptions
    takes_argument = "the model's name at the endpoint"
    options: OpenAIOptions

    def __init__(self, options: Any, context: Any, argument: str = "") -> None:
        super().__init__(options, context, argument)
        if not argument:
            raise UsageError("model 'openai' needs the model's name at the endpoint; write openai:NAME")
        self.guides = GUIDES[self.options.guided_style]  # type: ignore[misc]
        if self.options.format == "guided" and "contract" not in self.guides:
            raise refuse_format(self.name)

    @cached_property
    def _url(self) -> str:
        return self.options.base_url or os.environ.get("OPENAI_BASE_URL") or OFFICIAL

    @property
    def _official(self) -> bool:
        return urlsplit(self._url).hostname == urlsplit(OFFICIAL).hostname

    @property
    def _omit(self) -> tuple[SamplingField, ...]:
        if self.options.omit is not None:
            return self.options.omit
        return OFFICIAL_OMITS if self._official else ()

    def describe(self) -> Mapping[str, JSON]:
        return {"base_url": without_credentials(self._url), "omit": sorted(self._omit)}

    @cached_property
    def _client(self) -> ChatClient:
        o = self.options
        key = os.environ.get(o.api_key_env, "").strip()
        if self._official and not key:
            raise UsageError(f"model 'openai' needs a key: set {o.api_key_env}, or base_url for another endpoint")
        if o.transport == "sdk" and find_spec("openai") is None:
            raise UsageError("transport=sdk needs the openai package: pip install 'rlpa-bench[openai]'")
        dialect = Dialect(
            self.argument,
            o.guided_style,
            frozenset(self._omit),
            "max_completion_tokens" if self._official else "max_tokens",
            o.extra,
        )
        return ChatClient(self._url, dialect, self.context.contract, key=key, timeout=o.timeout, transport=o.transport)

    @property
    def prices(self) -> tuple[float | None, float | None]:
        """The options', or else the dated list price where the provider itself is asked."""
        own = super().prices
        return own if own != (None, None) else list_price(urlsplit(self._url).hostname or "", self.argument)

    async def start(self) -> None:
        _ = self._client

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        return await self._client.generate(messages, sampling, guide)

    async def aclose(self) -> None:
        if "_client" in self.__dict__:
            await self._client.aclose()
