"""The OpenAI chat completions protocol: requests and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import Generation, Guide, Sampling
from rlpa_bench.types import Message
from rlpa_bench_plugins.models._text import as_dicts, cut, reasoning_share, without_thinking

GUIDES: dict[str, frozenset[str]] = {
    "none": frozenset(),
    "json": frozenset({"json"}),
    "vllm": frozenset({"contract", "json"}),
    "llamacpp": frozenset({"contract", "json"}),
}
_FINISH = {"length": "length", "max_tokens": "length", "content_filter": "filter"}
_BLOCKED = {"safety", "recitation", "blocklist", "prohibited_content", "spii"}
"""Gemini's own words, which its compatible endpoint passes on."""


class Wire(Protocol):
    """How one model is asked, and how its answers are read."""

    path: ClassVar[str]

    @property
    def model(self) -> str: ...

    def headers(self, key: str) -> dict[str, str]: ...

    def request(
        self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None, contract: Any
    ) -> dict[str, Any]: ...

    def answer(self, body: bytes, stops: Sequence[str], where: str) -> Generation: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one endpoint wants differently from the others."""

    model: str
    guided: Literal["none", "json", "vllm", "llamacpp"] = "none"
    omit: frozenset[str] = frozenset()
    max_tokens: str = "max_tokens"
    extra: Mapping[str, Any] | None = None
    keeps_stop: bool = False
    """Whether it can keep the stop string (vLLM); elsewhere none is sent and the text is cut here."""
    thoughts_apart: bool = False
    """Whether completion tokens leave out the reasoning, which only the total holds (Gemini)."""
    path: ClassVar[str] = "/chat/completions"

    def headers(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"} if key else {}

    def request(
        self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None, contract: Any
    ) -> dict[str, Any]:
        """The JSON body of a call. Every sampling field is in it unless ``omit`` names it."""
        return request(self, messages, sampling, guide, contract)

    def answer(self, body: bytes, stops: Sequence[str], where: str) -> Generation:
        """The generation in the body of a 200. Raises ProviderError."""
        return answer(body, stops, where, thoughts_apart=self.thoughts_apart)


def request(
    dialect: Dialect, messages: Sequence[Message], sampling: Sampling, guide: Guide | None, contract: Any
) -> dict[str, Any]:
    """The JSON body of a call. Every sampling field is in it unless ``omit`` names it."""
    fields: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
    }
    if dialect.guided == "llamacpp":
        fields["repeat_penalty"] = fields.pop("repetition_penalty")
    if dialect.keeps_stop and sampling.stop:
        fields |= {"stop": list(sampling.stop), "include_stop_str_in_output": True}
    body = {name: value for name, value in fields.items() if name not in dialect.omit and value is not None}
    if "max_tokens" in body:
        body[dialect.max_tokens] = body.pop("max_tokens")
    constraint = _constraint(dialect.guided, guide, contract) if guide else {}
    return {"model": dialect.model, "messages": as_dicts(messages), **body, **constraint, **(dialect.extra or {})}


def _constraint(style: str, guide: Guide, contract: Any) -> dict[str, Any]:
    if guide.kind not in GUIDES[style]:
        raise UsageError(
            f"guided_style={style} cannot enforce a {guide.kind} guide; set guided_style to what the endpoint runs "
            "(vllm or llamacpp, or json for JSON Schemas only), or ask for free text"
        )
    if guide.kind == "contract":
        return {"structured_outputs": {"regex": contract.regex()}} if style == "vllm" else {"grammar": contract.gbnf()}
    schema = {"name": "answer", "schema": dict(guide.schema or {}), "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def parsed(body: bytes, where: str) -> dict[str, Any]:
    """The JSON object of a 200 answer. Raises ProviderError."""
    import orjson

    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad(where, f"no valid JSON ({error})", "bad_body") from None
    if not isinstance(data, dict):
        raise bad(where, f"JSON that is a {type(data).__name__}, not an object", "bad_body")
    return data


def answer(body: bytes, stops: Sequence[str], where: str, *, thoughts_apart: bool = False) -> Generation:
    """Reads a 200 answer. Raises ProviderError if there is no completion in it."""
    data = parsed(body, where)
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise bad(where, "no choices", "no_choices")
    finish = _finish(str(choices[0].get("finish_reason")), where)
    message = choices[0].get("message")
    if not isinstance(message, dict) and finish == "filter":
        message = {}
    if not isinstance(message, dict):
        raise bad(where, "a choice without a message", "no_choices")
    whole = _content(message)
    text, ended = cut(without_thinking(whole), stops)
    if message.get("refusal") and not text:
        finish = "filter"
    prompt, completion, reasoning = _tokens(data.get("usage") or {}, thoughts_apart)
    if reasoning is None and completion is not None:
        reasoning = _estimated(completion, whole, message)
    return Generation(text, "stop" if ended and finish == "length" else finish, prompt, completion, reasoning)


def _estimated(completion: int, whole: str, message: Mapping[str, Any]) -> int | None:
    """Reasoning tokens of an endpoint that shows its reasoning and does not count it, by characters; None for none."""
    apart = next((t for t in map(message.get, ("reasoning_content", "reasoning")) if isinstance(t, str)), "")
    thought = reasoning_share(whole) * len(whole) + len(apart)
    return round(completion * thought / (len(whole) + len(apart))) if thought else None


def _finish(said: str, where: str) -> str:
    """``stop``, ``length`` or ``filter``. Raises ProviderError for completions that broke off."""
    word = said.lower().partition(":")[0]
    if word in ("error", "insufficient_system_resource"):  # the latter is DeepSeek's
        raise bad(where, f"a completion that broke off ({said})", "error")
    return "filter" if word in _BLOCKED else _FINISH.get(word, "stop")


def _tokens(usage: Mapping[str, Any], thoughts_apart: bool) -> tuple[int | None, int | None, int | None]:
    """Tokens of the prompt, of the completion with its reasoning, and of the reasoning."""
    prompt, completion, total = (usage.get(f"{kind}_tokens") for kind in ("prompt", "completion", "total"))
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    if thoughts_apart and prompt is not None and total is not None:
        beyond = max(0, total - prompt - (completion or 0))
        completion, reasoning = total - prompt, reasoning or beyond
    return prompt, completion, reasoning


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def bad(where: str, what: str, reason: str) -> ProviderError:
    return ProviderError(f"{where} answered with {what}", reason=reason, retryable=True)
