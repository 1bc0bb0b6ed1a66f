"""What the user says next: which facts, which reactions; pure decisions without words.

The disclosure rules are those of RLPA's user prompt (arXiv 2505.15456, appendix D: nothing volunteered at first,
at most 15 % of the profile a reply, cold and short before warm), made exact: volunteered facts per turn are at
most ``max(1, 15 % of the facts)``; a question about a slot releases that slot, up to two facts more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.types import TRAIT_SLOT, Item
from rlpa_bench_plugins.simulators.agenda.memory import Memory
from rlpa_bench_plugins.simulators.agenda.understanding import Guess, Reading

EXTRA = 2
"""Facts that a direct question may bring beyond the cap."""

RATE = 0.042
"""Share of the profile that a user volunteers in a turn at middling trust."""

GUARDED = 8
"""Below this trust a question brings one fact only."""

CLOSENESS = {
    "Interests": 0,
    "Occupation": 0,
    "Location": 24,
    "Age": 26,
    "Others": 28,
    "Educational Background": 30,
    "Family Background": 38,
    "Marital Status": 42,
    "Gender": 52,
}
"""Trust plus one a turn that a user needs before volunteering facts of a slot."""


def cap(facts: int) -> int:
    """Volunteered facts per turn at most."""
    return max(1, facts * 15 // 100)


@dataclass(frozen=True, slots=True)
class Part:
    """One act of the utterance, about an item that it states or a slot that it speaks of."""

    act: str
    item: Item | None = None
    slot: str = ""


@dataclass(slots=True)
class Planner:
    """Plans one utterance. ``parts`` grows in the order in which things are said."""

    ontology: Ontology
    facts: tuple[Item, ...]
    known: frozenset[str]
    """Keys disclosed before."""
    recent: Sequence[str]
    """Keys disclosed in the user's last utterance."""
    memory: Memory
    turn: int
    draws: Draws
    parts: list[Part] = field(default_factory=list)
    fresh: dict[str, Item] = field(default_factory=dict)
    """Facts that this utterance states for the first time."""

    @property
    def told(self) -> list[Item]:
        return [item for item in self.facts if item.key in self.known]

    @property
    def untold(self) -> list[Item]:
        return [item for item in self.facts if item.key not in self.known and item.key not in self.fresh]

    @property
    def cap(self) -> int:
        return cap(len(self.facts))

    @property
    def room(self) -> int:
        """Facts that may still be stated in answer to questions and claims."""
        return (self.cap + EXTRA if self.memory.trust >= GUARDED else 1) - len(self.fresh)

    def act(self, act: str, slot: str = "") -> None:
        self.parts.append(Part(act, None, slot))

    def state(self, act: str, item: Item) -> None:
        """States a fact, new or not."""
        self.parts.append(Part(act, item, item.slot))
        if item.key not in self.known:
            self.fresh[item.key] = item

    def related(self, guess: Guess, items: Iterable[Item]) -> Item | None:
        """The item that a guess speaks of, broader or narrower ones included."""
        for item in items:
            for atom in self.ontology.resolve(item):
                if any(self.ontology.relation(value.id, atom.id) for value in guess.values):
                    return item
        return None

    # claims about the user

    def claims(self, reading: Reading) -> None:
        """Corrects the first wrong claim, or else confirms the first right one that was not told yet."""
        right: list[Item] = []
        for guess in reading.claims:
            if guess.slot == TRAIT_SLOT:
                continue
            item = self.related(guess, self.facts)
            if item is not None and (item.polarity > 0) != guess.denied:
                right.append(item)
            elif item is not None or not guess.denied:
                self._wrong(guess, item)
                return
        new = next((item for item in right if item.key not in self.known), None)
        if new is not None and self.room > 0:
            self.state("confirm", new)
        elif right and not reading.questions:
            self.memory.feel(4)
            if self.draws.random() < 0.5:
                self.act("agree")

    def _wrong(self, guess: Guess, item: Item | None) -> None:
        """Corrects a wrong claim; ``item`` is the fact that it turns round, if it does."""
        again = self.memory.deny(guess.values[0].id)
        rivals = [item] if item else []
        if not rivals and self.ontology.exclusive(guess.slot):
            rivals = [fact for fact in self.facts if fact.slot == guess.slot]
        told = next((rival for rival in rivals if rival.key in self.known), None)
        self.memory.feel(-8 if told or again else -4, -1)
        if told is not None:
            self.state("object", told)
        elif rivals and self.room > 0 and self.draws.random() < 0.7:
            self.state("correct", rivals[0])
        else:
            self.act("deny", guess.slot)

    # questions

    def answers(self, reading: Reading, slots: int) -> None:
        """Answers what was asked: up to so many slots, or else an open question."""
        asked = list(reading.asked)
        if not asked and reading.follows:
            asked = [item.slot for item in self.facts if item.key in self.recent][-1:]
        for slot in asked[:slots]:
            if not any(part.slot == slot for part in self.parts):
                self._answer(slot, reading)
        if reading.open and not asked:
            self._open()

    def _answer(self, slot: str, reading: Reading) -> None:
        before = self.memory.asked.get(slot, 0)
        self.memory.asked[slot] = before + 1
        guesses = [guess for guess in reading.guesses if guess.slot == slot]
        guess = guesses[0] if len(guesses) == 1 else None
        open_facts = [item for item in self.untold if item.slot == slot]
        meant = self.related(guess, open_facts) if guess else None
        if meant is not None:
            open_facts.sort(key=lambda item: item.key != meant.key)
        if open_facts and self.room > 0:
            act = "confirm" if meant and meant.polarity > 0 else "negate" if guess else "answer"
            for item in open_facts[: self.room]:
                self.state(act, item)
                act = "more"
        elif not any(part.slot == slot for part in self.parts):
            self._nothing_new(slot, before, guess, reading.follows)

    def _nothing_new(self, slot: str, before: int, guess: Guess | None, follows: bool) -> None:
        told = [item for item in self.told if item.slot == slot]
        if not told:
            self.act("decline", slot)
        elif guess is not None and self.related(guess, told) is None:
            self.act("no", slot)
        elif follows:
            self.act("exhausted", slot)
        else:
            self.memory.feel(-3)
            if before < 2 and self.draws.random() < 0.5:
                self.state("retell", self.draws.choice(told))
            else:
                self.act("told", slot)

    def _open(self) -> None:
        items = self._willing()
        for item in items[: min(self.cap, 1 + self.draws.below(2))]:
            self.state("lead" if self.fresh else "answer", item)
        if not items:
            self.act("no_more")

    # volunteering

    def volunteer(self, reading: Reading, talkative: float) -> None:
        """Now and then a fact of the user's own accord; what the talk is about comes first."""
        answered = bool(self.fresh)
        rate = RATE * len(self.facts) * (0.75 + self.memory.trust / 100 + 0.1 * talkative)
        count = int(rate * (0.6 if answered else 1) + self.draws.random())
        items = self._willing({mention.value.slot for mention in reading.mentions}) if count else []
        for item in items[: max(0, min(count, self.cap, self.cap + EXTRA - len(self.fresh)))]:
            self.state("lead", item)

    def _willing(self, topics: Iterable[str] = ()) -> list[Item]:
        """Untold facts that the user is close enough to tell, in random order, topics of the talk first."""
        near = self.memory.trust + self.turn
        items = [item for item in self.untold if near >= CLOSENESS.get(item.slot, 0)]
        shuffled = self.draws.shuffled(items)
        return sorted(shuffled, key=lambda item: item.slot not in topics)

    def topic(self, reading: Reading) -> Item | None:
        """A told fact that the reply is about."""
        told = self.told
        for mention in reading.mentions if told else ():
            item = self.related(Guess((mention.value,)), told)
            if item is not None:
                return item
        return None
