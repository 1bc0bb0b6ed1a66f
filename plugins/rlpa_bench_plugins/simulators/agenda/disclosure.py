"""Which facts the user tells, and when.

The disclosure rules are those of RLPA's prompt for the user (arXiv 2505.15456: nothing volunteered at first,
at most 15 % of the profile a reply, cold and short before warm), made exact: volunteered facts per turn are at
most ``max(1, 15 % of the facts)``; a question about a slot releases that slot, up to two facts more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.types import Item
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
class Telling:
    """One utterance under way: what may be told, and ``parts``, in the order in which things are said."""

    ontology: Ontology
    facts: tuple[Item, ...]
    known: frozenset[str]
    """Keys disclosed before."""
    recent: Sequence[str]
    """Keys disclosed in the user's last utterance."""
    said: str
    """All that the user has said so far."""
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

    def unused(self, item: Item) -> bool:
        """Whether the item has a sentence left that was not said yet."""
        return any(sentence not in self.said for sentence in item.say)

    def related(self, guess: Guess, items: Iterable[Item]) -> Item | None:
        """The item that a guess speaks of, broader or narrower ones included."""
        for item in items:
            for atom in self.ontology.resolve(item):
                if any(self.ontology.relation(value.id, atom.id) for value in guess.values):
                    return item
        return None

    def topic(self, reading: Reading) -> Item | None:
        """A told fact that the reply is about."""
        told = self.told
        for mention in reading.mentions if told else ():
            item = self.related(Guess((mention.value,)), told)
            if item is not None:
                return item
        return None

    def volunteer(self, reading: Reading, talkative: float) -> None:
        """Now and then a fact of the user's own accord; what the talk is about comes first."""
        answered = bool(self.fresh)
        rate = RATE * len(self.facts) * (0.75 + self.memory.trust / 100 + 0.1 * talkative)
        count = int(rate * (0.6 if answered else 1) + self.draws.random())
        items = self.willing({mention.value.slot for mention in reading.mentions}) if count else []
        for item in items[: max(0, min(count, self.cap, self.cap + EXTRA - len(self.fresh)))]:
            self.state("lead", item)

    def willing(self, topics: Iterable[str] = ()) -> list[Item]:
        """Untold facts that the user is close enough to tell, in random order, topics of the talk first."""
        near = self.memory.trust + self.turn
        items = [item for item in self.untold if near >= CLOSENESS.get(item.slot, 0)]
        shuffled = self.draws.shuffled(items)
        return sorted(shuffled, key=lambda item: item.slot not in topics)
