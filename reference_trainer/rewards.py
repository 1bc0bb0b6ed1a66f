"""The reward of a turn: the reward parts of the environment's own judges, added up (RLPA, section 3.3).

What the benchmark scores is what is rewarded: the judges come with the :class:`~rlpa_bench.DialogueEnv`, so that
``profile`` and ``rules`` give profile F1 plus gate, ``profile`` alone the profile-only ablation, and so on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import JudgeError, UsageError
from rlpa_bench.interfaces import Judge
from rlpa_bench.scoring import judge_subject, turn_subject
from rlpa_bench.types import Output, State, TurnSubject, Verdict


@dataclass(frozen=True, slots=True)
class Rewarded:
    """The reward of one output."""

    total: float
    parts: Mapping[str, float]
    """``judge.part`` -> its value; all 0 for an output that breaks the contract."""
    malformed: str
    """Why the contract is broken; empty if it is kept."""


class Rewards:
    """Scores outputs for training.

    An output that breaks the contract gets 0 without asking a judge, as in the released reward function. A verdict that
    is missing is asked for again, each time as a new draw, and then it is an error: never a reward of 0.

    Args:
        env: the environment with the judges whose ``reward`` parts are added up.
        retries: how often a missing verdict is asked for again.
        wait: seconds before the first retry; doubles each time.
        at_once: outputs being judged at a time.

    Raises:
        UsageError: if no judge of the environment has a reward part.
    """

    def __init__(self, env: DialogueEnv, *, retries: int = 4, wait: float = 1.0, at_once: int = 64) -> None:
        self.env = env
        self.judges = [judge for judge in env.judges if judge.target == "turn" and judge.reward]
        self.names = tuple(f"{judge.name}.{part}" for judge in self.judges for part in judge.reward)
        """The reward parts, in order; the same for every output."""
        if not self.names:
            given = ", ".join(judge.name for judge in env.judges) or "no judge"
            raise UsageError(f"nothing to reward: {given} gives no reward part; name a judge of turns that does")
        self._retries, self._wait = retries, wait
        self._gate = asyncio.Semaphore(at_once)

    async def score(self, state: State, output: Output | str) -> Rewarded:
        """The reward of one output to one state.

        Raises:
            JudgeError: if a verdict is still missing after all retries.
            UsageError: if a judge says that it cannot score this case at all.
        """
        turn = self.env.turn(state, output)
        if turn.malformed:
            return Rewarded(0.0, dict.fromkeys(self.names, 0.0), turn.malformed)
        subject = turn_subject(state.case, state.seed, state.turns, turn)
        async with self._gate:
            scored = (await self.env.score(state, [output]))[0]
            parts: dict[str, float] = {}
            for judge in self.judges:
                verdicts = await self._complete(judge, subject, scored.verdicts[judge.name])
                parts |= {f"{judge.name}.{part}": value for part, value in verdicts.items()}
        return Rewarded(sum(parts.values()), parts, "")

    async def _complete(self, judge: Judge, subject: TurnSubject, verdicts: Mapping[str, Verdict]) -> dict[str, float]:
        """The values of a judge's reward parts."""
        for attempt in range(self._retries + 1):
            values = {part: verdicts[part].value for part in judge.reward}
            known = {part: value for part, value in values.items() if value is not None}
            if len(known) == len(values):
                return known
            missing = next(part for part in values if part not in known)
            verdict = verdicts[missing]
            if verdict.status == "unscored":
                raise UsageError(
                    f"judge {judge.name!r} does not score {missing!r} of {subject.key} ({verdict.reason}); "
                    "an unscored turn has no reward: choose another judge or other users"
                )
            if attempt < self._retries:
                await asyncio.sleep(self._wait * 2**attempt)
                verdicts = await judge_subject(judge, replace(subject, key=f"{subject.key}#{attempt + 1}"))
        raise JudgeError(
            f"judge {judge.name!r} gave no {missing!r} for {subject.key} in {self._retries + 1} tries "
            f"({verdict.reason}); training stops, since a missing verdict is no reward of 0: mend it and resume"
        )
