"""Anthropic's Messages protocol; unlike the compatible one it tells refusals and reasoning tokens.

Source: docs.claude.com, API reference, Messages, Errors and Handling stop reasons; Structured outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rlpa_bench.errors import UsageError
from rlpa_bench.interfaces import Generation, Guide, Sampling
from rlpa_bench.types import Message
from rlpa_bench_plugins.models._text import as_dicts, cut
from rlpa_bench_plugins.models._wire import bad, parsed

VERSION = "2023-06-01"
_FINISH = {"max_tokens": "length", "model_context_window_exceeded": "length", "refusal": "filter"}


@dataclass(frozen=True, slots=True)
class Messages:
    """One model of the Messages API."""

    model: str
    omit: frozenset[str] = frozenset()
    extra: Mapping[str, Any] | None = None
    path: ClassVar[str] = "/v1/messages"

    def headers(self, key: str) -> dict[str, str]:
        return {"anthropic-version": VERSION} | ({"x-api-key": key} if key else {})

    def request(
        self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None, contract: Any
    ) -> dict[str, Any]:
        """The JSON body. ``top_p`` and ``top_k`` are left out where they are off: some models take one of them only."""
        fields: dict[str, Any] = {
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p if sampling.top_p < 1 else None,
            "top_k": sampling.top_k or None,
        }
        body = {name: value for name, value in fields.items() if name not in self.omit and value is not None}
        if guide and guide.kind != "json":
            raise UsageError(f"Anthropic's API cannot enforce a {guide.kind} guide; ask for free text")
        if guide:
            body["output_config"] = {"format": {"type": "json_schema", "schema": dict(guide.schema or {})}}
        if system := "\n\n".join(message.content for message in messages if message.role == "system"):
            body["system"] = system
        turns = [message for message in messages if message.role != "system"]
        return {"model": self.model, "messages": as_dicts(turns), **body, **(self.extra or {})}

    def answer(self, body: bytes, stops: Sequence[str], where: str) -> Generation:
        """The generation in the body of a 200. Raises ProviderError."""
        data = parsed(body, where)
        blocks = data.get("content")
        if not isinstance(blocks, list):
            raise bad(where, "no content", "no_choices")
        written = "".join(str(b.get("text", "")) for b in blocks if isinstance(b, dict) and b.get("type") == "text")
        text, ended = cut(written, stops)
        finish = _FINISH.get(str(data.get("stop_reason")), "stop")
        usage = data.get("usage") or {}
        prompt = [usage.get(f"{kind}input_tokens") for kind in ("", "cache_creation_", "cache_read_")]
        return Generation(
            text,
            "stop" if ended and finish == "length" else finish,
            None if prompt[0] is None else sum(count or 0 for count in prompt),
            usage.get("output_tokens"),
            (usage.get("output_tokens_details") or {}).get("thinking_tokens"),
        )
