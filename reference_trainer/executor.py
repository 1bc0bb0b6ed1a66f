"""Plays tickets for OpenRLHF: the logic of the agent executor, without importing the engine.

OpenRLHF hands every row of its data set to ``execute``, as often as a turn has samples, and wants token ids, the range
the policy wrote and one reward. A row is a *ticket*: it names no prompt. The executor takes the turn that waits in the
dialogue store, renders it as the benchmark does, lets the policy write once, has it judged and hands it in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol

from reference_trainer.rendering import between, encoded, prompt, rendered
from reference_trainer.rewards import Rewarded, Rewards
from reference_trainer.store import Candidate, Job
from reference_trainer.users import Users
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.types import Case, Output, State

Sample = dict[str, Any]
"""What OpenRLHF 0.11.2 wants back: ``SamplesGenerator._process_response_into_experience`` reads it."""


class Store(Protocol):
    """A dialogue store, here or in another process."""

    async def take(self, ticket: int) -> Job: ...

    async def push(self, job: Job, candidate: Candidate) -> None: ...


@dataclass(frozen=True, slots=True)
class Written:
    """What the policy wrote for one prompt."""

    prompt: list[int]
    tokens: list[int]
    output: Output
    logprobs: list[float] | None
    dropped: int = 0
    """Past exchanges that left the prompt, to fit."""

    @property
    def distinct(self) -> float:
        """Share of distinct tokens; near 0 for text that repeats itself for ever."""
        return len(set(self.tokens)) / max(1, len(self.tokens))


@dataclass(frozen=True)
class Limits:
    """Token limits of one output and of prompt and output together."""

    output: int
    total: int


class Policy:
    """An OpenRLHF engine and tokenizer, as something that answers messages."""

    def __init__(self, engine: Any, tokenizer: Any, sampling: Any, limits: Limits) -> None:
        self.tokenizer = tokenizer
        self._engine, self._sampling, self._limits = engine, sampling, limits

    async def answer(self, ids: list[int], most: int, dropped: int = 0) -> Written:
        """One sample of at most ``most`` tokens. The engine's parameters are copied: samples of a ticket share them."""
        sampling = deepcopy(self._sampling)
        sampling.max_tokens = most
        request = await self._engine.generate(ids, sampling)
        written = request.outputs[0]
        tokens = [int(token) for token in written.token_ids]
        # the text is decoded from the ids: the engine's own leaves out the end token but keeps other special ones
        raw = self.tokenizer.decode(tokens, skip_special_tokens=True)
        finish = "length" if written.finish_reason == "length" else "stop"
        logprobs = None
        if sampling.logprobs is not None:
            logprobs = [float(at[token].logprob) for token, at in zip(tokens, written.logprobs, strict=True)]
        return Written(ids, tokens, Output(raw, finish=finish), logprobs, dropped)

    async def reply(self, env: DialogueEnv, state: State) -> Written:
        """The policy's output to a state, which it sees exactly as in a run of the benchmark."""
        limits = self._limits
        ids, dropped = prompt(self.tokenizer, env.view(state).messages, limits.total - limits.output)
        return await self.answer(ids, limits.output, dropped)


def sample(prompt: str, label: str, written: Written, reward: float, logs: Mapping[str, float]) -> Sample:
    """One turn as OpenRLHF wants it: the reward lands on the last token that the policy wrote."""
    start = len(written.prompt)
    logprobs = None if written.logprobs is None else [0.0] * start + written.logprobs
    return {
        "prompt": prompt,
        "label": label,
        "images": None,
        "mm_train_inputs": None,
        "observation_tokens": written.prompt + written.tokens,
        "action_ranges": [(start, start + len(written.tokens))],
        "rollout_log_probs": logprobs,
        "reward": reward,
        "scores": reward,
        "truncated": written.output.finish == "length",
        "extra_logs": dict(logs),
    }


def logs(rewarded: Sequence[Rewarded], written: Sequence[Written], turn: float) -> dict[str, float]:
    """What is logged of a sample: means over its turns, with the same keys for every sample of a batch."""
    n = len(rewarded)
    parts = {part: sum(each.parts[part] for each in rewarded) / n for part in rewarded[0].parts}
    return parts | {
        "malformed": sum(bool(each.malformed) for each in rewarded) / n,
        "distinct_tokens": sum(each.distinct for each in written) / n,
        "exchanges_dropped": sum(each.dropped for each in written) / n,
        "turn": turn,
    }


@dataclass(frozen=True)
class Dev:
    """Evaluation while training goes on: users set apart, judges of its own."""

    cases: Sequence[Case]
    users: Users
    rewards: Rewards

    async def play(self, number: int, policy: Policy, prompt: str, label: str) -> Sample:
        """One whole dialogue without best-of-N; its reward is the mean over turns."""
        state = await self.users.start(self.cases[number], 0)
        rewarded, written = [], []
        while not state.ended:
            written.append(await policy.reply(self.users.env, state))
            rewarded.append(await self.rewards.score(state, written[-1].output))
            state = await self.users.advance(state, written[-1].output)
        mean = sum(each.total for each in rewarded) / len(rewarded)
        return sample(prompt, label, written[-1], mean, logs(rewarded, written, len(rewarded)))


class TurnPlayer:
    """Credit by turn, as in the released code: each turn is a sample, the best of a ticket's samples continues."""

    def __init__(self, store: Store, rewards: Rewards, dev: Dev | None) -> None:
        self._store, self._rewards, self._dev = store, rewards, dev

    async def execute(self, prompt: str, label: str, policy: Policy) -> Sample:
        """Plays one sample of the ticket that ``label`` names.

        Raises:
            RlpaBenchError: when user or judge cannot be had, or the ticket was played already; the run then stops.
        """
        row = json.loads(label)
        if row["split"] == "dev":
            assert self._dev is not None
            return await self._dev.play(row["ticket"], policy, prompt, label)
        job = await self._store.take(row["ticket"])
        written = await policy.reply(self._rewards.env, job.state)
        rewarded = await self._rewards.score(job.state, written.output)
        await self._store.push(job, Candidate(written.output, rewarded.total))
        return sample(prompt, label, written, rewarded.total, logs([rewarded], [written], job.state.turn))


class TrajectoryPlayer:
    """Credit by trajectory, a deviation from the released code: a dialogue is one sample, its reward the mean of its
    turns' rewards, its history append-only (every profile block stays), and nothing is selected."""

    def __init__(self, cases: Sequence[Case], users: Users, rewards: Rewards, dev: Dev | None, limits: Limits) -> None:
        self._cases, self._users, self._rewards, self._dev, self._limits = cases, users, rewards, dev, limits

    async def execute(self, prompt: str, label: str, policy: Policy) -> Sample:
        """Plays one whole dialogue with the user whom the ticket names.

        Raises:
            RlpaBenchError: when user or judge cannot be had; the run then stops.
        """
        row = json.loads(label)
        if row["split"] == "dev":
            assert self._dev is not None
            return await self._dev.play(row["ticket"], policy, prompt, label)
        episode, number = divmod(row["ticket"], len(self._cases))
        state = await self._users.start(self._cases[number], episode)
        env, tokenizer = self._users.env, policy.tokenizer
        ids = encoded(tokenizer, rendered(tokenizer, env.view(state).messages))
        spans: list[tuple[int, int]] = []
        logprobs: list[float] = [0.0] * len(ids)
        rewarded, written = [], []
        while True:
            most = min(self._limits.output, self._limits.total - len(ids))
            turn = await policy.answer(ids, most)
            rewarded.append(await self._rewards.score(state, turn.output))
            written.append(turn)
            spans.append((len(ids), len(ids) + len(turn.tokens)))
            ids = ids + turn.tokens
            logprobs += turn.logprobs or []
            state = await self._users.advance(state, turn.output)
            if state.ended:
                break
            ended = bool(turn.tokens) and turn.tokens[-1] == tokenizer.eos_token_id
            said = between(tokenizer, state.user.text, ended=ended)
            if len(ids) + len(said) >= self._limits.total:
                break  # no room for another turn: it counts as not having been played, like a user who leaves
            ids = ids + said
            logprobs += [0.0] * len(said)
        mean = sum(each.total for each in rewarded) / self._cases[number].turns
        whole = sample(prompt, label, written[-1], mean, logs(rewarded, written, len(rewarded)))
        known = written[-1].logprobs is not None
        return whole | {
            "observation_tokens": ids[: spans[-1][1]],
            "action_ranges": spans,
            "rollout_log_probs": logprobs[: spans[-1][1]] if known else None,
        }
