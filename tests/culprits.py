"""Candidates whose one fault is known, for the metrics of the stress suites to find; also a one-file plugin.

``rlpa-bench run --suite aloe-conflict --baseline attentive,never-updates --plugin-path tests/culprits.py``
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rlpa_bench_plugins.baselines.common import Control

from rlpa_bench import hookimpl
from rlpa_bench.interfaces import Baseline
from rlpa_bench.types import Item, Output, View

PERSONAL = re.compile(r"\b(?:for me|suit me|should I wish)\b")
SUMMARY = re.compile(r"\bsum up\b")
STRANGER = re.compile(r"\b(?:new user|somebody else|another person|new here)\b")
DISLIKE = re.compile(r"\b(?:can't stand|hates?|avoid|spare me)\b")
NEUTRAL = ("I see, thank you.", "Let me think about that.", "That is clear to me.", "Please go on.", "Understood.")

Memory = dict[str, Any]


class Attentive(Control):
    """Knows exactly what was told and holds, speaks of it when asked for something that suits the user."""

    name = "attentive"
    grants = frozenset({"disclosed"})

    async def respond(self, view: View) -> Output:
        memory: Memory = view.memory or {}
        if STRANGER.search(view.user) and not self.keeps_strangers:
            memory = {}
        known = tuple(self.known(view, memory))
        return self.write(known, self.reply(view, known), memory)

    keeps_strangers = False

    def known(self, view: View, memory: Memory) -> Iterable[Item]:
        return view.disclosed or ()

    def reply(self, view: View, known: tuple[Item, ...]) -> str:
        if SUMMARY.search(view.user):
            return self.context.contract.lines(known) or "Nothing yet."
        if PERSONAL.search(view.user):
            return self.personal(view, known)
        return NEUTRAL[view.turn % len(NEUTRAL)]

    def personal(self, view: View, known: tuple[Item, ...]) -> str:
        likings = [item for item in known if item.slot == "Interests" and item.polarity > 0]
        return f"Something with {likings[view.turn % len(likings)].value}, perhaps." if likings else "Tell me more."

    def group(self, item: Item) -> str:
        """Items of one group take each other's place."""
        return item.slot if self.context.ontology.exclusive(item.slot) else item.id or item.key


def save(item: Item) -> list[Any]:
    return [item.slot, item.value, item.polarity, item.id]


def load(saved: list[Any]) -> Item:
    return Item(*saved)


class NeverUpdates(Attentive):
    """Keeps the first value it heard for ever."""

    name = "never-updates"

    def known(self, view: View, memory: Memory) -> Iterable[Item]:
        for item in view.disclosed or ():
            memory.setdefault(self.group(item), save(item))
        return map(load, memory.values())


class Newest(Attentive):
    """Takes the newest value it hears, whosever it is."""

    name = "newest"

    def known(self, view: View, memory: Memory) -> Iterable[Item]:
        told = {self.group(item): item for item in view.disclosed or ()}
        before = memory.get("told", [])
        fresh = {group for group, item in told.items() if item.key not in before}
        heard = {group: item for group, item in memory.get("heard", {}).items() if group not in fresh}
        sign = -1 if DISLIKE.search(view.user) else 1
        for mention in self.context.ontology.mentions(view.user):
            value = mention.value
            item = Item(value.slot, value.label, sign, value.id)
            if self.group(item) in told and self.group(item) not in fresh:
                heard[self.group(item)] = save(item)
        memory.update(told=[item.key for item in told.values()], heard=heard)
        return {**told, **{group: load(item) for group, item in heard.items() if group in told}}.values()


class Forgets(Attentive):
    """Forgets what it has not heard for more than 20 turns."""

    name = "forgets"
    turns = 20

    def known(self, view: View, memory: Memory) -> Iterable[Item]:
        named = {mention.value.id for mention in self.context.ontology.mentions(view.user)}
        for item in view.disclosed or ():
            if item.key not in memory or item.id in named or any(words in view.user for words in item.say):
                memory[item.key] = view.turn
        return [item for item in view.disclosed or () if view.turn - memory[item.key] <= self.turns]


class Leaks(Attentive):
    """Takes whoever talks for the user it knows."""

    name = "leaks"
    keeps_strangers = True

    def known(self, view: View, memory: Memory) -> Iterable[Item]:
        if STRANGER.search(view.user):
            memory["mine"] = memory["told"]
        memory["told"] = [save(item) for item in view.disclosed or ()]
        return [*(view.disclosed or ()), *map(load, memory.get("mine", ()))]


class Gossips(Attentive):
    """One memory for all users of the server: tells each of another's nickname."""

    name = "gossips"
    _names: dict[str, str] = {}

    def reply(self, view: View, known: tuple[Item, ...]) -> str:
        for item in known:
            if item.value.startswith("nickname"):
                self._names[item.value] = item.value
        return f"{super().reply(view, known)} Somebody here has {next(reversed(self._names), 'a dog')}."


class Intrusive(Attentive):
    """Personalises everything."""

    name = "intrusive"

    def reply(self, view: View, known: tuple[Item, ...]) -> str:
        said = super().reply(view, known)
        return said if SUMMARY.search(view.user) else f"{said} {self.personal(view, known)}"


CULPRITS = (Attentive, NeverUpdates, Newest, Forgets, Leaks, Gossips, Intrusive)


@hookimpl
def rlpa_bench_baselines() -> Iterable[type[Baseline]]:
    return CULPRITS
