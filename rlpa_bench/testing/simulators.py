"""Conformance of simulators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from rlpa_bench.cards import partners
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.ontology import Ontology
from rlpa_bench.testing.common import ASKING, COMMON, deterministic
from rlpa_bench.testing.probe import Bench, Probe, first
from rlpa_bench.testing.report import Fault, Skipped
from rlpa_bench.testing.scenes import cases
from rlpa_bench.transcripts import adapter, is_json
from rlpa_bench.types import TRAIT_SLOT, Case, Item, State, Utterance

LEAST = 0.5
"""Share of the facts booked as disclosed that the words must let recognise."""


class _Asked:
    """A simulator whose every call goes through the bench."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.name = bench.component.name
        self.unhurried = bench.component.unhurried

    async def open(self, state: State) -> Any:
        return await self._ask("opening", state)

    async def reply(self, state: State) -> Any:
        return await self._ask("reply", state)

    async def _ask(self, kind: str, state: State) -> Any:
        simulator: Any = self.bench.component
        method = simulator.open if kind == "opening" else simulator.reply
        answer = await self.bench.ask(f"{kind} {state.turn} of {state.case.id}", method, state)
        if answer.error:
            raise answer.error
        return answer.raw


def _partner(state: State) -> str:
    """Silence and questions in turn, and once nothing that could be read."""
    if state.turn == 4:
        return "..."
    return partners.written(partners.asker(state) if state.turn % 2 else partners.silent(state))


async def perform(bench: Bench, backward: bool) -> None:
    """Dialogues one after the other; backward: interleaved, each state read back from JSON."""
    env = DialogueEnv(_Asked(bench))  # type: ignore[arg-type]
    dialogues = [_dialogue(env, case, backward) for case in bench.settings.cases or cases()]
    while dialogues:
        for dialogue in reversed(dialogues) if backward else dialogues[:1]:
            if not await anext(dialogue, False):
                dialogues.remove(dialogue)


async def _dialogue(env: DialogueEnv, case: Case, through_json: bool) -> AsyncIterator[bool]:
    """Yields after every turn; ends early where the simulator fails, which the bench has noted."""
    try:
        state = await env.start(case)
        while not state.ended:
            yield True
            state = await env.advance(_read_back(state) if through_json else state, _partner(state))
    except Exception:  # as said above
        return


def _read_back(state: State) -> State:
    form = adapter(State)
    read: State = form.validate_json(form.dump_json(state))
    return read


def _spoken(probe: Probe) -> list[tuple[State, Utterance]]:
    done = [(answer.about, answer.raw) for answer in probe.performance().answers if not answer.error]
    if not done:
        raise Skipped("it says nothing with the scripted model")
    return done


def utterances(probe: Probe) -> None:
    """Every answer is an Utterance with words in it and a state that JSON can hold."""
    for state, said in _spoken(probe):
        where = f"at turn {state.turn} of {state.case.id}"
        if not isinstance(said, Utterance):
            raise Fault(f"{where} it returns {type(said).__name__}, not an Utterance")
        if not isinstance(said.text, str) or not said.text.strip():
            raise Fault(f"{where} it says nothing; raise SimulatorError where there is nothing to say")
        if not is_json(said.state):
            raise Fault(f"{where} its state is no JSON; keep texts, numbers, lists and dicts")


def true_ledger(probe: Probe) -> None:
    """What it books as disclosed are facts of the gold at that moment, and its words let one recognise them."""
    seen: list[bool] = []
    ontology = Ontology.load()
    for state, said in _spoken(probe):
        if said.disclosed is None or state.case.gold is None:
            continue
        profile = state.case.gold.at(state.session, state.turn)
        held = {item.key: item for item in profile.items}
        first([f"turn {state.turn} of {state.case.id} discloses {key!r}, which the gold does not hold then"
               for key in said.disclosed if key not in held])  # fmt: skip
        seen += [_recognised(held[key], said.text, ontology) for key in said.disclosed]
    if seen and sum(seen) < LEAST * len(seen):
        raise Fault(f"of {len(seen)} facts booked as disclosed, its words let one recognise {sum(seen)}")


def _recognised(item: Item, text: str, ontology: Ontology) -> bool:
    if item.value.casefold() in text.casefold() or any(sentence in text for sentence in item.say):
        return True
    keys = {atom.id for atom in ontology.resolve(item)} - {""}
    return any(ontology.relation(mention.value.id, key) for mention in ontology.mentions(text) for key in keys)


def no_fabrication(probe: Probe) -> None:
    """It names no value of the closed ontology that the persona does not hold and the candidate did not bring up."""
    ontology = Ontology.load()
    for state, said in _spoken(probe):
        gold = state.case.gold
        items = (*gold.items, *(change.new for change in gold.changes if change.new)) if gold else ()
        own = {atom.id for item in items for atom in ontology.resolve(item)}
        texts = [sentence for item in items for sentence in item.say] + [turn.response for turn in state.turns]
        own |= {mention.value.id for text in texts for mention in ontology.mentions(text)}
        for mention in ontology.mentions(said.text):
            value = mention.value
            known = any(ontology.relation(value.id, key) in ("same", "parent") for key in own)
            if value.slot != TRAIT_SLOT and not known:
                raise Fault(f"turn {state.turn} of {state.case.id} speaks of {value.id!r}, which the persona is not")


CHECKS = {
    **COMMON,
    "deterministic": deterministic,
    "utterances": utterances,
    "true ledger": true_ledger,
    "no fabrication": no_fabrication,
    **ASKING,
}
