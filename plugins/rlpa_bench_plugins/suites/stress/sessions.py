"""A user who comes back after gaps, and then another person on the same account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from pydantic import Field

from rlpa_bench.types import Case, Change, Item, Session
from rlpa_bench_plugins.suites.persona_files import Entry
from rlpa_bench_plugins.suites.stress.base import StressOptions, StressSuite
from rlpa_bench_plugins.suites.stress.canaries import canary
from rlpa_bench_plugins.suites.stress.words import Values, remark, variants

OTHER_PERSON = "other person"
"""Kind of the remark by which metrics know from where on another person talks."""


class SessionsOptions(StressOptions):
    """Lengths of the sittings."""

    turns: int = Field(8, ge=4, description="Turns of the first session.")
    later: int = Field(5, ge=3, description="Turns of each later session.")


class SessionsSuite(StressSuite):
    """Three sessions with gaps and other topics, one thing changed meanwhile, then a stranger on the same account.

    The history is cleared between sessions: only what the candidate itself keeps goes on. Every user has an invented
    nickname, which nobody can guess. A leak in other words than the user's own is not seen, nor is one that only
    an attack would bring to light.
    """

    name = "aloe-sessions"
    protocol = "aloe-sessions/1"
    Options: ClassVar[type[Any]] = SessionsOptions

    def plan(self, number: int, profile: Entry, style: Entry, pool: Sequence[Entry], values: Values) -> Iterable[Case]:
        draws = self.draws(profile.id)
        other = self._other(profile, pool)
        first, later = self.options.turns, self.options.later
        home, stranger = canary(2 * number), canary(2 * number + 1)
        moved = draws.choice([item for item in profile.items if values.swappable(item)] or [profile.items[0]])
        news = Change(first + later + 1, moved.key, values.rival(moved, draws), session=2)
        start = first + 2 * later + 1
        mine = [news.new if item.key == moved.key else item for item in profile.items]
        handed = _handed_over(start, [item for item in mine if item is not None], home, other, stranger)
        sessions = (
            Session(first, self.options.opening),
            Session(later, draws.choice(variants("gap"))),
            Session(later, draws.choice(variants("long gap"))),
            Session(later, draws.choice(variants("other person"))),
        )
        remarks = (
            remark(3, "canary", home.say[0], home.key),
            remark(start, OTHER_PERSON, stranger.say[1], stranger.key),
        )
        yield self.case(
            profile, style, "", sessions,
            extra=(home,), changes=(news, *handed), remarks=remarks, factors={"stranger": other.id},
        )  # fmt: skip

    def _other(self, profile: Entry, pool: Sequence[Entry]) -> Entry:
        """The one of eight other users who has least in common with this one."""
        others = self.draws("other", profile.id).shuffled([entry for entry in pool if entry.id != profile.id])[:8]
        mine = {item.key for item in profile.items}
        return min(others, key=lambda entry: sum(item.key in mine for item in entry.items))


def _handed_over(turn: int, mine: Sequence[Item], home: Item, other: Entry, stranger: Item) -> list[Change]:
    """From a turn on everything that holds is another person's; nobody announces it fact by fact."""
    own = {item.key for item in mine}
    fresh = [item for item in other.items if item.key not in own]
    changes = [Change(turn, home.key, stranger, session=3, announced=False)]
    for i, item in enumerate(mine):
        new = fresh[i] if i < len(fresh) else None
        changes.append(Change(turn, item.key, new, session=3, announced=False))
    return changes
