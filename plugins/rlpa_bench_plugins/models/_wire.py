"""The OpenAI chat completions protocol: requests, answers, and what failures mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Literal

from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import Generation, Guide, Sampling
from rlpa_bench.types import Message
from rlpa_bench_plugins.models._text import as_dicts, cut, without_thinking

RETRYABLE = {408, 409, 425, 429}
MENDS = {
    400: "check the model's options; omit names fields that the endpoint does not take",
    401: "check the key in the variable that api_key_env names",
    402: "check the account's credit",
    403: "check what the key may do",
    404: "check the model's name and base_url",
}
GUIDES: dict[str, frozenset[str]] = {
    "none": frozenset(),
    "json": frozenset({"json"}),
    "vllm": frozenset({"contract", "json"}),
    "llamacpp": frozenset({"contract", "json"}),
}
_FINISH = {"length": "length", "max_tokens": "length", "content_filter": "filter"}


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


def answer(body: bytes, stops: Sequence[str], where: str) -> Generation:
    """Reads a 200 answer. Raises ProviderError if there is no completion in it."""
    import orjson

    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _bad(where, f"no valid JSON ({error})", "bad_body") from None
    if not isinstance(data, dict):
        raise _bad(where, f"JSON that is a {type(data).__name__}, not an object", "bad_body")
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise _bad(where, "no choices", "no_choices")
    message = choices[0].get("message")
    if not isinstance(message, dict):
        raise _bad(where, "a choice without a message", "no_choices")
    finish = _FINISH.get(str(choices[0].get("finish_reason")), "stop")
    if choices[0].get("finish_reason") == "error":
        raise _bad(where, "a completion that broke off with an error", "error")
    text, ended = cut(without_thinking(_content(message)), stops)
    if message.get("refusal") and not text:
        finish = "filter"
    usage = data.get("usage") or {}
    details = usage.get("completion_tokens_details") or {}
    return Generation(
        text,
        "stop" if ended and finish == "length" else finish,
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
        details.get("reasoning_tokens"),
    )


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _bad(where: str, what: str, reason: str) -> ProviderError:
    return ProviderError(f"{where} answered with {what}", reason=reason, retryable=True)


def failure(status: int, headers: Mapping[str, str], body: str, where: str) -> ProviderError:
    """What an answer of another status than 200 means. ``body`` must be free of secrets."""
    said = " ".join(body.split())[:300] or "nothing"
    if status == 400 and any(words in body.lower() for words in ("context length", "context_length", "context size")):
        mend = "shorten the dialogue or the prompt, or serve the model with a longer context"
        return ProviderError(f"{where} says the prompt is too long ({said}); {mend}", reason="context_overflow")
    if status == 429 and "insufficient_quota" in body:
        return ProviderError(f"{where} says the quota is used up ({said}); check the plan", reason="quota")
    retryable = status in RETRYABLE or status >= 500
    mend = "" if retryable else f"; {MENDS.get(status, 'check base_url')}"
    message = f"{where} answered {status}: {said}{mend}"
    return ProviderError(message, reason=str(status), retryable=retryable, retry_after=retry_after(headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from ``retry-after-ms`` or ``Retry-After`` (seconds or an HTTP date); None if unsaid."""
    found = {name.lower(): value for name, value in headers.items()}
    try:
        if "retry-after-ms" in found:
            return max(0.0, float(found["retry-after-ms"]) / 1000)
        return max(0.0, float(found["retry-after"]))
    except KeyError:
        return None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(found["retry-after"]).timestamp() - time())
    except (KeyError, ValueError):
        return None
