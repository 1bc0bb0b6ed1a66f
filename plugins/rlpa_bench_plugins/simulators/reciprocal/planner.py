"""What the user does in one turn: pure decisions without words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.types import Item
from rlpa_bench_plugins.simulators.reciprocal.exchange import OWED, Exchange, layer
from rlpa_bench_plugins.simulators.reciprocal.understanding import Claim, Reply

ANSWERED = 2
"""Facts that a question may bring beyond the cap of volunteered ones."""
BRIEF_SLOTS = ("Age", "Gender", "Occupation", "Location", "Marital Status", "Educational Background", "Interests")
"""Slots whose value alone answers a question about them."""


@dataclass(frozen=True, slots=True)
class Act:
    """One act of the utterance, about an item or a slot; ``states`` if it states the item as holding."""

    name: str
    item: Item | None = None
    slot: str = ""
    states: bool = False


@dataclass(slots=True)
class Planner:
    """One utterance under way."""

    ontology: Ontology
    facts: tuple[Item, ...]
    known: frozenset[str]
    """Keys disclosed before."""
    exchange: Exchange
    turn: int
    draws: Draws
    brief: bool
    """Whether this user answers with bare values."""
    acts: list[Act] = field(default_factory=list)
    fresh: set[str] = field(default_factory=set)
    """Keys stated for the first time."""

    @property
    def cap(self) -> int:
        """Facts that may be volunteered in a turn: 15 % of them, at least one (RLPA's prompt of the user)."""
        return max(1, len(self.facts) * 15 // 100)

    @property
    def stage(self) -> int:
        return self.exchange.stage(self.turn)

    def add(self, name: str, slot: str = "") -> None:
        self.acts.append(Act(name, None, slot))

    def state(self, name: str, item: Item) -> None:
        """States a fact, new or not."""
        self.acts.append(Act(name, item, item.slot, states=True))
        if item.key not in self.known and item.key not in self.fresh:
            self.fresh.add(item.key)
            self.exchange.debt += 1

    def untold(self, slot: str = "") -> list[Item]:
        new = [item for item in self.facts if item.key not in self.known and item.key not in self.fresh]
        return [item for item in new if item.slot == slot] if slot else new

    def told(self, slot: str = "") -> list[Item]:
        return [item for item in self.facts if item.key in self.known and slot in ("", item.slot)]

    def meant(self, claim: Claim, items: Iterable[Item]) -> Item | None:
        """The item that a value speaks of, broader or narrower ones included."""
        for item in items:
            for atom in self.ontology.resolve(item):
                if any(self.ontology.relation(value.id, atom.id) for value in claim.values):
                    return item
        return None

    def claims(self, claims: Sequence[Claim], *, asked: bool) -> bool:
        """Answers what the reply takes for granted; whether something in it was wrong."""
        right: list[Item] = []
        for claim in claims:
            item = self.meant(claim, self.facts)
            if item is not None and (item.polarity > 0) != claim.denied:
                right.append(item)
            elif item is not None or not claim.denied:
                self._wrong(claim, item)
                return True
        new = next((item for item in right if item.key not in self.known), None)
        if new is not None and len(self.fresh) < self.cap + ANSWERED:
            self.state("yes", new)
        elif right and not asked and self.draws.random() < 0.4:
            self.add("yes_known")
        return False

    def _wrong(self, claim: Claim, item: Item | None) -> None:
        """``item`` is the fact that the claim turns round, if it does."""
        rivals = [item] if item else []
        if not rivals and self.ontology.exclusive(claim.slot):
            rivals = [fact for fact in self.facts if fact.slot == claim.slot]
        told = next((rival for rival in rivals if rival.key in self.known), None)
        self.exchange.hurt(keep=0.6 if told else 0.8)
        if told is not None:
            self.state("clash", told)
        elif rivals and layer(claim.slot) <= self.stage + 1:
            self.state("wrong_but", rivals[0])
        else:
            self.add("wrong", claim.slot)

    def answers(self, reply: Reply, room: int) -> None:
        """Answers up to two questions about slots, or an open one; ``room`` is how many new facts there may be."""
        asked = sorted(reply.asked, key=lambda slot: not self.untold(slot))
        for slot in asked[:2]:
            if not any(act.slot == slot for act in self.acts):
                self._answer(slot, reply, room - len(self.fresh))
        if reply.open and not asked:
            self._open(room - len(self.fresh))

    def _answer(self, slot: str, reply: Reply, room: int) -> None:
        before = self.exchange.asked.get(slot, 0)
        self.exchange.asked[slot] = before + 1
        new = self.untold(slot)
        near = layer(slot) <= self.stage + 1 or reply.personal
        if new and not near and not before:
            self.add("later", slot)
            return
        guess = next((claim for claim in reply.guesses if claim.slot == slot), None)
        meant = self.meant(guess, new) if guess else None
        if meant is not None:
            new.sort(key=lambda item: item is not meant)
        for i, item in enumerate(new[: room if near else min(room, 1)]):
            self._tell(item, first=i == 0, right=item is meant and item.polarity > 0 and self._named(guess, item))
        if not any(act.slot == slot for act in self.acts):
            self._nothing(slot, guess, before)

    def _named(self, guess: Claim | None, item: Item) -> bool:
        """Whether a question named this very fact, not a broader one."""
        own = {atom.id for atom in self.ontology.resolve(item)}
        return guess is not None and any(value.id in own for value in guess.values)

    def _tell(self, item: Item, *, first: bool, right: bool) -> None:
        bare = item.slot in BRIEF_SLOTS and len(item.value.split()) <= 4
        if right:
            self.state("yes", item)
        elif first and bare and (self.brief or self.stage == 0 or self.draws.random() < 0.25):
            self.state("short" if item.polarity > 0 else "short_not", item)
        else:
            self.state("answer" if first else "more", item)

    def _nothing(self, slot: str, guess: Claim | None, before: int) -> None:
        """The slot holds nothing new."""
        told = self.told(slot)
        if guess is not None and self.meant(guess, told):
            self.add("resonate")
        elif guess is not None:
            self.add("wrong", slot)
        elif told and before and self.draws.random() < 0.5:
            self.state("again_say", self.draws.choice(told))
        else:
            self.add("again" if told else "none", slot)

    def _open(self, room: int) -> None:
        items = self.willing(self.stage + 1)[: min(room, self.cap, 1 + self.stage)]
        for i, item in enumerate(items):
            self._tell(item, first=False, right=False) if i else self.state("answer", item)
        if not items:
            self.add("none" if self.untold() else "all_told", "Others")

    def willing(self, depth: int) -> list[Item]:
        """Untold facts of the layers down to ``depth``, outer ones first, in random order inside a layer."""
        open_to = [item for item in self.untold() if layer(item.slot) <= depth]
        return sorted(self.draws.shuffled(open_to), key=lambda item: layer(item.slot))

    def volunteer(self, reply: Reply) -> None:
        """Facts of the user's own accord while the wish is there, outer layers first."""
        room = min(self.cap, self.cap + ANSWERED - len(self.fresh))
        for item in self.willing(self.stage)[:room]:
            if not self.exchange.spend():
                return
            self.state("match" if reply.personal else "tell", item)

    def ask_back(self) -> None:
        """Asks for a return once much was told for nothing."""
        self.exchange.waiting = self.exchange.debt >= OWED
        if self.exchange.waiting:
            self.add("lopsided")
            self.exchange.debt = OWED // 2
