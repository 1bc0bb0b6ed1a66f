"""Commercial APIs besides OpenAI's. Which fields they take is theirs to change; ``omit`` and ``extra`` override it.

Sources: docs.claude.com (Messages, Models), api-docs.deepseek.com (Create chat completion, Thinking mode),
ai.google.dev (OpenAI compatibility); as of the date in prices.json.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from rlpa_bench_plugins.models._messages import Messages
from rlpa_bench_plugins.models._wire import Dialect, Wire
from rlpa_bench_plugins.models.openai_chat import OpenAI, OpenAIOptions, Provider

ANTHROPIC = Provider(
    "https://api.anthropic.com",
    "ANTHROPIC_BASE_URL",
    ("min_p", "repetition_penalty", "seed"),
    picky=r"claude-(?:opus-4-[78]|mythos|[a-z]+-[5-9])",
    picky_omits=("temperature", "top_p", "top_k"),
)
DEEPSEEK = Provider("https://api.deepseek.com", omits=("top_k", "min_p", "repetition_penalty", "seed"))
GEMINI = Provider(
    "https://generativelanguage.googleapis.com/v1beta/openai",
    omits=("top_k", "min_p", "repetition_penalty", "seed"),
)


class AnthropicOptions(OpenAIOptions):
    base_url: str | None = Field(None, description=f"Unset is ANTHROPIC_BASE_URL, or else {ANTHROPIC.url}.")
    api_key_env: str = Field("ANTHROPIC_API_KEY", description="The environment variable that holds the key.")
    transport: Literal["aiohttp"] = Field("aiohttp", description="There is one.")
    guided_style: Literal["none", "json"] = Field("json", description="Structured outputs serve JSON Schemas only.")


class DeepSeekOptions(OpenAIOptions):
    base_url: str | None = Field(None, description=f"Unset is {DEEPSEEK.url}.")
    api_key_env: str = Field("DEEPSEEK_API_KEY", description="The environment variable that holds the key.")
    guided_style: Literal["none"] = Field("none", description="The API enforces no schema.")


class GeminiOptions(OpenAIOptions):
    base_url: str | None = Field(None, description=f"Unset is {GEMINI.url}.")
    api_key_env: str = Field("GEMINI_API_KEY", description="The environment variable that holds the key.")
    guided_style: Literal["none", "json"] = Field("json", description="Structured outputs serve JSON Schemas only.")


class Anthropic(OpenAI):
    """A Claude model through Anthropic's own Messages API."""

    name = "anthropic"
    Options = AnthropicOptions
    provider: ClassVar[Provider] = ANTHROPIC
    takes_argument = "the model's name, such as claude-haiku-4-5"

    def _wire(self) -> Wire:
        return Messages(self.argument, frozenset(self._omit), self.options.extra)


class DeepSeek(OpenAI):
    """A model of DeepSeek's API."""

    name = "deepseek"
    Options = DeepSeekOptions
    provider: ClassVar[Provider] = DEEPSEEK
    takes_argument = "the model's name, such as deepseek-v4-flash"


class Gemini(OpenAI):
    """A Gemini model through Google's OpenAI-compatible endpoint."""

    name = "gemini"
    Options = GeminiOptions
    provider: ClassVar[Provider] = GEMINI
    takes_argument = "the model's name, such as gemini-2.5-flash"

    def _wire(self) -> Wire:
        o = self.options
        return Dialect(self.argument, o.guided_style, frozenset(self._omit), extra=o.extra, thoughts_apart=True)
