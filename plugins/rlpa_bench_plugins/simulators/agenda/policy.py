"""How the user answers claims and questions; pure decisions without words."""

from __future__ import annotations

from dataclasses import dataclass

from rlpa_bench.types import TRAIT_SLOT, Item
from rlpa_bench_plugins.simulators.agenda.disclosure import Part, Telling
from rlpa_bench_plugins.simulators.agenda.understanding import Guess, Reading

__all__ = ["Part", "Planner"]


@dataclass(slots=True)
class Planner(Telling):
    """Plans one utterance."""

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

    def answers(self, reading: Reading, slots: int) -> None:
        """Answers what was asked: up to so many slots, or else an open question."""
        asked = list(reading.asked)
        if not asked and reading.follows:
            asked = [item.slot for item in self.facts if item.key in self.recent][-1:]
        new = {item.slot for item in self.untold}
        asked.sort(key=lambda slot: slot not in new)
        for slot in asked[:slots]:
            if not any(part.slot == slot for part in self.parts):
                self._answer(slot, reading)
        if reading.open and not asked:
            self._open()

    def _answer(self, slot: str, reading: Reading) -> None:
        before = self.memory.asked.get(slot, 0)
        self.memory.asked[slot] = before + 1
        guesses = [guess for guess in reading.guesses if guess.slot == slot]
        told = [item for item in self.told if item.slot == slot]
        if any(self.related(guess, told) for guess in guesses):
            self.act("react", slot)
            guesses, room = [], min(1, self.room)
        else:
            room = self.room
        guess = guesses[0] if len(guesses) == 1 else None
        new = [item for item in self.untold if item.slot == slot]
        meant = self.related(guess, new) if guess else None
        if meant is not None:
            new.sort(key=lambda item: item.key != meant.key)
        act = "confirm" if meant and meant.polarity > 0 else "negate" if guess else "answer"
        for item in new[:room]:
            self.state("more" if self.parts and self.parts[-1].slot == slot else act, item)
        if not any(part.slot == slot for part in self.parts):
            self._nothing_new(slot, before, guess, told, reading)

    def _nothing_new(self, slot: str, before: int, guess: Guess | None, told: list[Item], reading: Reading) -> None:
        fresh = [item for item in told if self.unused(item)]
        if not told:
            self.act("decline", slot)
        elif guess is not None:
            self.act("no", slot)
        elif reading.follows or slot in reading.details:
            self.act("exhausted" if reading.follows or self.draws.random() < 0.4 else "react", slot)
        else:
            self.memory.feel(-3)
            if fresh and before < 2 and self.draws.random() < 0.5:
                self.state("retell", self.draws.choice(fresh))
            else:
                self.act("told", slot)

    def _open(self) -> None:
        items = self.willing()
        for item in items[: min(self.cap, 1 + self.draws.below(2))]:
            self.state("lead" if self.fresh else "answer", item)
        if not items:
            self.act("no_more")
