"""Plugins whose answers or declarations have not the form of their kind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sound import (
    Faults,
    ModelName,
    SoundBaseline,
    SoundJudge,
    SoundMetric,
    SoundModel,
    SoundSimulator,
    SoundSuite,
    failures,
)

from rlpa_bench.errors import ProviderError
from rlpa_bench.interfaces import Column, Generation, Guide, JudgeInfo, Part, Record, Sampling, Value
from rlpa_bench.types import (
    Case,
    DialogueSubject,
    Message,
    Output,
    PairSubject,
    State,
    TurnSubject,
    Utterance,
    Verdict,
    View,
)

bad = Faults()


@bad("judge", "scales", "fit is 40.0, outside [0, 5]", alone=True)
class Percent(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        verdicts = await super().judge(subject)
        return {**verdicts, "fit": Verdict(10 * (verdicts["fit"].value or 0))}


@bad("judge", "scales", "asks is 0.5, but the part is declared binary")
class Undecided(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        return {**await super().judge(subject), "asks": Verdict(0.5)}


@bad("judge", "scales", "lacks part 'asks'")
class Partial(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        return {"fit": (await super().judge(subject))["fit"]}


@bad("judge", "scales", "names 'charm', which is no declared part")
class Generous(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        return {**await super().judge(subject), "charm": Verdict(1.0)}


@bad("judge", "parts", "part 'fit' has the scale [5, 0]")
class Inverted(SoundJudge):
    parts: Any = {"fit": Part(5, 0), "asks": Part()}


@bad("judge", "parts", "'charm' is rewarded but is no part")
class Rewarding(SoundJudge):
    reward = ("charm",)


@bad("metric", "scales", "gate x10 is 100.0, outside [0, 10]")
class Tenfold(SoundMetric):
    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for value in super().measure(record, judges):
            wrong = value.column == "gate x10" and value.value
            yield value._replace(value=100.0) if wrong else value


@bad("metric", "scales", "'charm' is no value of a declared column")
class Undeclared(SoundMetric):
    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        yield Value("charm", None, 1.0)


@bad("metric", "columns", "two columns are called 'turns'")
class Doubled(SoundMetric):
    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [*super().columns(judges), Column("turns")]


@bad("suite", "well formed", "case id 'same' occurs twice")
class Twins(SoundSuite):
    def cases(self) -> Sequence[Case]:
        return [replace(case, id="same") for case in super().cases()]

    def sample(self, limit: int) -> Sequence[Case]:
        return self.cases()[:limit]


@bad("suite", "well formed", "yields no cases")
class Empty(SoundSuite):
    def cases(self) -> Sequence[Case]:
        return []


@bad("suite", "samples", "in another order")
class Jumbled(SoundSuite):
    def sample(self, limit: int) -> Sequence[Case]:
        return list(reversed(self.cases()))[:limit]


@bad("suite", "protocol", "protocol is 'sound'; write NAME/VERSION")
class Unversioned(SoundSuite):
    protocol = "sound"


@bad("simulator", "utterances", "returns str, not an Utterance")
class Terse(SoundSimulator):
    async def open(self, state: State) -> Utterance:
        return "Hello."  # type: ignore[return-value]


@bad("simulator", "utterances", "it says nothing")
class Mute(SoundSimulator):
    async def open(self, state: State) -> Utterance:
        return Utterance("  ", state={"said": []})


@bad("baseline", "outputs", "is a str, not an Output")
class Stringy(SoundBaseline):
    async def respond(self, view: View) -> Output:
        return (await super().respond(view)).raw  # type: ignore[return-value]


@bad("baseline", "outputs", "its memory is no JSON")
class Hoarding(SoundBaseline):
    async def respond(self, view: View) -> Output:
        return replace(await super().respond(view), memory={1, 2})


@bad("baseline", "model use", "asks its model 1 times and books 0 calls")
class Thrifty(SoundBaseline):
    async def respond(self, view: View) -> Output:
        return replace(await super().respond(view), calls=())


@bad("baseline", "model use", "never asks its model; set needs_model = False")
class Idle(SoundBaseline):
    async def respond(self, view: View) -> Output:
        return Output("<profile>\n</profile>\n\n<response>\nHm.\n</response>")


@bad("model", "sampling", "wrote 5 tokens where max_tokens was 1")
class Endless(SoundModel):
    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        return await super().generate(messages, replace(sampling, max_tokens=9), guide)


@bad("model", "sampling", "goes on behind the stop string")
class Unstoppable(SoundModel):
    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        made = await super().generate(messages, sampling, guide)
        return replace(made, text=f"{made.text}</response> and more")


@bad("model", "guides", "wrote what breaks it: no blocks")
class Unguided(SoundModel):
    guides = frozenset({"contract"})


@bad("model", "guides", "wrote no JSON")
class Unschemed(SoundModel):
    guides = frozenset({"json"})


@bad("model", "generations", "finished with 'eos'")
class Odd(SoundModel):
    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        return replace(await super().generate(messages, sampling, guide), finish="eos")


@bad("model", "unreachable", "an answer without a connection; raise ProviderError")
class Pretending(SoundModel):
    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        try:
            await asyncio.open_connection("model.example", 443)
        except OSError:
            return Generation("")
        raise AssertionError("there is no network here")


@bad("model", "options", "does not extend rlpa_bench.options.ModelOptions")
class Bare(SoundModel):
    class Options(ModelName):
        def sampling(self) -> Sampling:
            return Sampling()


@bad("judge", "builds", "describe() is no JSON")
class Indescribable(SoundJudge):
    def describe(self) -> Mapping[str, Any]:
        return {"judge": self}


@bad("judge", "builds", "it cannot be built: OSError: no licence")
class Unbuildable(SoundJudge):
    def __init__(self, *given: Any) -> None:
        raise OSError("no licence")


@bad("judge", "declared", "option 'size' has no description")
class Silent(SoundJudge):
    class Options(ModelName):
        size: int = 3


@bad("judge", "answers", "verdict on no gold/0/1: IndexError")
class Presuming(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        _ = subject.gold.items[0]
        return await super().judge(subject)


@bad("baseline", "answers", "answers nothing: ProviderError: not today")
class Refusing(SoundBaseline):
    async def respond(self, view: View) -> Output:
        raise ProviderError("not today")


@pytest.mark.parametrize(("kind", "check", "component", "said", "alone"), bad.cases)
def test_a_broken_promise_is_caught(kind: str, check: str, component: type[Any], said: str, alone: bool) -> None:
    bad.check(kind, check, component, said, alone)


class Whole(SoundJudge):
    """Judges whole dialogues by their length."""

    target = "dialogue"
    parts: Any = {"turns": Part(0, 100)}

    async def judge(self, subject: DialogueSubject) -> Mapping[str, Verdict]:  # type: ignore[override]
        return {"turns": Verdict(float(len(subject.turns)))}


class Pairs(SoundJudge):
    """Judges pairs by the length of their replies."""

    target = "pair"
    parts: Any = {"first": Part(binary=True)}

    async def judge(self, subject: PairSubject) -> Mapping[str, Verdict]:  # type: ignore[override]
        return {"first": Verdict(float(len(subject.first.reply) > len(subject.second.reply)))}


@pytest.mark.parametrize("judge", [Whole, Pairs])
def test_judges_of_every_target_are_exercised(judge: type[Any]) -> None:
    assert failures("judge", judge) == {}
