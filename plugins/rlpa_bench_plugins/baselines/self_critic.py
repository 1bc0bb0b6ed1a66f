"""Draft, critique, revision."""

from __future__ import annotations

from rlpa_bench.types import Message, Output, View
from rlpa_bench_plugins.baselines.common import Prompted, said, text


class SelfCritic(Prompted):
    """A draft, a critique of it in two sentences and a revision (RLPA, arXiv 2505.15456, appendix D)."""

    name = "self-critic"
    calls_per_turn = 3
    texts = ("self_critic_critique", "self_critic_revise")

    async def respond(self, view: View) -> Output:
        """Three calls; only the revision is the output, drafts stay inside the turn."""
        draft, first = await self.model.generate(view.messages, key=f"{view.key}/draft")
        messages = (*view.messages, said(draft), Message("user", text("self_critic_critique")))
        critique, second = await self.model.generate(messages, key=f"{view.key}/critique")
        messages = (*messages, said(critique), Message("user", text("self_critic_revise")))
        return await self.finish(view, messages, (first, second))
