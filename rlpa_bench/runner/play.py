"""One dialogue: candidate and user take turns until the schedule or the user ends it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import perf_counter

from rlpa_bench.build import Candidate
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import BoundaryError
from rlpa_bench.guard import guarded
from rlpa_bench.types import Case, Output, State, Turn, Utterance


class DialogueFailedError(Exception):
    """A dialogue that cannot go on; ``reason`` names the stage first."""

    def __init__(self, stage: str, error: Exception) -> None:
        word = error.reason if isinstance(error, BoundaryError) else type(error).__name__
        self.kind = f"{stage}: {word}"
        self.reason = f"{self.kind}: {error}"
        super().__init__(self.reason)


@dataclass(frozen=True, slots=True)
class Step:
    """One finished turn and the state it led to."""

    turn: Turn
    state: State
    seconds: float
    """Seconds the candidate took."""


async def play(
    env: DialogueEnv, candidate: Candidate, case: Case, seed: int, resumed: State | None
) -> AsyncIterator[Step]:
    """Plays a dialogue from its start or from a saved state.

    Raises:
        DialogueFailedError: when the candidate or the simulator fails; all turns before it have been yielded.
    """
    state = resumed or await _start(env, case, seed)
    while not state.ended:
        began = perf_counter()
        try:
            baseline = candidate.baseline
            who = f"baseline {baseline.name!r}"
            view = env.view(state, baseline.grants)
            output = await guarded(who, baseline.respond, view, unhurried=baseline.unhurried)
            if not isinstance(output, Output) or not isinstance(output.raw, str):
                raise TypeError(f"{who} returned {type(output).__name__}, not an Output with a text")
        except Exception as error:  # a candidate may be anybody's code: its failure is data
            raise DialogueFailedError("candidate", error) from error
        seconds = perf_counter() - began
        try:
            state = await env.advance(state, output)
        except Exception as error:  # so may a simulator
            raise DialogueFailedError("simulator", error) from error
        yield Step(state.turns[-1], state, seconds)


async def _start(env: DialogueEnv, case: Case, seed: int) -> State:
    try:
        return await env.start(case, seed)
    except Exception as error:  # as above
        raise DialogueFailedError("simulator", error) from error


def restore(case: Case, seed: int, turns: tuple[Turn, ...], upcoming: Utterance) -> State:
    """The state after logged turns."""
    done, session = len(turns), 0
    while done >= sum(s.turns for s in case.sessions[: session + 1]):
        session += 1
    return State(case, seed, upcoming, session, turns)
