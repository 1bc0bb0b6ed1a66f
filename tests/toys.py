"""The smallest components of each kind, as a third party would write them; used by the tests of the core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rlpa_bench import hookimpl
from rlpa_bench.interfaces import Baseline, Generation, Guide, Judge, Model, Part, Sampling, Simulator, Suite
from rlpa_bench.options import ModelOptions, Options
from rlpa_bench.types import (
    Call,
    Case,
    Change,
    DialogueSubject,
    Gold,
    Item,
    Message,
    Output,
    PairSubject,
    Session,
    State,
    TurnSubject,
    Utterance,
    Verdict,
    View,
)

NURSE = Item("Occupation", "nurse", id="occupation/nurse", say=("I am a nurse.",))
TEACHER = Item("Occupation", "teacher", id="occupation/teacher", say=("I teach now.",))


def case(number: int = 0, sessions: Sequence[Session] = (Session(5, "Hello"),), changes: Sequence[Change] = ()) -> Case:
    age = Item("Age", str(30 + number), id=f"age/{30 + number}", say=(f"I am {30 + number}.",))
    trait = Item("Personality Traits", "calm", id="traits/calm")
    return Case(f"case-{number}", Gold((age, NURSE, trait), tuple(changes)), f"profile-{number}", tuple(sessions))


def reply(text: str, profile: str = "- Age: 30") -> str:
    return f"<profile>\n{profile}\n</profile>\n\n<response>\n{text}\n</response>"


class ToySuite(Suite):
    """Six cases."""

    name = "toy"
    protocol = "toy/1"

    class Options(Options):
        opening: str | None = "Hello"

    def cases(self) -> Sequence[Case]:
        return [case(i, (Session(5, self.options.opening),)) for i in range(6)]


class ToySimulator(Simulator):
    """States its facts in turn and counts its turns in its own state; ``calls`` counts what it was asked."""

    name = "toy"
    Options = Options
    calls = 0

    async def open(self, state: State) -> Utterance:
        return Utterance("Hi, it's me.", state=0)

    async def reply(self, state: State) -> Utterance:
        type(self).calls += 1
        seen = (state.turns[-1].user.state or 0) + 1
        assert state.case.gold is not None
        facts = state.case.gold.at(state.session, state.turn).facts
        fact = self.context.random("toy", state.key).choice(facts)
        return Utterance(f"{fact.say[0]} You said: {state.turns[-1].response}", (fact.key,), state=seen)


class ToyJudge(Judge):
    """1 if the reply asks something and the gold says age 30 or more."""

    name = "asks"
    Options = Options
    parts = {"asks": Part(), "length": Part(0, 1000)}
    reward = ("asks",)
    alignment = "asks"
    other_gold = True
    deterministic = True

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        asks = "?" in subject.reply and any(item.slot == "Age" for item in subject.gold.items)
        return {"asks": Verdict(float(asks)), "length": Verdict(float(len(subject.reply)))}


class ToyModel(Model):
    """Asks about the last word of the user; costs nothing."""

    name = "toy"
    Options = ModelOptions
    cacheable = False

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        word = messages[-1].content.split()[-1].strip(".?") if messages[-1].content.split() else "that"
        return Generation(reply(f"Why {word} and {len(messages)}?"), "stop", 10, 5)


class Plain(Baseline):
    """The model as it is."""

    name = "plain"
    Options = Options

    async def respond(self, view: View) -> Output:
        text, call = await self.model.generate(view.messages, key=view.key)
        return Output(text, finish=call.finish, calls=(call,))


class Counter(Baseline):
    """A control that remembers how many turns it has seen."""

    name = "counter"
    Options = Options
    needs_model = False

    async def respond(self, view: View) -> Output:
        count = (view.memory or 0) + 1
        return Output(reply(f"Turn {count}, of which I see {len(view.history)}. And you?"), memory=count)


class Plugin:
    """Offers whatever components it is given, one hook per kind."""

    def __init__(self, *components: type[Any]) -> None:
        self.components = components or (ToySuite, ToySimulator, ToyJudge, ToyModel, Plain, Counter)

    def of(self, base: type[Any]) -> list[type[Any]]:
        return [component for component in self.components if issubclass(component, base)]

    @hookimpl
    def rlpa_bench_suites(self) -> Iterable[type[Suite]]:
        return self.of(Suite)

    @hookimpl
    def rlpa_bench_simulators(self) -> Iterable[type[Simulator]]:
        return self.of(Simulator)

    @hookimpl
    def rlpa_bench_judges(self) -> Iterable[type[Judge]]:
        return self.of(Judge)

    @hookimpl
    def rlpa_bench_baselines(self) -> Iterable[type[Baseline]]:
        return self.of(Baseline)

    @hookimpl
    def rlpa_bench_models(self) -> Iterable[type[Model]]:
        return self.of(Model)


__all__ = [
    "NURSE",
    "TEACHER",
    "Call",
    "Counter",
    "DialogueSubject",
    "Item",
    "PairSubject",
    "Plain",
    "Plugin",
    "ToyJudge",
    "ToyModel",
    "ToySimulator",
    "ToySuite",
    "case",
    "reply",
]
