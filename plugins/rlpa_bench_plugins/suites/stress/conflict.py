"""Facts that change while the user talks, and twins in which somebody else's do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, ClassVar

from pydantic import Field

from rlpa_bench.types import Case, Change, Item, Remark, Session
from rlpa_bench_plugins.suites.persona_files import Entry
from rlpa_bench_plugins.suites.stress.base import StressOptions, StressSuite
from rlpa_bench_plugins.suites.stress.words import SWAPPED, Values, heading, remark, variants

KINDS = ("announced", "implied", "reversed", "withdrawn")
DISTANCES = {"near": 2, "far": 12}
"""Turns between the first mention and the change."""

FIRST, BACK = 2, 4
"""Turn of the first mention; turns until a reversed change is turned round."""

_TARGETS = (*SWAPPED, "Interests")


class ConflictOptions(StressOptions):
    """Long enough for a change far from the first mention and some turns after it."""

    turns: int = Field(22, ge=FIRST + 12 + BACK + 1, description="Turns per dialogue.")


class ConflictSuite(StressSuite):
    """A fact told in turn 2 changes 2 or 12 turns later: announced, implied, turned round again or withdrawn.

    120 profiles, each with one of the eight combinations, and a twin of each case in which the same happens to somebody
    else. It does not show how people change their minds: every change is clean, single and never joked about.
    """

    name = "aloe-conflict"
    protocol = "aloe-conflict/1"
    Options: ClassVar[type[Any]] = ConflictOptions
    group = 2

    def plan(self, number: int, profile: Entry, style: Entry, pool: Sequence[Entry], values: Values) -> Iterable[Case]:
        kind, distance = list(product(KINDS, DISTANCES))[number % (len(KINDS) * len(DISTANCES))]
        old = self._target(number, kind, profile, values)
        draws = self.draws(profile.id)
        rival = None if kind == "withdrawn" else values.rival(old, draws)
        turn = FIRST + DISTANCES[distance]
        first = remark(FIRST, "first", draws.choice(old.say), old.key)
        sessions = (Session(self.options.turns, self.options.opening),)
        factors = {"distance": distance, "slot": old.slot}
        changes, implied = _changes(kind, turn, old, rival)
        yield self.case(
            profile, style, f"{kind}-{distance}", sessions,
            changes=changes, remarks=(first, *implied), factors={**factors, "change": kind},
        )  # fmt: skip
        yield self.case(
            profile, style, f"{kind}-{distance}-twin", sessions,
            remarks=(first, *_elsewhere(kind, turn, old, rival)), factors={**factors, "change": "none"},
        )  # fmt: skip

    def _target(self, number: int, kind: str, profile: Entry, values: Values) -> Item:
        """The fact that changes: work, home or a liking in rotation; what is withdrawn is a liking."""
        start = 2 if kind == "withdrawn" else number // (len(KINDS) * len(DISTANCES))
        slots = [_TARGETS[(start + i) % len(_TARGETS)] for i in range(len(_TARGETS))]
        draws = self.draws("target", profile.id)
        for slot in slots:
            fits = [item for item in profile.items if item.slot == slot and item.polarity > 0 and item.id]
            fits = [item for item in fits if slot == "Interests" or values.swappable(item)]
            if fits:
                return draws.choice(fits)
        raise AssertionError(f"profile {profile.id} has no liking")  # the pools give every profile some


def _changes(kind: str, turn: int, old: Item, rival: Item | None) -> tuple[list[Change], list[Remark]]:
    """The planned changes, and what the user says where the change is only implied."""
    if rival is None:
        return [Change(turn, old.key, None)], []
    if kind == "implied":
        text = variants("implied", heading(rival), rival.value)[turn % 2]
        return [Change(turn, old.key, rival, announced=False)], [remark(turn, "implied", text, rival.key)]
    changes = [Change(turn, old.key, rival)]
    if kind == "reversed":
        again = replace(old, say=variants("again", old.slot, old.value))
        changes.append(Change(turn + BACK, rival.key, again))
    return changes, []


def _elsewhere(kind: str, turn: int, old: Item, rival: Item | None) -> list[Remark]:
    """The twin's remarks: the same of somebody else."""
    what, value = ("Withdrawn", old.value) if rival is None else (heading(rival), rival.value)
    said = variants("others", what, value)
    turns = (turn, turn + BACK) if kind == "reversed" else (turn,)
    return [remark(when, "elsewhere", text) for when, text in zip(turns, said, strict=False)]
