"""A profile in the system prompt: the user's own (oracle), what they told of it (hinted) or another's (shuffled)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rlpa_bench.errors import SimulatorError
from rlpa_bench.interfaces import BoundModel, Context
from rlpa_bench.types import JSON, Message, Output, View
from rlpa_bench_plugins.baselines.common import Prompted, text, with_system


def _told(view: View, profile: str) -> Sequence[Message]:
    return with_system(view.messages, text("known_user").format(profile=profile))


class Oracle(Prompted):
    """Reads the user's true profile, facts and traits, in the system prompt."""

    name = "oracle"
    grants = frozenset({"gold"})
    texts = ("known_user",)

    async def respond(self, view: View) -> Output:
        """Raises SimulatorError where the user has no gold."""
        if view.gold is None:
            raise SimulatorError("this user has no golden profile to read; leave oracle out", reason="no-gold")
        return await self.finish(view, _told(view, self.context.contract.lines(view.gold.items)))


class Hinted(Prompted):
    """Reads in the system prompt what the user has told so far: ALOE's hint (arXiv 2410.03642), from the ledger.

    ALOE lets a model extract the persona revealed so far; the ledger is exact. Until something was told it is ``base``.
    """

    name = "hinted"
    grants = frozenset({"disclosed"})
    texts = ("hint",)

    async def respond(self, view: View) -> Output:
        """Raises SimulatorError while it is not known what the user disclosed."""
        if view.disclosed is None:
            reason = "what this user disclosed is not known, so hinted has nothing to read; leave it out"
            raise SimulatorError(reason, reason="no-ledger")
        if not view.disclosed:
            return await self.finish(view, view.messages)
        told = text("hint").format(profile=self.context.contract.lines(view.disclosed))
        return await self.finish(view, with_system(view.messages, told))


class Shuffled(Prompted):
    """Reads another user's profile in the system prompt as if it were true.

    A profile and a personality of the training pool are drawn once per dialogue and kept in memory. In the
    suite ``training`` itself one draw in as many as the pool has profiles hits the user's own.
    """

    name = "shuffled"
    texts = ("known_user",)

    def __init__(self, options: Any, context: Context, argument: str = "", model: BoundModel | None = None) -> None:
        from rlpa_bench_plugins.baselines.pool import Pool

        super().__init__(options, context, argument, model)
        self._pool = Pool(context.ontology.values, "training")

    async def respond(self, view: View) -> Output:
        profile = view.memory if isinstance(view.memory, str) else self._draw(view.key)
        return replace(await self.finish(view, _told(view, profile)), memory=profile)

    def describe(self) -> Mapping[str, JSON]:
        return {**super().describe(), "personas": self._pool.digests}

    def _draw(self, key: str) -> str:
        draws = self.context.random("shuffled", key)
        profile = draws.choice(self._pool.profiles)
        personality = draws.choice(self._pool.personalities)
        return self.context.contract.lines(profile.items + personality.items)
