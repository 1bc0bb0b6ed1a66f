"""A user whose course is planned in code and whose words come from a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from rlpa_bench.errors import SimulatorError
from rlpa_bench.interfaces import Context, Simulator
from rlpa_bench.ontology.stated import stated
from rlpa_bench.types import JSON, Item, Profile, State, Utterance
from rlpa_bench_plugins.asking.answers import Form
from rlpa_bench_plugins.asking.asker import Asker
from rlpa_bench_plugins.asking.options import AnswerOptions, ModelOption
from rlpa_bench_plugins.asking.prompts import Prompt
from rlpa_bench_plugins.simulators import faults
from rlpa_bench_plugins.simulators.acting import tidy, written
from rlpa_bench_plugins.simulators.agenda import AgendaOptions, AgendaSimulator

LONGEST = 90
"""Words of an utterance."""


class Wording(Form):
    text: str
    disclosed: tuple[str, ...]


class GuidedOptions(AnswerOptions, ModelOption):
    """Options of the simulator ``guided``."""

    temperature: float = Field(0.7, ge=0, le=5, description="Sampling temperature of this role; always sent.")
    max_tokens: int = Field(300, ge=1, description="Tokens an answer may have.")
    may_leave: bool = Field(False, description="Whether the user ends the dialogue when patience runs out.")


class GuidedSimulator(Simulator):
    """The agenda user's decisions in a model's words: code says which facts may be told this turn, and checks the text.

    The agenda simulator plans the turn (what to answer, correct, dislike, volunteer, under its disclosure cap) and
    drafts it; the model rewords the draft in the persona's manner and names the facts that its text states. A text that
    states another fact, makes one up, does not state what it names, repeats itself or leaves its role is asked for once
    more; then the dialogue fails with a SimulatorError. English, as the agenda simulator.
    """

    name = "guided"
    version: ClassVar[str] = "guided/1"
    Options = GuidedOptions

    def __init__(self, options: Any, context: Context, argument: str = "") -> None:
        super().__init__(options, context, argument)
        self._agenda = AgendaSimulator(AgendaOptions(may_leave=options.may_leave), context)
        model = context.model(options.model, role="simulator")
        task, system = (Prompt(__package__, stem, ("en",)) for stem in ("task.v1", "system.v1"))
        self._asker = Asker(self.name, context, model, options, task, system)

    def describe(self) -> Mapping[str, JSON]:
        return {"version": self.version, "agenda": dict(self._agenda.describe()), **self._asker.describe()}

    def understand(self, text: str) -> dict[str, list[str]]:
        """What its agenda makes of a reply; see :meth:`AgendaSimulator.understand`."""
        return self._agenda.understand(text)

    async def open(self, state: State) -> Utterance:
        return await self._worded(state, await self._agenda.open(self._inner(state)))

    async def reply(self, state: State) -> Utterance:
        return await self._worded(state, await self._agenda.reply(self._inner(state)))

    def _inner(self, state: State) -> State:
        """The state as the agenda simulator knows it: with its own memory in the last utterance."""
        if state.case.language != "en":
            raise SimulatorError(f"the guided simulator reads English only; case {state.case.id!r} is not")
        if not state.turns or state.turns[-1].user.state is None:
            return state
        last = state.turns[-1]
        mine = replace(last, user=replace(last.user, state=last.user.state["agenda"]))
        return replace(state, turns=(*state.turns[:-1], mine))

    async def _worded(self, state: State, draft: Utterance) -> Utterance:
        gold = state.case.gold
        profile = gold.at(state.session, state.turn) if gold else Profile()
        planned = profile.select(draft.disclosed or ())
        answer = await self._asker.ask(
            Wording,
            self._data(state, profile, planned, draft),
            key=state.key,
            language="en",
            answer='{"nonce": "$nonce", "text": "...", "disclosed": ["..."]}',
            untrusted=state.turns[-1].response if state.turns else "",
            check=self._check(state, profile, planned),
        )
        if answer.form is None:
            raise SimulatorError(f"{self.options.model} could not word a turn: {answer.detail}", reason=answer.status)
        text = tidy(answer.form.text)
        known = state.disclosed or ()
        told = set(answer.form.disclosed) | set(known)
        ledger = tuple(key for key in stated(text, profile.facts, self.context.ontology) if key in told)
        own: JSON = {"agenda": draft.state, "asked": len(answer.calls), "faults": {}}
        return Utterance(text, ledger, draft.ends, own, calls=answer.calls)

    @staticmethod
    def _data(state: State, profile: Profile, planned: tuple[Item, ...], draft: Utterance) -> dict[str, JSON]:
        return {
            "personality": written(Profile(profile.traits)),
            "history": [{"you": turn.user.text, "they": turn.response} for turn in state.turns[-4:]],
            "facts": {item.key: item.say[0] if item.say else item.value for item in planned},
            "draft": draft.text,
        }

    def _check(self, state: State, profile: Profile, planned: tuple[Item, ...]) -> Callable[[Wording], str]:
        ontology = self.context.ontology
        allowed, known = {item.key for item in planned}, set(state.disclosed or ())
        earlier = [turn.user.text for turn in state.turns]
        partner = state.turns[-1].response if state.turns else ""

        def check(form: Wording) -> str:
            text = tidy(form.text)
            told = stated(text, profile.facts, ontology)
            if wrong := sorted(set(form.disclosed) - allowed):
                return f"these facts were not to be told: {', '.join(wrong)}"
            if missing := sorted(set(form.disclosed) - set(told)):
                return f"the text does not state: {', '.join(missing)}"
            if extra := sorted(set(told) - allowed - known):
                return f"the text also states: {', '.join(extra)}"
            if unnamed := sorted((set(told) & allowed) - known - set(form.disclosed)):
                return f"disclosed leaves out: {', '.join(unnamed)}"
            if len(text.split()) > LONGEST:
                return f"the text is longer than {LONGEST} words"
            found = faults.find(faults.Spoken(text, profile.facts, known, earlier, partner), ontology)
            found.pop("over_disclosure", None)
            return "; ".join(f"{kind.replace('_', ' ')}: {detail}" for kind, detail in found.items())

        return check
