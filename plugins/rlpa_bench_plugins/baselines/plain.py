"""The model with the contract alone, and with a reminder."""

from __future__ import annotations

from rlpa_bench.types import Output, View
from rlpa_bench_plugins.baselines.common import Prompted, text, with_user


class Base(Prompted):
    """The model as it is: the contract's messages and nothing else."""

    name = "base"

    async def respond(self, view: View) -> Output:
        return await self.finish(view, view.messages)


class Reminder(Prompted):
    """One sentence after the user's asks to respect what they said (RLPA, arXiv 2505.15456, appendix D)."""

    name = "reminder"
    texts = ("reminder",)

    async def respond(self, view: View) -> Output:
        return await self.finish(view, with_user(view.messages, text("reminder")))
