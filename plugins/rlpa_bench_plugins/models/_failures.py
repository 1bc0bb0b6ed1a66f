"""What an answer of another status than 200 means: refused, too long, out of credit, busy, or simply wrong.

The shapes are those which OpenAI, Anthropic, DeepSeek and Google document; other endpoints imitate one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from rlpa_bench.errors import ProviderError

RETRYABLE = {408, 409, 425, 429}
MENDS = {
    400: "check the model's options; omit names fields that the endpoint does not take",
    401: "check the key in the variable that api_key_env names",
    402: "check the account's credit",
    403: "check what the key may do",
    404: "check the model's name and base_url",
    422: "check the model's options; omit names fields that the endpoint does not take",
}
_REFUSALS = {"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "invalid_prompt"}
"""Codes of OpenAI and Azure for a prompt that is not answered because of what it says."""
_REFUSED = ("content exists risk", "contentpolicyviolation")
"""DeepSeek's and LiteLLM's words for it."""
_TOO_LONG = (
    "context length", "context_length", "context size", "contextwindowexceeded", "prompt is too long",
    "input token count",
)  # fmt: skip
_NO_CREDIT = ("insufficient_quota", "credit balance is too low", "PerDay")
_PART = re.compile(r"([\d.]+)(ms|h|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def refused(status: int, body: str) -> bool:
    """Whether the provider will not answer this prompt: an answer of its kind, not a failure."""
    error = _error(body)
    inner = error.get("innererror")
    codes = {error.get("code"), error.get("type"), inner.get("code") if isinstance(inner, dict) else None}
    message = str(error.get("message", "")).lower()
    return status in (400, 403) and (bool(codes & _REFUSALS) or any(words in message for words in _REFUSED))


def failure(status: int, headers: Mapping[str, str], body: str, where: str) -> ProviderError:
    """The error to raise. ``body`` must be free of secrets."""
    said = " ".join(body.split())[:300] or "nothing"
    if status == 400 and any(words in body.lower() for words in _TOO_LONG):
        mend = "shorten the dialogue or the prompt, or serve the model with a longer context"
        return ProviderError(f"{where} says the prompt is too long ({said}); {mend}", reason="context_overflow")
    if status in (400, 429) and any(words in body for words in _NO_CREDIT):
        return ProviderError(f"{where} says the quota is used up ({said}); check the plan", reason="quota")
    retryable = status in RETRYABLE or status >= 500
    kind = 401 if "API_KEY_INVALID" in body else status  # Google's word for a wrong key comes with 400
    mend = "" if retryable else f"; {MENDS.get(kind, 'check base_url')}"
    message = f"{where} answered {status}: {said}{mend}"
    return ProviderError(message, reason=str(status), retryable=retryable, retry_after=wait(headers, body))


def wait(headers: Mapping[str, str], body: str = "") -> float | None:
    """Seconds to wait before the next try; None if the endpoint does not say.

    In this order: ``retry-after-ms``, ``Retry-After`` (seconds or an HTTP date), ``RetryInfo`` in Google's body, and
    the latest reset among the limits of which the headers say that nothing remains.
    """
    found = {name.lower(): value for name, value in headers.items()}
    milliseconds = _seconds(found.get("retry-after-ms", ""))
    said = [
        None if milliseconds is None else milliseconds / 1000,
        _seconds(found.get("retry-after", "")),
        _retry_info(body),
        max(_resets(found), default=None),
    ]
    return next((seconds for seconds in said if seconds is not None), None)


def _resets(headers: Mapping[str, str]) -> Iterator[float]:
    for name, value in headers.items():
        if "ratelimit" in name and "remaining" in name and value.strip() == "0":
            seconds = _seconds(headers.get(name.replace("remaining", "reset"), ""))
            if seconds is not None:
                yield seconds


def _retry_info(body: str) -> float | None:
    details = _error(body).get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and str(detail.get("@type", "")).endswith("RetryInfo"):
            return _seconds(str(detail.get("retryDelay", "")))
    return None


def _seconds(text: str) -> float | None:
    """Seconds from a number, a duration such as ``6m0s``, an HTTP date or an RFC 3339 time; None for other text."""
    text = text.strip()
    parts = _PART.findall(text)
    try:
        if parts and "".join(number + unit for number, unit in parts) == text:
            return sum(float(number) * _UNITS[unit] for number, unit in parts)
        if re.fullmatch(r"-?\d+(\.\d*)?", text):
            return max(0.0, float(text))
        when = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
        return max(0.0, when.timestamp() - time())
    except (TypeError, ValueError, OverflowError):
        return None


def _error(body: str) -> Mapping[str, Any]:
    """The error object of a body; Google's comes in a list. Empty if there is none."""
    import orjson

    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    data = data[0] if isinstance(data, list) and data else data
    error = data.get("error") if isinstance(data, dict) else None
    return error if isinstance(error, dict) else {}
