"""Reads what the engine says, line by line: progress, and reasons to stop.

OpenRLHF reports each step as one line with a dictionary. A loss that is no number, a policy whose outputs consist of
ever the same tokens, or one that has forgotten the contract will not recover: the run stops, its last checkpoint stays.
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from reference_trainer.recipe import Guards
from rlpa_bench.errors import RlpaBenchError

_STEP = re.compile(r"Global step (\d+): (\{.*\})")
_EVALUATED = re.compile(r"global_step (\d+), eval_metrics: (\{.*\})")
_NUMBER = re.compile(r"(?<![\w'\"])(nan|inf)(?![\w'\"])")
_OURS = re.compile(
    r"(?:rlpa_bench\.errors\.)?(?:Usage|Judge|Simulator|Provider|RunDirectory|Boundary|Data|Plugin)Error: (.+)"
)
_MEMORY = re.compile(r"OutOfMemoryError|CUDA out of memory")
_ENGINE = re.compile(r"^(?:\(.*?\)\s*)?(?:[\w.]+\.)?([A-Z]\w*(?:Error|Exception)): (.+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class StoppedError(RlpaBenchError):
    """Training stopped; what was saved before stays and can be resumed."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One finished training step."""

    number: int
    values: Mapping[str, float]

    def __str__(self) -> str:
        shown = {
            "reward": "reward",
            "profile.f1": "profile.f1",
            "malformed": "malformed",
            "kl": "kl",
            "policy_loss": "policy loss",
            "critic_loss": "critic loss",
        }
        known = [f"{word} {self.values[name]:.3g}" for name, word in shown.items() if name in self.values]
        return ", ".join([f"step {self.number}", *known])


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation on users set apart: a curve to watch, no result."""

    number: int
    reward: float
    """Mean over dialogues of the mean reward of a turn."""

    def __str__(self) -> str:
        return f"users set apart after step {self.number}: reward {self.reward:.3g}"


@dataclass
class Monitor:
    """Follows one run of the engine."""

    guards: Guards
    steps: int = 0
    """Steps seen finished."""
    cause: str = ""
    """The last error the engine named, in one line."""
    _beyond: Counter[str] = field(default_factory=Counter)

    def read(self, line: str) -> Step | Evaluated | None:
        """The step or the evaluation that a line reports, if it does.

        Raises:
            StoppedError: if the step is beyond a guard.
        """
        line = _COLOUR.sub("", line).rstrip()
        if found := _EVALUATED.search(line):
            return Evaluated(int(found[1]), _values(found[2]).get("eval_dev_pass1", math.nan))
        if not (found := _STEP.search(line)):
            self._note(line)
            return None
        step = Step(int(found[1]), _values(found[2]))
        self.steps = step.number
        self._check(step)
        return step

    def _check(self, step: Step) -> None:
        for name, value in step.values.items():
            if not math.isfinite(value):
                raise StoppedError(
                    f"{name} is {value} in step {step.number}; stopped, since no later step can mend it: resume from "
                    "the last checkpoint with a lower optimiser.actor_lr or a higher optimiser.kl"
                )
        distinct, malformed = step.values.get("distinct_tokens", 1.0), step.values.get("malformed", 0.0)
        self._limit(
            step, "distinct", distinct < self.guards.distinct,
            f"only {distinct:.1%} of an output's tokens are distinct (guards.distinct {self.guards.distinct:.1%}): the "
            "policy repeats itself",
        )  # fmt: skip
        self._limit(
            step, "malformed", malformed > self.guards.malformed,
            f"{malformed:.1%} of the outputs break the contract (guards.malformed {self.guards.malformed:.1%})",
        )  # fmt: skip

    def _limit(self, step: Step, guard: str, beyond: bool, what: str) -> None:
        self._beyond[guard] = self._beyond[guard] + 1 if beyond else 0
        if self._beyond[guard] >= self.guards.patience:
            raise StoppedError(
                f"{what} in {self.guards.patience} steps in a row, up to step {step.number}; stopped, the last "
                "checkpoint stays"
            )

    def _note(self, line: str) -> None:
        if found := _OURS.search(line):
            self.cause = found[1]
        elif _MEMORY.search(line):
            self.cause = (
                "a GPU ran out of memory; lower hardware.vllm_memory, optimiser.micro_batch or rollout.micro_batch"
            )
        elif not self.cause and (found := _ENGINE.search(line)):
            self.cause = f"{found[1]}: {found[2]}"


def _values(text: str) -> dict[str, float]:
    """The numbers of a step's dictionary; a value that is no number of Python's syntax is nan or inf."""
    given = ast.literal_eval(_NUMBER.sub(lambda word: repr(f"{word[1]}"), text))
    values = {}
    for name, value in given.items():
        if isinstance(value, str) and value in ("nan", "inf"):
            value = float(value)
        if isinstance(value, int | float):
            values[name] = float(value)
    return values
