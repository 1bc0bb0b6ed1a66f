"""Elicitation by expected information: no model, no grant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from rlpa_bench.interfaces import Context
from rlpa_bench.options import Options
from rlpa_bench.types import JSON, Item, Output, View
from rlpa_bench_plugins.baselines.belief import Population
from rlpa_bench_plugins.baselines.common import Control, sections
from rlpa_bench_plugins.baselines.pool import Pool
from rlpa_bench_plugins.baselines.talk import Memory, Talk, new_memory, pick


class BayesOptions(Options):
    """When a guess is stated."""

    guess: float = Field(0.5, gt=0, le=1, description="Probability from which an unheard fact is stated; 1 is never.")


class BayesElicitor(Control):
    """Hears facts by the closed ontology, believes by the training pool, and asks where an answer would tell most.

    The belief is a mixture over the pool's profiles (see ``belief``). A slot's questions are worth the entropy of its
    open values, less the more of them the user left unanswered. Nothing is granted: what is heard is what the user's
    own words hold, read as the free simulators' ledgers are read, so that unusual wordings are missed.
    """

    name = "bayes-elicitor"
    Options = BayesOptions
    texts = ("statements", "questions")

    def __init__(self, options: Any, context: Context, argument: str = "", model: None = None) -> None:
        super().__init__(options, context, argument, model)
        self._pool = Pool(context.ontology.values, "training")
        self._population = Population([entry.items for entry in self._pool.profiles], context.ontology)
        self._talk = Talk(context.ontology.values)
        self._questions = sections("questions")

    async def respond(self, view: View) -> Output:
        memory = view.memory or self._begin(view.key)
        self._hear(view.user, memory)
        facts = self._facts(memory)
        slot = self._most_informative(memory)
        statement = self._talk.about(facts, memory["talk"], view.turn == 1, most=1)
        question = pick(self._questions, self._heading(slot, memory), memory["talk"])
        memory["asked"][slot] = memory["asked"].get(slot, 0) + 1
        memory["last"] = slot
        return self.write((*facts, *self._guesses(memory)), f"{statement} {question}", memory)

    def describe(self) -> Mapping[str, JSON]:
        digests = {"personas": self._pool.digests, "ontology": self.context.ontology.digest}
        return {**super().describe(), **digests}

    def _begin(self, key: str) -> Memory:
        talk = new_memory(self.context.random("talk", key).below(1000))
        return {"heard": {}, "order": [], "asked": {}, "answered": {}, "last": "", "talk": talk}

    def _hear(self, text: str, memory: Memory) -> None:
        """Books the facts of an utterance; a new value of a one-value slot replaces the old one."""
        from rlpa_bench.ontology.stated import readings

        ontology, heard = self.context.ontology, memory["heard"]
        fresh = [atom for atom in readings(text, ontology) if not atom.is_trait]
        for atom in fresh:
            for old in [key for key in heard if key != atom.id and ontology.conflict(key, atom.id)]:
                del heard[old]
            heard[atom.id] = atom.polarity
        order = [key for key in memory["order"] if key in heard]  # a mapping's own order does not outlast a file
        memory["order"] = [*order, *(key for key in heard if key not in order)]
        if any(atom.slot == memory["last"] for atom in fresh):
            memory["answered"][memory["last"]] = memory["answered"].get(memory["last"], 0) + 1

    def _facts(self, memory: Memory) -> tuple[Item, ...]:
        values = self.context.ontology.values
        known = [(values[key], memory["heard"][key]) for key in memory["order"]]
        return tuple(Item(value.slot, value.label, sign, value.id) for value, sign in known)

    def _guesses(self, memory: Memory) -> tuple[Item, ...]:
        likely = self._population.predicted(_ordered(memory))
        chosen = [self._population.items[key] for key, p in likely.items() if p >= self.options.guess < 1]
        return tuple(chosen)

    def _most_informative(self, memory: Memory) -> str:
        """The slot whose question is worth most; of equal ones the first of the alphabet."""
        bits = self._population.information(_ordered(memory))
        worth = {slot: n * _answers(slot, memory) for slot, n in bits.items() if f"{slot}?" in self._questions}
        return max(worth, key=lambda slot: worth[slot])

    def _heading(self, slot: str, memory: Memory) -> str:
        again = f"{slot} again?"
        return again if memory["asked"].get(slot) and again in self._questions else f"{slot}?"


def _ordered(memory: Memory) -> dict[str, int]:
    return {key: memory["heard"][key] for key in memory["order"]}


def _answers(slot: str, memory: Memory) -> float:
    """Probability that a question for a slot is answered: a Beta(1, 1) belief, updated by those asked."""
    asked: int = memory["asked"].get(slot, 0)
    answered: int = memory["answered"].get(slot, 0)
    return (1 + min(answered, asked)) / (2 + asked)
