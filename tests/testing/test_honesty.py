"""Plugins that make things up: draws of their own, invented facts, numbers in the place of failures."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sound import Faults, SoundBaseline, SoundJudge, SoundMetric, SoundSimulator, SoundSuite

from rlpa_bench.errors import JudgeError, ProviderError
from rlpa_bench.interfaces import JudgeInfo, Record, Value
from rlpa_bench.types import Case, Output, State, TurnSubject, Utterance, Verdict, View

bad = Faults()


@bad("simulator", "deterministic", "draw from context.random", alone=True)
class Moody(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        said = await super().reply(state)
        return replace(said, text=f"{said.text} {os.urandom(4).hex()}")


@bad("simulator", "deterministic", "keep nothing between calls")
class Forgetful(SoundSimulator):
    count = 0

    async def reply(self, state: State) -> Utterance:
        self.count += 1
        said = await super().reply(state)
        return replace(said, text=f"{said.text} That is {self.count} things I told you.")


@bad("judge", "deterministic", "the second time")
class Fickle(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        return {**await super().judge(subject), "fit": Verdict(float(os.urandom(1)[0] % 6), raw=os.urandom(4).hex())}


@bad("suite", "deterministic", "cases()")
class Shuffling(SoundSuite):
    def cases(self) -> Sequence[Case]:
        return [replace(case, id=f"{case.id}-{time.perf_counter_ns()}") for case in super().cases()]

    def sample(self, limit: int) -> Sequence[Case]:
        return SoundSuite.cases(self)[:limit]


@bad("metric", "deterministic", "values of")
class Drifting(SoundMetric):
    seen = 0

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        type(self).seen += 1
        yield Value("turns", None, float(self.seen))


@bad("simulator", "true ledger", "discloses 'age/99', which the gold does not hold then")
class Liar(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        return replace(await super().reply(state), disclosed=("age/99",))


@bad("simulator", "true ledger", "its words let one recognise 0")
class Boaster(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        return replace(await super().reply(state), text="Never mind.")


@bad("simulator", "no fabrication", "speaks of 'occupation/plumber', which the persona is not", alone=True)
class Impostor(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        said = await super().reply(state)
        return replace(said, text=f"{said.text} I work as a plumber.")


@bad("simulator", "fails honestly", "answers although its model failed")
class Canned(SoundSimulator):
    async def ask(self, state: State) -> Any:
        try:
            return await super().ask(state)
        except ProviderError:
            from rlpa_bench.types import Call

            return "Hm.", Call("simulator", "script", "stop")


@bad("judge", "no default score", "is 0 although its model fails", alone=True)
class Zeroing(SoundJudge):
    async def ask(self, subject: TurnSubject) -> str:
        try:
            return await super().ask(subject)
        except ProviderError:
            return "0"


@bad("judge", "no default score", "although its model says ''")
class Middling(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        try:
            return await super().judge(subject)
        except JudgeError:
            return {"fit": Verdict(2.5), "asks": Verdict(0.0)}


@bad("baseline", "fails honestly", "answers although its model failed")
class Excuses(SoundBaseline):
    async def respond(self, view: View) -> Output:
        try:
            return await super().respond(view)
        except ProviderError:
            return Output("Sorry, I cannot answer just now.")


@bad("baseline", "fails honestly", "let the ProviderError through")
class Disguising(SoundBaseline):
    async def respond(self, view: View) -> Output:
        try:
            return await super().respond(view)
        except ProviderError as error:
            raise RuntimeError("something went wrong") from error


@bad("metric", "missing is missing", "although its verdict failed")
class Punishing(SoundMetric):
    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for value in super().measure(record, judges):
            failed = value.value is None and value.reason.startswith("error:")
            yield value._replace(value=0.0) if failed else value


@bad("metric", "missing is missing", "which was never played")
class Filling(SoundMetric):
    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for value in super().measure(record, judges):
            unplayed = value.turn is not None and value.turn > len(record.dialogue.turns)
            yield value._replace(value=0.0) if unplayed else value


@pytest.mark.parametrize(("kind", "check", "component", "said", "alone"), bad.cases)
def test_a_broken_promise_is_caught(kind: str, check: str, component: type[Any], said: str, alone: bool) -> None:
    bad.check(kind, check, component, said, alone)
