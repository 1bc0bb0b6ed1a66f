"""A sound plugin of each kind, what their checks find, and faulty ones made from them; for the tests of conformance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from pydantic import Field

from rlpa_bench.errors import JudgeError
from rlpa_bench.interfaces import (
    Baseline,
    Column,
    Generation,
    Guide,
    Judge,
    JudgeInfo,
    Metric,
    Model,
    Part,
    Record,
    Sampling,
    Simulator,
    Suite,
    Value,
)
from rlpa_bench.options import ModelOptions, Options
from rlpa_bench.testing import examine
from rlpa_bench.types import Case, Gold, Item, Message, Output, Session, State, TurnSubject, Utterance, Verdict, View


class ModelName(Options):
    model: str = Field("script", description="Model to ask.")


class SoundSuite(Suite):
    """Four cases."""

    name = "sound"
    Options = Options
    protocol = "sound/1"

    def cases(self) -> Sequence[Case]:
        gold = Gold((Item("Age", "34", id="age/34"),))
        return [Case(f"case-{i}", gold, f"profile-{i}", (Session(3, "Hello"),)) for i in range(4)]


class SoundSimulator(Simulator):
    """States its facts in turn, in words that a model has joined."""

    name = "sound"
    Options = ModelName

    async def open(self, state: State) -> Utterance:
        return Utterance("Hello.", state={"said": []})

    async def reply(self, state: State) -> Utterance:
        assert state.case.gold is not None
        facts = state.case.gold.at(state.session, state.turn).facts
        fact = self.context.random("fact", state.key).choice(facts)
        text, call = await self.ask(state)
        said = [*((state.turns[-1].user.state or {}).get("said", [])), fact.key]
        return Utterance(f"{fact.say[0]} {text}", (fact.key,), state={"said": said}, calls=(call,))

    async def ask(self, state: State) -> Any:
        model = self.context.model(self.options.model, role="simulator")
        return await model.generate([Message("user", state.turns[-1].response)], key=state.key)


class SoundJudge(Judge):
    """Reads a number from 0 to 5 that a model says."""

    name = "sound"
    Options = ModelName
    parts: Any = {"fit": Part(0, 5), "asks": Part(binary=True)}
    deterministic = True

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        text = await self.ask(subject)
        try:
            value = min(5.0, float(text.split()[-1]))
        except (ValueError, IndexError):
            raise JudgeError("no number to be read", reason="unparseable") from None
        return {"fit": Verdict(value, raw=text), "asks": Verdict(float("?" in subject.reply))}

    async def ask(self, subject: TurnSubject) -> str:
        model = self.context.model(self.options.model, role="judge")
        return (await model.generate([Message("user", subject.reply)], key=subject.key))[0]


class SoundBaseline(Baseline):
    """The model, and how many turns it has seen."""

    name = "sound"
    Options = Options

    async def respond(self, view: View) -> Output:
        text, call = await self.model.generate(view.messages, key=view.key)
        return Output(text, memory=(view.memory or 0) + 1, calls=(call,))


class SoundModel(Model):
    """Says hello as often as it may."""

    name = "sound"
    Options = ModelOptions

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        words = ["hello"] * min(5, sampling.max_tokens)
        return Generation(" ".join(words), "length" if len(words) < 5 else "stop", 3, len(words))


class SoundMetric(Metric):
    """Alignment x10, and turns played."""

    name = "sound"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        gate = [Column("gate x10", low=0, high=10)] if "reference" in judges else []
        return [*gate, Column("turns", low=0)]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        yield Value("turns", None, float(len(record.dialogue.turns)))
        for turn, value, reason, defined in record.verdicts("reference", "gate"):
            yield Value("gate x10", turn, None if value is None else value * 10, reason, defined)


SOUND: dict[str, type[Any]] = {
    "suite": SoundSuite, "simulator": SoundSimulator, "judge": SoundJudge, "baseline": SoundBaseline,
    "model": SoundModel, "metric": SoundMetric,
}  # fmt: skip
SAYS = {"judge": "I give it a 4"}


def failures(kind: str, component: type[Any], **settings: Any) -> dict[str, str]:
    report = examine(kind, component, **{"says": SAYS.get(kind), **settings})
    return {result.check: result.message for result in report.failed}


class Faults:
    """Plugins that are sound but for one thing, and the words in which the check that is about it has to say so.

    ``alone``: no other check may fail for it, so that the report says what is wrong.
    """

    def __init__(self) -> None:
        self.cases: list[Any] = []

    def __call__(self, kind: str, check: str, said: str, *, alone: bool = False) -> Callable[[type[Any]], type[Any]]:
        def note(component: type[Any]) -> type[Any]:
            component.__doc__ = component.__doc__ or "Breaks a promise."
            self.cases.append(pytest.param(kind, check, component, said, alone, id=component.__name__))
            return component

        return note

    def check(self, kind: str, check: str, component: type[Any], said: str, alone: bool) -> None:
        """Asserts that the check finds the fault."""
        found = failures(kind, component)
        assert said in found.get(check, ""), found
        assert not alone or set(found) == {check}, found
