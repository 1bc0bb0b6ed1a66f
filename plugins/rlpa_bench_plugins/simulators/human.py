"""A person as the user."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from rlpa_bench.interfaces import Simulator
from rlpa_bench.ontology.stated import stated
from rlpa_bench.options import Options
from rlpa_bench.types import State, Utterance

LEAVE = "/bye"


class HumanSimulator(Simulator):
    """You: on the page of ``rlpa-bench serve-human``, else what you type; ``/bye`` or the end of input ends a dialogue.

    What is disclosed is read from the words where the case has a golden profile (marked ``extracted``), else unknown.
    Under ``run``, play one dialogue at a time (``--max-connections 1``).
    """

    name = "human"
    unhurried = True
    Options = Options

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.ask: Callable[[State], Awaitable[tuple[str, bool]]] = typed
        """Gives the person's next words, and whether they leave."""

    async def open(self, state: State) -> Utterance:
        return await self._said(state)

    async def reply(self, state: State) -> Utterance:
        return await self._said(state)

    async def _said(self, state: State) -> Utterance:
        text, leaves = await self.ask(state)
        gold, keys = state.case.gold, None
        if gold is not None:
            facts = gold.at(state.session, state.turn).facts
            keys = stated(text, facts, self.context.ontology)
        return Utterance(text, keys, ends="left" if leaves else "", extracted=keys is not None)


async def typed(state: State) -> tuple[str, bool]:
    """What is typed on the terminal."""
    text = state.turns[-1].response if state.turns else "You open the conversation."
    print(f"\n{text}\n> ", end="", flush=True)
    line = await asyncio.to_thread(sys.stdin.readline)
    left = not line or line.strip() == LEAVE
    return "Goodbye." if left else line.strip().encode("utf-8", "replace").decode(), left
