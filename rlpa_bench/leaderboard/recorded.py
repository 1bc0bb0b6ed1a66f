"""A context whose models say nothing of their own: components that ask one can be built without key or network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlpa_bench.context import RunContext
from rlpa_bench.errors import ProviderError
from rlpa_bench.interfaces import Guide
from rlpa_bench.types import Call, Message


class Voice:
    """A model that repeats recorded answers, and fails when it is asked for more."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.answers: list[str] = []

    async def generate(
        self, messages: Sequence[Message], *, key: str, guide: Guide | None = None, **sampling: Any
    ) -> tuple[str, Call]:
        """The next recorded answer. Raises ProviderError if there is none."""
        if not self.answers:
            raise ProviderError(f"{self.name} is not asked during validation", reason="recorded")
        return self.answers.pop(0), Call("judge", self.name, "stop")


class RecordedContext(RunContext):
    """A run's context with voices in place of models."""

    def __init__(self, context: RunContext) -> None:
        self.__dict__.update(context.__dict__)
        self.voices: list[Voice] = []

    def model(self, spec: str, role: str) -> Any:
        """A voice of that name."""
        self.voices.append(Voice(spec))
        return self.voices[-1]
