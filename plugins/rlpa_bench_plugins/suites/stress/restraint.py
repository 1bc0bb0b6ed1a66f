"""Turns in which no personal touch is called for, between turns in which one is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from pydantic import Field

from rlpa_bench.types import Case, Session
from rlpa_bench_plugins.suites.persona_files import Entry
from rlpa_bench_plugins.suites.stress.base import StressOptions, StressSuite
from rlpa_bench_plugins.suites.stress.words import Values, remark, variants

PLAIN = ("plain: fact", "plain: emergency", "plain: third person")
PERSONAL = "personal"
_KNOWN = 5
"""Turns in which the user becomes known first."""


class RestraintOptions(StressOptions):
    """Long enough for one turn of each kind."""

    turns: int = Field(14, ge=13, description="Turns per dialogue.")


class RestraintSuite(StressSuite):
    """Questions of fact, emergencies and other people's questions, where use of the profile would be intrusive.

    Two facts are told in turns 2 and 3; three plain turns and two in which the user asks for something that suits them
    follow. Only facts named in their own words are found: an allusion is not, nor a tone that is too familiar.
    """

    name = "aloe-restraint"
    protocol = "aloe-restraint/1"
    Options: ClassVar[type[Any]] = RestraintOptions

    def plan(self, number: int, profile: Entry, style: Entry, pool: Sequence[Entry], values: Values) -> Iterable[Case]:
        draws = self.draws(profile.id)
        likings = [item for item in profile.items if item.slot == "Interests" and item.polarity > 0]
        work = [item for item in profile.items if item.slot in ("Occupation", "Location")]
        told = (draws.choice(likings), draws.choice(work))
        remarks = [remark(2 + i, "first", draws.choice(item.say), item.key) for i, item in enumerate(told)]
        plain = draws.shuffled(PLAIN)
        turns = draws.shuffled(range(_KNOWN + 1, self.options.turns + 1))
        kinds = (plain[0], PERSONAL, plain[1], PERSONAL, plain[2])
        wishes = draws.shuffled(variants(PERSONAL))
        for turn, kind in zip(sorted(turns[: len(kinds)]), kinds, strict=True):
            text = wishes.pop() if kind == PERSONAL else draws.choice(self._foreign(variants(kind), profile))
            remarks.append(remark(turn, kind, text))
        yield self.case(profile, style, "", (Session(self.options.turns, self.options.opening),), remarks=remarks)

    def _foreign(self, texts: Sequence[str], profile: Entry) -> list[str]:
        """The texts that name nothing of this user's."""
        mine = {item.id for item in profile.items}
        mentions = self.context.ontology.mentions
        return [text for text in texts if not mine & {mention.value.id for mention in mentions(text)}]
