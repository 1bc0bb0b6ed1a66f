"""A simulated user that repeats what it hears, and a metric that measures how long the replies are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import Field

from rlpa_bench import hookimpl
from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Simulator, Value
from rlpa_bench.options import Options
from rlpa_bench.types import State, Utterance


class ParrotOptions(Options):
    cry: str = Field("Squawk!", description="What it says first.")


class Parrot(Simulator):
    """Repeats what it hears and states one fact a turn."""

    name = "parrot"
    Options = ParrotOptions

    async def open(self, state: State) -> Utterance:
        return Utterance(self.options.cry)

    async def reply(self, state: State) -> Utterance:
        facts = state.case.gold.at(state.session, state.turn).facts if state.case.gold else ()
        fact = facts[state.turn % len(facts)]
        return Utterance(f"{self.options.cry} {fact.say[0]} {state.turns[-1].response}", (fact.key,))


class Length(Metric):
    """Characters per reply."""

    name = "reply-length"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [Column("characters", "per reply", low=0, better="", headline=True)]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for turn in record.dialogue.turns:
            yield Value("characters", turn.index, float(len(turn.response)))


@hookimpl
def rlpa_bench_simulators() -> Iterable[type[Simulator]]:
    return [Parrot]


@hookimpl
def rlpa_bench_metrics() -> Iterable[type[Metric]]:
    return [Length]
