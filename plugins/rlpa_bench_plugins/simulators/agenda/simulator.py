"""The agenda simulator: a rule-based user, after Schatzmann et al. (2007), for personas of slots and values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field

from rlpa_bench.errors import SimulatorError
from rlpa_bench.interfaces import Context, Simulator
from rlpa_bench.options import Options
from rlpa_bench.randomness import Draws
from rlpa_bench.types import JSON, Item, Profile, State, Utterance
from rlpa_bench_plugins.simulators.agenda import manners, wording
from rlpa_bench_plugins.simulators.agenda.memory import Memory
from rlpa_bench_plugins.simulators.agenda.patterns import Patterns
from rlpa_bench_plugins.simulators.agenda.policy import Part, Planner
from rlpa_bench_plugins.simulators.agenda.understanding import Reading, Understanding

VERSION = "agenda/1"

_OVER = ("gone", "gone_dislike")
"""Acts that speak of a fact which no longer holds."""

_SOUR = (*manners.FAULTS, *_OVER, "news", "object", "correct", "deny")
"""Acts beside which nothing is volunteered."""


class AgendaOptions(Options):
    """Options of the agenda simulator."""

    may_leave: bool = Field(False, description="Whether the user ends the dialogue when patience runs out.")


class AgendaSimulator(Simulator):
    """A user made of rules: no model, no cost, the same words for the same talk. English.

    Facts are told by trust and on request, under a cap per turn; traits show in style only. It never states what
    is not in the gold. ``disclosed`` holds the keys of exactly the facts that an utterance states.
    """

    name = "agenda"
    Options = AgendaOptions
    deterministic = True
    paraphrases = Path(__file__).parents[1] / "data" / "paraphrases.jsonl"
    """Texts written without sight of this simulator's patterns, which its card tests its understanding on."""

    def __init__(self, options: Any, context: Context, argument: str = "") -> None:
        super().__init__(options, context, argument)
        self._reader = Understanding(context.ontology, Patterns.load())
        self._style = lru_cache(1024)(context.ontology.style)

    def describe(self) -> Mapping[str, JSON]:
        return {
            "version": VERSION,
            "ontology": self.context.ontology.digest,
            "patterns": Patterns.load().digest,
            "templates": {name: wording.load(name).digest for name in wording.available()},
        }

    def understand(self, text: str) -> dict[str, list[str]]:
        """What it makes of a reply: ``acts`` (question, claim, flattery or none) and the ``slots`` spoken of."""
        reading = self._reader.read(text) or Reading()
        found = {"question": reading.questions, "claim": reading.claims, "flattery": reading.flattery}
        slots = dict.fromkeys([*reading.asked, *(claim.slot for claim in reading.claims)])
        return {"acts": [act for act, seen in found.items() if seen] or ["none"], "slots": list(slots)}

    async def open(self, state: State) -> Utterance:
        style = self._style(self._profile(state).traits)
        return self._utter(state, Memory(), style, [Part("greet")], self.context.random("agenda", state.key))

    async def reply(self, state: State) -> Utterance:
        last = state.turns[-1]
        memory = Memory.read(last.user.state)
        draws = self.context.random("agenda", state.key)
        profile = self._profile(state)
        style = self._style(profile.traits)
        planner = Planner(
            ontology=self.context.ontology,
            facts=profile.facts,
            known=frozenset(state.disclosed or ()),
            recent=last.user.disclosed or (),
            said=_said(state),
            memory=memory,
            turn=state.turn,
            draws=draws,
        )
        if not state.visible:
            planner.act("again")
        _announce(state, planner)
        if state.visible:
            self._react(state, planner, style)
        if self.options.may_leave and memory.patience == 0:
            return self._utter(state, memory, style, [Part("leave")], draws, "bored")
        return self._utter(state, memory, style, planner.parts, draws)

    def _profile(self, state: State) -> Profile:
        if state.case.gold is None:
            raise SimulatorError(f"case {state.case.id!r} has no gold profile, which the agenda simulator plays")
        return state.case.gold.at(state.session, state.turn)

    def _react(self, state: State, planner: Planner, style: Mapping[str, float]) -> None:
        """Plans the answer to the last reply."""
        memory = planner.memory
        reading = self._reader.read(state.turns[-1].response)
        if reading is None:
            memory.feel(-5, -1)
            planner.act("puzzled")
            return
        topic = planner.topic(reading)
        found = manners.faults(reading, state.visible, memory, style["length"] < 0)
        manners.settle(memory, reading, found, topic is not None)
        if found:
            planner.act(found[0])
        planner.claims(reading)
        planner.answers(reading, 1 if found else 2)
        if not any(part.act in _SOUR for part in planner.parts):
            planner.volunteer(reading, style["length"])
        _chat(planner, topic, style["questions"])

    @staticmethod
    def _utter(
        state: State,
        memory: Memory,
        style: Mapping[str, float],
        parts: list[Part],
        draws: Draws,
        ends: str = "",
    ) -> Utterance:
        tags = wording.tags(style, memory.trust)
        words = wording.Wording(wording.load(state.case.templates), tags, draws, _said(state))
        text = " ".join([words.say(part.act, part.item, part.slot) for part in parts])
        stated = dict.fromkeys(part.item.key for part in parts if part.item and part.act not in _OVER)
        return Utterance(text, tuple(stated), ends, memory.write())


def _said(state: State) -> str:
    return "\n".join([turn.user.text for turn in state.turns])


def _announce(state: State, planner: Planner) -> None:
    """Plans to tell of changes of the gold since the last utterance; of ended facts only if they were told."""
    gold = state.case.gold
    if gold is None or not gold.changes:
        return
    now = (state.session, state.turn)
    past = sorted((c for c in gold.changes if (c.session, c.turn) <= now), key=lambda c: (c.session, c.turn))
    ever = {item.key: item for item in (*gold.items, *(c.new for c in gold.changes if c.new))}
    facts = {item.key for item in planner.facts}
    for change in past[planner.memory.news :]:
        if (change.session, change.turn) <= (0, 1) or not change.announced:
            continue
        if change.new is not None:
            if change.new.key in facts:
                planner.state("news", change.new)
        elif change.old in planner.known and change.old not in facts:
            old = ever[change.old]
            planner.parts.append(Part("gone" if old.polarity > 0 else "gone_dislike", old, old.slot))
    planner.memory.news = len(past)


def _chat(planner: Planner, topic: Item | None, curious: float) -> None:
    """Small talk around, or instead of, facts: a reaction to what the reply offers, a question back."""
    parts, draws = planner.parts, planner.draws
    acts = {part.act for part in parts}
    react = "ack" if topic is None else "react"
    if not parts:
        if topic is not None and planner.unused(topic) and draws.random() < 0.3:
            planner.state("remention", topic)
        else:
            planner.act(react)
    elif acts == {"lead"} and draws.random() < 0.35:
        parts.insert(0, Part(react))
    if acts & {"lead", "answer", "confirm"} and len(parts) < 3 and curious > 0 and draws.random() < 0.3:
        planner.act("back")
