"""The reciprocal simulator: a rule-based user after social penetration theory, for personas of slots and values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field

from rlpa_bench.errors import SimulatorError
from rlpa_bench.interfaces import Context, Simulator
from rlpa_bench.options import Options
from rlpa_bench.types import JSON, Item, Profile, State, Turn, Utterance
from rlpa_bench_plugins.simulators.reciprocal import wording
from rlpa_bench_plugins.simulators.reciprocal.exchange import Exchange
from rlpa_bench_plugins.simulators.reciprocal.planner import ANSWERED, Act, Planner
from rlpa_bench_plugins.simulators.reciprocal.understanding import STEM, Reply, Understanding, words

VERSION = "reciprocal/1"
LONG = 100
"""Words of a reply that are too many."""
ECHO = 0.7
"""Share of a reply's longer words that make it an echo when another text holds them."""
PATIENCE = 3
"""Faults in a row after which the user leaves, if allowed."""


class ReciprocalOptions(Options):
    """Options of the reciprocal simulator."""

    may_leave: bool = Field(False, description="Whether the user ends the dialogue after three faults in a row.")


class ReciprocalSimulator(Simulator):
    """A user who gives for what they get: no model, no cost, the same words for the same talk. English.

    Facts lie in layers that open with closeness, and closeness follows what the partner gives: something of itself,
    a reply that takes up what was told, a question. Whoever only asks is asked back; intimate questions to a stranger
    are put off once. Answers may be bare values. It never states what is not in the gold; ``disclosed`` holds the keys
    of exactly the facts that an utterance states. Planned changes are told in the turn from which they hold; in a later
    session it greets, remembers what was told and feels a little less close.
    """

    name = "reciprocal"
    Options = ReciprocalOptions
    paraphrases = Path(__file__).parents[1] / "data" / "paraphrases.jsonl"
    """Texts written without sight of this simulator's exemplars, which its card tests its understanding on."""

    def __init__(self, options: Any, context: Context, argument: str = "") -> None:
        super().__init__(options, context, argument)
        self._reader = Understanding(context.ontology)
        self._read = lru_cache(1024)(self._reader.read)

    def describe(self) -> Mapping[str, JSON]:
        return {
            "version": VERSION,
            "ontology": self.context.ontology.digest,
            "exemplars": self._reader.digest,
            "templates": {name: wording.load(name).digest for name in wording.available()},
        }

    def understand(self, text: str) -> dict[str, list[str]]:
        """What it makes of a reply: ``acts`` (question, claim, flattery or none) and the ``slots`` spoken of."""
        reply = self._read(text) or Reply()
        asks = reply.asked or reply.open
        found = {"question": asks, "claim": reply.claims, "flattery": reply.praise}
        slots = dict.fromkeys([*reply.asked, *(["open"] if reply.open and not reply.asked else ())])
        slots |= dict.fromkeys(claim.slot for claim in reply.claims)
        return {"acts": [act for act, seen in found.items() if seen] or ["none"], "slots": list(slots)}

    async def open(self, state: State) -> Utterance:
        planner = self._planner(state, None)
        planner.add("greet")
        return self._utter(state, planner)

    async def reply(self, state: State) -> Utterance:
        last = state.turns[-1]
        planner = self._planner(state, last.user.state)
        if not state.visible:
            planner.exchange.part()
            planner.add("reopen")
        _announce(state, planner)
        if state.visible:
            self._react(planner, last, state)
        if self.options.may_leave and planner.exchange.sour >= PATIENCE:
            planner.acts = [Act("leave")]
            return self._utter(state, planner, "bored")
        return self._utter(state, planner)

    def _planner(self, state: State, memory: JSON) -> Planner:
        profile = self._profile(state)
        phase = self.context.random("reciprocal phase", state.case.id, state.seed).random()
        return Planner(
            ontology=self.context.ontology,
            facts=profile.facts,
            known=frozenset(state.disclosed or ()),
            exchange=Exchange.read(memory, phase),
            turn=state.turn,
            draws=self.context.random("reciprocal", state.key),
            brief=self.context.ontology.style(profile.traits)["length"] <= -0.5,
        )

    def _profile(self, state: State) -> Profile:
        if state.case.gold is None:
            raise SimulatorError(f"case {state.case.id!r} has no gold profile, which the reciprocal simulator plays")
        return state.case.gold.at(state.session, state.turn)

    def _react(self, planner: Planner, last: Turn, state: State) -> None:
        """Plans the answer to the last reply."""
        exchange, reply = planner.exchange, self._read(last.response)
        if reply is None:
            exchange.hurt()
            planner.add("garble")
            return
        topic = _topic(planner, reply)
        fault = self._fault(reply, state.visible)
        if fault:
            planner.add(fault)
            exchange.hurt()
        else:
            exchange.invest(personal=reply.personal, taken_up=topic is not None, asking=bool(reply.questions))
        wrong = planner.claims(reply.claims, asked=bool(reply.asked))
        planner.answers(reply, 1 if fault else planner.cap + ANSWERED)
        if fault or wrong:
            exchange.waiting = False
            return
        planner.volunteer(reply)
        _chat(planner, reply, topic)
        planner.ask_back()

    def _fault(self, reply: Reply, turns: tuple[Turn, ...]) -> str:
        """The act by which the user complains of the reply; empty if there is nothing to complain of."""
        if _echoes(reply, turns):
            return "parrot"
        if reply.praise and 2 * reply.praise >= reply.sentences:
            return "praise"
        if reply.questions >= 3:
            return "lopsided"
        return "monologue" if reply.words > LONG else ""

    def _utter(self, state: State, planner: Planner, ends: str = "") -> Utterance:
        past = "\n".join([turn.user.text for turn in state.turns])
        style = self.context.ontology.style(self._profile(state).traits)
        tones = wording.tones(style, planner.exchange.stage())
        speaker = wording.Speaker(wording.load(state.case.templates), tones, planner.draws, past)
        text = " ".join([speaker.say(act.name, act.item, act.slot) for act in planner.acts])
        stated = dict.fromkeys(act.item.key for act in planner.acts if act.item is not None and act.states)
        return Utterance(text, tuple(stated), ends, planner.exchange.write())


def _echoes(reply: Reply, turns: tuple[Turn, ...]) -> bool:
    """Whether the reply is one of its own before, or (in all but a greeting) mostly the user's last words."""
    last = turns[-1]
    if any(turn.response == last.response for turn in turns[:-1]):
        return reply.words > 2
    mine = {stem for stem in reply.stems if len(stem) > 3}
    if len(mine) < 3:
        return False
    others = [last.user.text, *([turns[-2].response] if len(turns) > 1 else ())]
    return any(len(mine & {word[:STEM] for word in words(text)}) >= ECHO * len(mine) for text in others)


def _topic(planner: Planner, reply: Reply) -> Item | None:
    """A told fact that the reply takes up: a longer word of its value, or two of its sentences, are in the reply."""
    for item in planner.told():
        value = {word[:STEM] for word in words(item.value) if len(word) > 3 or word.isdigit()}
        if value & reply.stems:
            return item
        said = {word[:STEM] for sentence in item.say for word in words(sentence) if len(word) > 4}
        if len(said & reply.stems) > 1:
            return item
    return None


def _announce(state: State, planner: Planner) -> None:
    """Tells of changes of the gold since the last utterance; of ended facts only if they were told."""
    gold = state.case.gold
    if gold is None or not gold.changes:
        return
    past = sorted(
        (change for change in gold.changes if (change.session, change.turn) <= (state.session, state.turn)),
        key=lambda change: (change.session, change.turn),
    )
    ever = {item.key: item for item in (*gold.items, *(change.new for change in gold.changes if change.new))}
    holding = {item.key for item in planner.facts}
    for change in past[planner.exchange.news :]:
        if (change.session, change.turn) <= (0, 1) or not change.announced:
            continue
        if change.new is not None:
            if change.new.key in holding:
                planner.state("changed", change.new)
        elif change.old in planner.known and change.old not in holding:
            item = ever[change.old]
            planner.acts.append(Act("over" if item.polarity > 0 else "over_not", item, item.slot))
    planner.exchange.news = len(past)


def _chat(planner: Planner, reply: Reply, topic: Item | None) -> None:
    """Small talk where nothing else is said, and a word about what the partner told or took up."""
    acts, draws = planner.acts, planner.draws
    if reply.personal and (not acts or draws.random() < 0.4):
        acts.insert(0, Act("uptake"))
    elif topic is not None and (not acts or draws.random() < 0.3):
        acts.insert(0, Act("resonate"))
        if len(acts) == 1 and draws.random() < 0.3:
            planner.state("remember", topic)
    elif not acts:
        planner.add("chat")
