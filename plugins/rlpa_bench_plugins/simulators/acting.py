"""The common part of users that a model plays freely: a persona and rules, then a chat with roles swapped.

The model is given the user's own utterances as its own messages and the candidate's replies as those of its partner.
Profile blocks and the candidate's prompt never reach it. What it disclosed is extracted afterwards and marked so.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from rlpa_bench.contract import Contract
from rlpa_bench.errors import SimulatorError
from rlpa_bench.interfaces import Context, Simulator
from rlpa_bench.ontology.stated import stated
from rlpa_bench.types import JSON, Call, Message, Profile, State, Utterance
from rlpa_bench_plugins.asking.fence import inert
from rlpa_bench_plugins.asking.options import LanguageOption, ModelOption, SamplingOptions
from rlpa_bench_plugins.asking.prompts import Prompt, digests, language_of
from rlpa_bench_plugins.simulators import faults

_ACTION = re.compile(r"\*[^*\n]+\*|（[^（）\n]{1,20}）|^\([^()\n]{1,60}\)|\[[^\[\]\n]{1,40}\]")
_NAMED = re.compile(r"^\W{0,3}(?:user|me|you|human|用户|我)\W{0,3}[:：]\s*", re.IGNORECASE)
_ENDED = re.compile(r"^.*[.!?…。！？~]", re.DOTALL)


class ActingOptions(SamplingOptions, LanguageOption, ModelOption):
    """Options of users that a model plays."""

    temperature: float = Field(0.7, ge=0, le=5, description="Sampling temperature of this role; always sent.")
    max_tokens: int = Field(160, ge=1, description="Tokens an utterance may have.")
    reask: int = Field(1, ge=0, le=5, description="How often a faulty utterance is asked for again.")


@dataclass(frozen=True, slots=True)
class Role:
    """What a model has to play."""

    persona: str
    profile: Profile
    language: str


class ActingSimulator(Simulator):
    """Base of users that a model plays freely."""

    Options: ClassVar[type[Any]] = ActingOptions
    version: ClassVar[str]
    """Rises with every change of prompts or code that can change what is said."""
    rules: ClassVar[Prompt]
    """System text, with the place ``$persona`` and those of :meth:`places`."""
    start: ClassVar[Prompt]
    """What stands before the first utterance, in the partner's place."""

    def __init__(self, options: Any, context: Context, argument: str = "") -> None:
        super().__init__(options, context, argument)
        self._model = context.model(options.model, role="simulator")

    def describe(self) -> Mapping[str, JSON]:
        prompts = dict(digests([self.rules, self.start]))
        ontology = self.context.ontology.digest
        return {"version": self.version, "model": self.options.model, "prompts": prompts, "ontology": ontology}

    async def open(self, state: State) -> Utterance:
        return await self._speak(state)

    async def reply(self, state: State) -> Utterance:
        return await self._speak(state)

    @abstractmethod
    def persona(self, state: State, profile: Profile) -> str:
        """The persona as the prompt names it; empty if there is none."""

    def places(self, profile: Profile) -> Mapping[str, str]:
        """Further places of the rules."""
        return {}

    def _role(self, state: State) -> Role:
        gold = state.case.gold
        profile = gold.at(state.session, state.turn) if gold else Profile()
        persona = self.persona(state, profile)
        if not persona:
            raise SimulatorError(f"case {state.case.id!r} has no persona, which the simulator {self.name!r} plays")
        return Role(persona, profile, language_of(self.options.language, state.case.language))

    async def _speak(self, state: State) -> Utterance:
        """Asks for an utterance until it has no fault, ``reask`` times at most; faults that stay are logged."""
        role = self._role(state)
        messages = self._messages(state, role)
        rules = self.rules.fill(role.language, persona="", **self.places(role.profile))
        calls: list[Call] = []
        for attempt in range(self.options.reask + 1):
            key = f"{state.key}/{self.name}" + (f"/{attempt}" if attempt else "")
            raw, call = await self._model.generate(messages, key=key, **self.options.sampling())
            calls.append(call)
            text = tidy(raw, cut=call.finish == "length")
            found = faults.find(self._spoken(state, role, text, rules), self.context.ontology)
            if not found:
                break
        if not text:
            raise SimulatorError(f"{self.options.model} said nothing as the user of {state.key}", reason="empty")
        told = stated(text, role.profile.facts, self.context.ontology) if role.profile.items else None
        return Utterance(text, told, "", {"faults": found, "asked": len(calls)}, True, tuple(calls))

    @staticmethod
    def _spoken(state: State, role: Role, text: str, rules: str) -> faults.Spoken:
        partner = state.turns[-1].response if state.turns else ""
        earlier = [turn.user.text for turn in state.turns]
        return faults.Spoken(text, role.profile.facts, state.disclosed or (), earlier, partner, rules)

    def _messages(self, state: State, role: Role) -> list[Message]:
        system = self.rules.fill(role.language, persona=role.persona, **self.places(role.profile))
        return [Message("system", system), *self._chat(state, self.start.fill(role.language))]

    @staticmethod
    def _chat(state: State, start: str) -> Iterator[Message]:
        yield Message("user", start)
        for turn in state.turns:
            yield Message("assistant", turn.user.text)
            yield Message("user", inert(turn.response).strip() or "…")


def written(profile: Profile) -> str:
    """A profile as lines of a prompt."""
    return Contract.lines(profile.items)


def tidy(raw: str, *, cut: bool = False) -> str:
    """An utterance without stage directions, speaker's name and quotation marks around it.

    Args:
        cut: the text was cut off: it ends with its last whole sentence, if it has one.
    """
    text = _NAMED.sub("", _ACTION.sub(" ", raw.strip()))
    if cut and (whole := _ENDED.match(text)):
        text = whole[0]
    text = "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())
    if len(text) > 1 and (text[0], text[-1]) in {('"', '"'), ("“", "”"), ("「", "」"), ("'", "'")}:
        text = text[1:-1].strip()
    return text.encode("utf-8", "replace").decode()
