"""A model that writes what it is told; whole runs work with it where there is no engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import Generation, Guide, Model, Sampling
from rlpa_bench.options import ModelOptions
from rlpa_bench.types import JSON, Message
from rlpa_bench_plugins.models._text import cut

QUESTIONS = (
    "What do you like to do in your free time?",
    "What kind of work do you do?",
    "Where do you live at the moment?",
    "Who is in your family?",
    "What did you study?",
    "How old are you, if I may ask?",
    "Are you married?",
)


class ScriptedOptions(ModelOptions):
    outputs: tuple[str, ...] = Field((), description="What to write; none is a polite legal output made of the talk.")
    mode: Literal["cycle", "seed"] = Field("cycle", description="Choose outputs by the turn, or by the sampling seed.")
    latency: float = Field(0.0, ge=0, description="Seconds every call takes.")
    fail: int = Field(0, ge=0, description="Every n-th call fails in a way that a retry mends; 0 is never.")


class Scripted(Model):
    """Writes given outputs, or repeats what the user said and asks the next of a few questions; no engine."""

    name = "scripted"
    Options = ScriptedOptions
    takes_argument = "path of a file with outputs (JSON Lines, or one plain text)"
    cacheable = False
    guides = frozenset({"contract", "json"})
    options: ScriptedOptions

    def __init__(self, options: Any, context: Any, argument: str = "") -> None:
        super().__init__(options, context, argument)
        self._calls = 0

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """The given outputs; empty for those made of the talk. Raises UsageError for an unreadable file."""
        return _read(Path(self.argument).expanduser()) if self.argument else self.options.outputs

    def describe(self) -> Mapping[str, JSON]:
        return {"outputs_sha256": sha256("\0".join(self.outputs or QUESTIONS).encode()).hexdigest()}

    async def start(self) -> None:
        _ = self.outputs

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        self._calls += 1
        if self.options.latency:
            await asyncio.sleep(self.options.latency)
        if self.options.fail and self._calls % self.options.fail == 0:
            raise ProviderError(f"scripted failure of call {self._calls}", reason="scripted", retryable=True)
        turn = sum(message.role == "assistant" for message in messages)
        place = sampling.seed or 0 if self.options.mode == "seed" else turn
        text = self.outputs[place % len(self.outputs)] if self.outputs else self._polite(messages, place)
        return Generation(cut(text, sampling.stop)[0])

    def _polite(self, messages: Sequence[Message], place: int) -> str:
        said = " ".join(messages[-1].content.replace("<", " ").replace(">", " ").split())
        contract = self.context.contract
        profile = f"- Others: {said[: contract.max_value].strip()}" if said else ""
        written: str = contract.write(profile, f"Thank you for telling me. {QUESTIONS[place % len(QUESTIONS)]}")
        return written


def _read(path: Path) -> tuple[str, ...]:
    import json

    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".jsonl":
            return (text,)
        outputs = tuple(json.loads(line) for line in text.splitlines() if line.strip())
    except OSError as error:
        raise UsageError(f"cannot read the outputs in {path} ({error.strerror}); write scripted:FILE") from None
    except ValueError as error:
        raise UsageError(f"{path} is not UTF-8 JSON Lines ({error}); write one JSON string a line") from None
    if not outputs or not all(isinstance(output, str) for output in outputs):
        raise UsageError(f"{path} holds something else than JSON strings; write one output a line")
    return outputs
