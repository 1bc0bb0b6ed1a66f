"""Which dialogues a run consists of, numbered in the order of its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlpa_bench.errors import UsageError
from rlpa_bench.types import Case


@dataclass(frozen=True, slots=True)
class Unit:
    """One dialogue to play."""

    number: int
    candidate: str
    case: Case
    seed: int


@dataclass(frozen=True)
class Plan:
    """Candidates x cases x seeds; a candidate may be planned on part of the cases."""

    candidates: tuple[str, ...]
    cases: tuple[Case, ...]
    seeds: int
    subsets: dict[str, frozenset[str]]
    """Candidate -> ids of its cases; a candidate that is not named plays all."""
    shard: tuple[int, int] = (0, 1)
    """This worker's part: (index, number of workers)."""

    def __post_init__(self) -> None:
        refuse_doubled("candidate", self.candidates)
        refuse_doubled("case", [case.id for case in self.cases])
        if not self.candidates or not self.cases:
            raise UsageError("nothing to run: name a model or a control, and a suite with cases")

    def record(self) -> dict[str, Any]:
        """The plan as JSON, without its cases."""
        subsets = {name: sorted(ids) for name, ids in self.subsets.items()}
        return {
            "candidates": list(self.candidates),
            "seeds": self.seeds,
            "subsets": subsets,
            "shard": list(self.shard),
        }

    @classmethod
    def restore(cls, record: Mapping[str, Any], cases: tuple[Case, ...]) -> Plan:
        """The plan of a record."""
        subsets = {name: frozenset(ids) for name, ids in record["subsets"].items()}
        index, of = record["shard"]
        return cls(tuple(record["candidates"]), cases, record["seeds"], subsets, (index, of))

    def plays(self, candidate: str, case: Case) -> bool:
        return candidate not in self.subsets or case.id in self.subsets[candidate]

    def unit(self, number: int) -> Unit:
        rest, seed = divmod(number, self.seeds)
        candidate, case = divmod(rest, len(self.cases))
        return Unit(number, self.candidates[candidate], self.cases[case], seed)

    def all_units(self) -> Iterator[Unit]:
        """Every dialogue of the run, in file order."""
        for number in range(len(self.candidates) * len(self.cases) * self.seeds):
            unit = self.unit(number)
            if self.plays(unit.candidate, unit.case):
                yield unit

    def units(self) -> Iterator[Unit]:
        """The dialogues of this shard."""
        index, of = self.shard
        return (unit for unit in self.all_units() if unit.number % of == index)

    def planned(self, candidate: str) -> int:
        """Dialogues of one candidate."""
        return self.seeds * sum(self.plays(candidate, case) for case in self.cases)

    @property
    def size(self) -> int:
        return sum(self.planned(candidate) for candidate in self.candidates)


def refuse_doubled(what: str, names: Iterable[str]) -> None:
    """Raises UsageError if a name occurs twice."""
    if doubled := [name for name, n in Counter(names).items() if n > 1]:
        raise UsageError(f"{what} {doubled[0]!r} occurs twice; each may occur once")


def with_turns(cases: Sequence[Case], turns: int | None) -> tuple[Case, ...]:
    """Cases whose last session is stretched or cut so that a dialogue has ``turns`` turns."""
    from dataclasses import replace

    if turns is None:
        return tuple(cases)
    if turns < 1:
        raise UsageError(f"--turns {turns} is not possible; a dialogue has at least 1 turn")
    out = []
    for case in cases:
        sessions = list(case.sessions)
        while len(sessions) > 1 and sum(s.turns for s in sessions[:-1]) >= turns:
            sessions.pop()
        rest = turns - sum(s.turns for s in sessions[:-1])
        sessions[-1] = replace(sessions[-1], turns=rest)
        out.append(replace(case, sessions=tuple(sessions)))
    return tuple(out)
