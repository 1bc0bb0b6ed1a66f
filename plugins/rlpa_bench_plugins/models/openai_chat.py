"""Any OpenAI-compatible endpoint: OpenAI itself, vLLM, llama.cpp, SGLang, Ollama, LiteLLM, OpenRouter, …"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_serializer

from rlpa_bench.errors import UsageError
from rlpa_bench.interfaces import Generation, Guide, Model, Sampling
from rlpa_bench.options import ModelOptions
from rlpa_bench.types import JSON, Message
from rlpa_bench_plugins.models._chat_client import ChatClient, without_credentials
from rlpa_bench_plugins.models._prices import list_price
from rlpa_bench_plugins.models._text import refuse_format
from rlpa_bench_plugins.models._wire import GUIDES, Dialect, Wire

SamplingField = Literal["temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens", "stop", "seed"]


@dataclass(frozen=True, slots=True)
class Provider:
    """What a commercial API wants, by its documentation."""

    url: str
    variable: str = ""
    """The environment variable that names another address, as in the provider's own package."""
    omits: tuple[SamplingField, ...] = ()
    """Sampling fields that the API does not have."""
    picky: str = "(?!)"
    """Names of models that take no sampling at all, or only its defaults."""
    picky_omits: tuple[SamplingField, ...] = ("temperature", "top_p")
    max_tokens: str = "max_tokens"
    """What the API calls the limit of tokens."""
    elsewhere: bool = True
    """Whether another address is taken for a proxy of this API, not for some other endpoint."""

    def omitted(self, model: str) -> tuple[SamplingField, ...]:
        more = self.picky_omits if re.match(self.picky, model) else ()
        return tuple(dict.fromkeys((*self.omits, *more)))


OPENAI = Provider(
    "https://api.openai.com/v1",
    "OPENAI_BASE_URL",
    ("top_k", "min_p", "repetition_penalty"),
    picky=r"o\d|gpt-[5-9](?!.*chat)",
    max_tokens="max_completion_tokens",
    elsewhere=False,
)


class OpenAIOptions(ModelOptions):
    base_url: str | None = Field(None, description=f"Unset is OPENAI_BASE_URL, or else {OPENAI.url}.")
    api_key_env: str = Field("OPENAI_API_KEY", description="The environment variable that holds the key.")
    timeout: float = Field(120.0, gt=0, description="Seconds a call may take.")
    transport: Literal["aiohttp", "sdk"] = Field("aiohttp", description="sdk goes through the openai package.")
    guided_style: Literal["none", "json", "vllm", "llamacpp"] = Field(
        "none", description="How the endpoint takes a guide; json serves JSON Schemas only."
    )
    omit: tuple[SamplingField, ...] | None = Field(
        None, description="Sampling fields not to send; unset is what the commercial API or its model does not take."
    )
    extra: dict[str, Any] = Field({}, description="Further fields of the request, such as reasoning_effort.")

    @field_serializer("base_url")
    def _shown(self, url: str | None) -> str | None:
        return without_credentials(url) if url else url


class OpenAI(Model):
    """A chat model behind an OpenAI-compatible address; the key comes from the environment and is never shown."""

    name = "openai"
    Options: ClassVar[type[Any]] = OpenAIOptions
    provider: ClassVar[Provider] = OPENAI
    takes_argument = "the model's name at the endpoint"
    options: OpenAIOptions

    def __init__(self, options: Any, context: Any, argument: str = "") -> None:
        super().__init__(options, context, argument)
        if not argument:
            raise UsageError(f"model {self.name!r} needs the model's name at the endpoint; write {self.name}:NAME")
        self.guides = GUIDES[self.options.guided_style]  # type: ignore[misc]
        if self.options.format == "guided" and "contract" not in self.guides:
            raise refuse_format(self.name)

    @cached_property
    def _url(self) -> str:
        return self.options.base_url or os.environ.get(self.provider.variable) or self.provider.url

    @property
    def _official(self) -> bool:
        return urlsplit(self._url).hostname == urlsplit(self.provider.url).hostname

    @property
    def _theirs(self) -> bool:
        """Whether the address is taken to speak as the provider does."""
        return self._official or self.provider.elsewhere

    @property
    def _omit(self) -> tuple[SamplingField, ...]:
        if self.options.omit is not None:
            return self.options.omit
        return self.provider.omitted(self.argument) if self._theirs else ()

    def describe(self) -> Mapping[str, JSON]:
        return {"base_url": without_credentials(self._url), "omit": sorted(self._omit)}

    def _wire(self) -> Wire:
        limit = self.provider.max_tokens if self._theirs else "max_tokens"
        return Dialect(self.argument, self.options.guided_style, frozenset(self._omit), limit, self.options.extra)

    @cached_property
    def _client(self) -> ChatClient:
        o = self.options
        key = os.environ.get(o.api_key_env, "").strip()
        if self._official and not key:
            raise UsageError(f"model {self.name!r} needs a key: set {o.api_key_env}, or base_url for another endpoint")
        if o.transport == "sdk" and find_spec("openai") is None:
            raise UsageError("transport=sdk needs the openai package: pip install 'rlpa-bench[openai]'")
        contract = self.context.contract
        return ChatClient(self._url, self._wire(), contract, key=key, timeout=o.timeout, transport=o.transport)

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
