"""What a task of another framework plays and judges: names and options, and what they build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rlpa_bench.build import Harness, parse_options
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.plan import with_turns
from rlpa_bench.types import Case

Words = str | Sequence[str]
"""Several words, or one text with commas between them."""


@dataclass(frozen=True)
class Terms:
    """The terms of a task, as its arguments give them.

    Args:
        name: the suite.
        simulator: who plays the user.
        judge: judges, with commas between them.
        turns: turns per dialogue, if not the suite's own number.
        sample: cases, a stratified sample; None is all.
        options: ``KIND.option=value`` texts, with commas between them.
    """

    name: str = "aloe"
    simulator: str = "agenda"
    judge: tuple[str, ...] = ("rules", "profile")
    turns: int | None = None
    sample: int | None = None
    options: tuple[str, ...] = ()

    @cached_property
    def harness(self) -> Harness:
        return Harness(self.name, options=parse_options(self.options))

    @cached_property
    def env(self) -> DialogueEnv:
        return self.harness.environment(self.simulator, self.judge)

    @cached_property
    def cases(self) -> dict[str, Case]:
        suite = self.harness.suite
        cases = suite.cases() if self.sample is None else suite.sample(self.sample)
        return {case.id: case for case in with_turns(cases, self.turns)}


def words(text: Words) -> tuple[str, ...]:
    """The words of a list, or of a text with commas between them."""
    parts = text.split(",") if isinstance(text, str) else text
    return tuple(part.strip() for part in parts if part.strip())


def terms_from(arguments: Mapping[str, Any]) -> Terms:
    """The terms of these arguments; lists may be texts with commas, as flags and JSON have them."""
    lists = {name: words(arguments[name]) for name in ("judge", "options") if name in arguments}
    return Terms(**{**arguments, **lists})
