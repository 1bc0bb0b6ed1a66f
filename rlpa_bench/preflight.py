"""Before the first turn: does every role's model answer, and does every judge see through nonsense?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from rlpa_bench.build import Harness
from rlpa_bench.calls import Handle
from rlpa_bench.contract import Contract
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import Judge
from rlpa_bench.scoring import judge_subject, turn_subject
from rlpa_bench.types import Case, Message, Output, Turn, Utterance

HELLO = (Message("user", "Say hello in one word."),)
TOKENS = 16
BAD = "asdf qwerty zxcv, 0 0 0 0 buy now buy now"
"""A reply that no judge of dialogue should hold for a good one."""


async def preflight(harness: Harness, env: DialogueEnv, cases: Iterable[Case]) -> dict[str, Any]:
    """One small call per role and one judgement with a known answer per judge of turns.

    Returns ``notes``, what is odd but may pass: an endpoint that is busy just now, a judge that fails or praises
    nonsense; and ``calls``, what this took, which is not counted among the run's own calls.

    Raises:
        UsageError: when nobody is there or the call is refused for good, before anything is spent.
    """
    notes = [note for note in await _rehearse(harness, env, cases) if note]
    return {"notes": notes, "calls": harness.context.counters.take_back()}


async def _rehearse(harness: Harness, env: DialogueEnv, cases: Iterable[Case]) -> list[str]:
    asked = [
        (spec, role) for spec, role in harness.context.roles if harness.context.endpoints[spec].model.cacheable
    ]  # what costs nothing to ask again needs no rehearsal
    notes = await asyncio.gather(*(_answers(harness, spec, role) for spec, role in asked))
    case = next((case for case in cases if case.gold), None)
    if case is not None:
        notes += await asyncio.gather(*(_tells(judge, case) for judge in env.judges if judge.target == "turn"))
    return notes


async def _answers(harness: Harness, spec: str, role: str) -> str:
    context = harness.context
    once = replace(context.endpoints[spec], max_retries=min(1, context.endpoints[spec].max_retries))
    handle = Handle(once, role, context.counters, None, context.protocol)
    try:
        await handle.generate(HELLO, key=f"preflight/{role}", max_tokens=TOKENS)
    except ProviderError as error:
        if error.retryable and error.reason != "unreachable":
            return f"before the run the {role}'s model {spec} did not answer: {error}"
        raise UsageError(f"the {role}'s model {spec} does not answer: {error}; nothing was started") from None
    return ""


async def _tells(judge: Judge, case: Case) -> str:
    raw = Contract.write("", BAD)
    turn = Turn(1, 0, Utterance(case.sessions[0].opening or "Hello"), Output(raw), (), BAD)
    verdicts = await judge_subject(judge, turn_subject(case, 0, (), turn))
    for part, verdict in verdicts.items():
        if verdict.status == "error":
            return f"judge {judge.name!r} gave no verdict on {part!r} of a test reply: {verdict.reason}"
    if judge.alignment:
        value, best = verdicts[judge.alignment].value, judge.parts[judge.alignment].high
        if value is not None and value >= best:
            return f"judge {judge.name!r} gives the full {judge.alignment} {value:g} to the nonsense {BAD!r}"
    return ""
