"""Dialogues of 50 turns and more, with users who have something to say to the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from rlpa_bench.contract import Contract
from rlpa_bench.randomness import Draws
from rlpa_bench.types import Case, Change, Exchange, Item, Message, Remark, Session
from rlpa_bench_plugins.suites.persona_files import Entry
from rlpa_bench_plugins.suites.stress.base import StressOptions, StressSuite
from rlpa_bench_plugins.suites.stress.words import Values, remark, texts, variants

SUMMARY = "summary"
FACTS = 20
"""Facts of a user at most: half of what the judge ``profile`` reads."""
EVERY = 3
"""Every third turn has planned words, so that two thirds are the user's own."""
CHANGES = 12
"""Turns between two changes."""
KINDS = ("mention", "small talk", "mention", "probe", "mention", "false memory")
"""What is planned, in rotation."""


@dataclass(frozen=True)
class LongContract(Contract):
    """The contract with a limit on the history that a model is shown: the oldest turns are left out first.

    The latest exchange, which carries the profile handed on, is always shown, and so is the system text.
    """

    history: int = 12_000
    """Characters of history."""
    max_response: int = 480
    """Longer than elsewhere, since the last turn asks for a summary."""

    def render(self, history: Sequence[Exchange], user: str) -> tuple[Message, ...]:
        return super().render(self.shown(history), user)

    def shown(self, history: Sequence[Exchange]) -> Sequence[Exchange]:
        """The latest exchanges that fit."""
        left = self.history
        for i in range(len(history) - 1, -1, -1):
            left -= len(history[i].user) + len(history[i].response)
            if left < 0:
                return history[min(i + 1, len(history) - 1) :]
        return history


class LongOptions(StressOptions):
    """How long, and how much of the history a model is shown."""

    turns: int = Field(70, ge=20, description="Turns per dialogue, such as 50, 70 or 100.")
    history: int = Field(
        12_000, ge=1000, description="Characters of history that a model is shown; the oldest turns are left out first."
    )


class LongSuite(StressSuite):
    """50, 70, 100 or more turns: facts told, told again and changed, small talk, tests of memory, a summary at the end.

    A model is shown the latest turns that fit into ``history`` characters; a candidate that keeps more has a memory of
    its own. A rule-based user who talks for a hundred turns is patient beyond nature, and repeats itself.
    """

    name = "aloe-long"
    protocol = "aloe-long/1"
    Options: ClassVar[type[Any]] = LongOptions

    def contract(self) -> Contract:
        return LongContract(history=self.options.history)

    def plan(self, number: int, profile: Entry, style: Entry, pool: Sequence[Entry], values: Values) -> Iterable[Case]:
        draws = self.draws(profile.id)
        extra = _more(profile, pool, draws)
        facts = (*profile.items, *extra)
        changes = list(_changes(facts, self.options.turns, values, draws))
        planned = list(self._remarks(facts, changes, values, draws))
        session = Session(self.options.turns, self.options.opening)
        factors = {"history": str(self.options.history)}
        yield self.case(profile, style, "", (session,), extra=extra, changes=changes, remarks=planned, factors=factors)

    def _remarks(
        self, facts: Sequence[Item], changes: Sequence[Change], values: Values, draws: Draws
    ) -> Iterator[Remark]:
        last = self.options.turns
        moved = {change.old for change in changes} | {change.new.key for change in changes if change.new}
        steady = draws.shuffled([item for item in facts if item.key not in moved])
        busy = {change.turn for change in changes}
        turns = [turn for turn in range(EVERY, last, EVERY) if turn not in busy]
        mentions = 0
        for i, turn in enumerate(turns):
            kind = KINDS[i % len(KINDS)]
            if kind == "mention":
                item = steady[mentions % len(steady)]
                text = item.say[mentions // len(steady) % len(item.say)]
                mentions += 1
                yield remark(turn, kind, text, item.key, alone=False)
            else:
                yield remark(turn, kind, _line(kind, facts, values, draws), alone=kind != "small talk")
        yield remark(last, SUMMARY, variants(SUMMARY)[0])


def _more(profile: Entry, pool: Sequence[Entry], draws: Draws) -> tuple[Item, ...]:
    """Likings and other facts of further personas, up to ``FACTS`` in all; a value that the user has is left out."""
    known = {item.id for item in profile.items}
    found: dict[str, Item] = {}
    for entry in draws.shuffled([entry for entry in pool if entry.id != profile.id])[:8]:
        for item in entry.items:
            if item.slot == "Interests" and item.polarity > 0 and item.id and item.id not in known:
                found.setdefault(item.id, item)
    return tuple(draws.shuffled(list(found.values()))[: max(0, FACTS - len(profile.items))])


def _changes(facts: Sequence[Item], turns: int, values: Values, draws: Draws) -> Iterator[Change]:
    """A change every ``CHANGES`` turns: work or home moves, a liking turns round or is given up."""
    likings = draws.shuffled([item for item in facts if item.slot == "Interests" and item.polarity > 0])
    homes = [item for item in facts if values.swappable(item)]
    for n, turn in enumerate(range(CHANGES + 2, turns - 4, CHANGES)):
        if n % 3 == 0 and homes:
            old = homes.pop(0)
            new: Item | None = values.rival(old, draws)
        elif likings:
            old = likings.pop()
            new = values.rival(old, draws) if n % 3 == 1 else None
        else:
            return
        yield Change(turn, old.key, new)


def _line(kind: str, facts: Sequence[Item], values: Values, draws: Draws) -> str:
    """What is said that states nothing: small talk, a question about memory, a memory that is wrong."""
    if kind == "small talk":
        return draws.choice(variants(kind))
    slots = sorted({item.slot for item in facts} & set(texts()[kind]))
    if kind == "probe":
        return draws.choice(variants(kind, draws.choice(slots)))
    homes = [item for item in facts if values.swappable(item)]
    if not homes:
        return draws.choice(variants("small talk"))
    rival = values.rival(draws.choice(homes), draws)
    return draws.choice(variants(kind, rival.slot, rival.value))
