"""A person at the terminal as the user."""

from __future__ import annotations

import asyncio
import sys

from rlpa_bench.interfaces import Simulator
from rlpa_bench.options import Options
from rlpa_bench.types import State, Utterance

LEAVE = "/bye"


class HumanSimulator(Simulator):
    """You: reads what you type from standard input; ``/bye`` or the end of input ends the dialogue.

    What you disclose is not known to the harness, so the ledger is None. Play one dialogue at a time
    (``--max-connections 1``).
    """

    name = "human"
    unhurried = True
    Options = Options

    async def open(self, state: State) -> Utterance:
        return await self._ask("You open the conversation.")

    async def reply(self, state: State) -> Utterance:
        return await self._ask(state.turns[-1].response)

    async def _ask(self, text: str) -> Utterance:
        print(f"\n{text}\n> ", end="", flush=True)
        line = await asyncio.to_thread(sys.stdin.readline)
        left = not line or line.strip() == LEAVE
        return Utterance(
            "Goodbye." if left else line.strip().encode("utf-8", "replace").decode(), None, ends="left" if left else ""
        )
