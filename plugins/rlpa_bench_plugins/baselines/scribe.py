"""The honest reference points: say back exactly what was disclosed, and ask for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rlpa_bench.errors import SimulatorError
from rlpa_bench.interfaces import Context
from rlpa_bench.types import JSON, Item, Output, View
from rlpa_bench_plugins.baselines.common import Control, sections
from rlpa_bench_plugins.baselines.talk import Memory, Talk, new_memory, pick

ORDER = (
    "Interests",
    "Occupation",
    "Location",
    "Family Background",
    "Educational Background",
    "Marital Status",
    "Others",
    "Age",
    "Gender",
    "Personality Traits",
)
AGAIN = ("Interests", "Others", "Family Background")
"""Slots that hold several values, asked for again and again once all have been asked for."""


class Scribe(Control):
    """States exactly what the user has disclosed, speaks of it and asks nothing."""

    name = "scribe"
    grants = frozenset({"disclosed"})
    texts: ClassVar[tuple[str, ...]] = ("statements",)

    def __init__(self, options: Any, context: Context, argument: str = "", model: None = None) -> None:
        super().__init__(options, context, argument, model)
        self._talk = Talk(context.ontology.values)

    async def respond(self, view: View) -> Output:
        """Raises SimulatorError while it is not known what the user disclosed."""
        if view.disclosed is None:
            reason = f"what this user disclosed is not known, so {self.name} cannot state it; leave it out"
            raise SimulatorError(reason, reason="no-ledger")
        memory = view.memory or new_memory(self.context.random("talk", view.key).below(1000))
        return self.write(view.disclosed, self.reply(view, view.disclosed, memory), memory)

    def reply(self, view: View, facts: tuple[Item, ...], memory: Memory) -> str:
        return self._talk.about(facts, memory, view.turn == 1)

    def describe(self) -> Mapping[str, JSON]:
        return {**super().describe(), "ontology": self.context.ontology.digest}


class Asker(Scribe):
    """Scribe that also asks one question per turn, for the next slot of which it knows no fact."""

    name = "asker"
    texts = ("statements", "questions")

    def __init__(self, options: Any, context: Context, argument: str = "", model: None = None) -> None:
        super().__init__(options, context, argument, model)
        self._questions = sections("questions")

    def reply(self, view: View, facts: tuple[Item, ...], memory: Memory) -> str:
        statement = self._talk.about(facts, memory, view.turn == 1, most=1)
        return f"{statement} {pick(self._questions, self._next(facts, memory), memory)}"

    @staticmethod
    def _next(facts: tuple[Item, ...], memory: Memory) -> str:
        asked = memory["used"]
        known = {fact.slot for fact in facts}
        for slot in ORDER:
            if slot not in known and f"{slot}?" not in asked:
                return f"{slot}?"
        return min((f"{slot} again?" for slot in AGAIN), key=lambda heading: asked.get(heading, 0))
