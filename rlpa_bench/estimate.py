"""What a run will ask of its models: calls, tokens and price by role, before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rlpa_bench.build import Candidate, Harness
from rlpa_bench.calls import price
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.plan import Plan

CHARACTERS = 4
"""Characters of English text to a token, roughly."""
USER, REPLY, PROFILE = 30, 50, 60
"""Tokens of a user's utterance, a reply and an inferred profile, as dialogues of the bundled suites have them."""
INSTRUCTIONS = 800
"""Tokens of a simulator's or judge's own instructions and profile."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The calls of one model in one role."""

    role: str
    model: str
    calls: int
    prompt_tokens: int
    """Rough: by the length of the prompts and of an ordinary dialogue."""
    completion_tokens: int
    """Rough, for the same reason."""
    most_completion_tokens: int
    """If every answer is as long as ``max_tokens`` allows."""
    dollars: float | None
    """None is unpriced, not free."""
    most_dollars: float | None


def estimate(
    harness: Harness, env: DialogueEnv, candidates: Mapping[str, Candidate], plan: Plan, repeats: int
) -> list[Expected]:
    """The expected calls of a run by role and model; calls of judges are an upper bound where a reply is malformed."""
    out = []
    system = len(env.contract.system) // CHARACTERS
    turns = {name: [case.turns for case in plan.cases if plan.plays(name, case)] * plan.seeds for name in candidates}
    for name, candidate in candidates.items():
        if candidate.model:
            calls = sum(turns[name]) * candidate.baseline.calls_per_turn
            prompt = sum(system * t + _history(t) for t in turns[name]) * candidate.baseline.calls_per_turn
            out.append(_expected(harness, "candidate", candidate.model, calls, prompt, PROFILE + REPLY))
    lengths = [t for of in turns.values() for t in of]
    prompt = sum(INSTRUCTIONS * t + _history(t) for t in lengths)
    judged = sum((1 + judge.other_gold) * repeats for judge in env.judges if not judge.deterministic)
    for spec, role in harness.context.roles:
        if role == "simulator":
            out.append(_expected(harness, role, spec, sum(lengths), prompt, USER))
        elif role != "candidate":
            out.append(_expected(harness, role, spec, sum(lengths) * judged, prompt * judged, REPLY))
    return out


def _history(turns: int) -> int:
    """Tokens of history that all prompts of a dialogue carry together."""
    return sum(k * USER + (k - 1) * REPLY + (PROFILE if k > 1 else 0) for k in range(1, turns + 1))


def _expected(harness: Harness, role: str, spec: str, calls: int, prompt: int, answer: int) -> Expected:
    model = harness.context.endpoint(spec).model
    completion, most = calls * answer, calls * model.options.max_tokens
    return Expected(
        role, spec, calls, prompt, min(completion, most), most,
        price((prompt, min(completion, most)), model.prices), price((prompt, most), model.prices),
    )  # fmt: skip


def total(expected: Sequence[Expected]) -> float | None:
    """US dollars of all roles, or None if any of them is unpriced."""
    known = [part.dollars for part in expected if part.dollars is not None]
    return sum(known) if len(known) == len(expected) else None
