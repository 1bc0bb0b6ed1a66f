"""The model that components get while they are exercised: it answers by rule, or fails, and counts its calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from rlpa_bench.contract import Contract
from rlpa_bench.errors import ProviderError
from rlpa_bench.interfaces import Generation, Guide, Model, Sampling
from rlpa_bench.options import ModelOptions
from rlpa_bench.types import Message

Says = Callable[[Sequence[Message], Guide | None], str]
"""Writes what the scripted model says to a request."""

CALL_LIMIT = 20
"""Model calls that one call of a component may make while the model fails."""


class UnboundedError(BaseException):
    """Ends a component that asks a failing model for ever; no Exception, so that retry loops let it through."""


class Script(Model):
    """Says by rule what was asked for: outputs in the contract's form, JSON by schema, else a sentence."""

    name = "script"
    Options = ModelOptions
    cacheable = False
    guides = frozenset({"contract", "json"})
    says: Says | None = None
    mode = "works"
    """``works``; ``fails`` with a ProviderError; or the text that it always says."""
    calls = 0
    since = 0
    """Calls since the component was called last."""

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        self.calls += 1
        self.since += 1
        if self.mode == "fails":
            if self.since > CALL_LIMIT:
                raise UnboundedError
            raise ProviderError("the scripted endpoint is down", reason="503", retryable=True)
        text = self._text(messages, guide) if self.mode == "works" else self.mode
        return Generation(text, "stop", sum(len(m.content) for m in messages) // 4, len(text) // 4)

    def _text(self, messages: Sequence[Message], guide: Guide | None) -> str:
        if self.says is not None:
            return self.says(messages, guide)
        number = int(sha256("\0".join(m.content for m in messages).encode()).hexdigest()[:6], 16)
        if guide and guide.kind == "json":
            import json

            return json.dumps(example(guide.schema or {}, number))
        sentence = f"I see, that makes {number}. What else?"
        contract = (guide and guide.kind == "contract") or any("<profile>" in m.content for m in messages)
        return Contract.write(f"- Others: note {number}", sentence) if contract else sentence


def example(schema: Mapping[str, Any], number: int = 0) -> Any:
    """A value that fits a JSON Schema of the common kinds; ``number`` picks among several."""
    if "enum" in schema:
        return schema["enum"][number % len(schema["enum"])]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type", "object")
    if kind == "object":
        return {key: example(part, number) for key, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(schema.get("items", {"type": "string"}), number)] * max(1, schema.get("minItems", 1))
    if kind in ("integer", "number"):
        low = schema.get("minimum", 0)
        return low + number % (int(schema.get("maximum", low + 1) - low) + 1)
    return {"boolean": bool(number % 2), "null": None}.get(kind, f"words {number}")
