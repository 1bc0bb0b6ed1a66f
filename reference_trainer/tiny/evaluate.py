"""Plays a model on held-out users and writes down what each dialogue was worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from reference_trainer.causal import write
from reference_trainer.rendering import chat_ids
from reference_trainer.tiny.demonstrations import harness
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import JudgeError
from rlpa_bench.interfaces import Judge
from rlpa_bench.scoring import judge_subject, turn_subject
from rlpa_bench.types import Case, Output, State, Verdict

SUITE = "aloe-unseen"
FIGURES = ("reward", "f1", "gate", "gate_board", "recall_disclosed", "malformed")
"""Of a turn. ``gate`` is the rule judge's with the held-out cues, ``gate_board`` with all; reward = f1 + gate."""


@dataclass(frozen=True, slots=True)
class Referee:
    """The environment of held-out users and the judges of an evaluation."""

    cases: Sequence[Case]
    env: DialogueEnv
    held_out: Judge
    """Knows only cue words that were neither demonstrated nor rewarded."""
    board: Judge
    profile: Judge

    @classmethod
    def of(cls, profiles: int, turns: int) -> Referee:
        """So many held-out profiles, each once, with the wording of evaluation users."""
        whole, half = harness(SUITE, None, {"turns": turns}), harness(SUITE, "held-out")
        board, profile = whole.judges(["rules", "profile"])
        held_out = half.judges(["rules"])[0]
        return cls(whole.cases(profiles), whole.environment("agenda"), held_out, board, profile)

    async def figures(self, state: State, output: Output) -> dict[str, float | None]:
        """What one output is worth. Raises JudgeError if a verdict is missing that enters the reward."""
        turn = self.env.turn(state, output)
        subject = turn_subject(state.case, state.seed, state.turns, turn)
        profile, gate, board = [await judge_subject(j, subject) for j in (self.profile, self.held_out, self.board)]
        f1, passes = _value(profile["f1"]), _value(gate["gate"])
        return {
            "reward": f1 + passes,
            "f1": f1,
            "gate": passes,
            "gate_board": _value(board["gate"]),
            "recall_disclosed": profile["recall_disclosed"].value,
            "malformed": float(bool(turn.malformed)),
        }


def _value(verdict: Verdict) -> float:
    if verdict.value is None:
        raise JudgeError(f"a verdict is missing ({verdict.reason}); an evaluation needs them all")
    return verdict.value


async def evaluate(
    model: Any,
    tokenizer: Any,
    referee: Referee,
    seed: int,
    *,
    temperature: float,
    max_tokens: int,
    bf16: bool = False,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Plays every case once, without choosing among samples.

    Returns:
        One line per dialogue (means over its turns, and ``elicited``, the share of the facts told by its end) and one
        per turn (means over dialogues).
    """
    end = tokenizer.eos_token_id
    draws = torch.Generator().manual_seed(seed)
    states = [await referee.env.start(case, seed) for case in referee.cases]
    played: list[list[dict[str, float | None]]] = [[] for _ in states]
    while live := [i for i, state in enumerate(states) if not state.ended]:
        prompts = [chat_ids(tokenizer, referee.env.view(states[i]).messages) for i in live]
        texts = write(model, prompts, draws, end=end, max_tokens=max_tokens, temperature=temperature, bf16=bf16)
        for i, ids in zip(live, texts, strict=True):
            finish = "stop" if ids[-1] == end else "length"
            output = Output(tokenizer.decode(ids, skip_special_tokens=True), finish=finish)
            played[i].append(await referee.figures(states[i], output))
            states[i] = await referee.env.advance(states[i], output)
    dialogues = [
        {
            "case": state.case.id,
            "cluster": state.case.cluster,
            "turns": len(turns),
            **_means(turns),
            "elicited": _elicited(state),
        }
        for state, turns in zip(states, played, strict=True)
    ]
    longest = max(map(len, played))
    curve = [{"turn": k + 1, **_means([turns[k] for turns in played if len(turns) > k])} for k in range(longest)]
    return dialogues, curve


def _elicited(state: State) -> float | None:
    facts = state.case.gold.at(0, len(state.turns)).facts if state.case.gold else ()
    told = state.disclosed
    return None if told is None or not facts else len(set(told) & {fact.key for fact in facts}) / len(facts)


def _means(turns: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    means: dict[str, float | None] = {}
    for name in FIGURES:
        known = [value for turn in turns if (value := turn[name]) is not None]
        means[name] = round(sum(known) / len(known), 6) if known else None
    return means
