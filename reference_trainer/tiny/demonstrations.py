"""Dialogues of the training pool with two teachers who know the disclosure ledger: `scribe` and `asker`.

Two of three dialogues are the scribe's, who states what was told and asks nothing, the third is the asker's, who also
asks. So what a model imitates is mediocre on purpose: it leaves reinforcement learning something to find.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reference_trainer.folder import TRAINED_ON
from reference_trainer.tiny.cues import Half, halved
from rlpa_bench.build import Harness
from rlpa_bench.contract import Contract
from rlpa_bench.manifest import described_as
from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.transcripts import dumps, replacing
from rlpa_bench.types import Case, Item, Message

SUITE = "training-full"
TEACHERS = ("scribe", "asker", "scribe")


@dataclass(frozen=True, slots=True)
class Sample:
    """One turn to imitate."""

    messages: tuple[Message, ...]
    completion: str
    case: str
    turn: int


def harness(suite: str, half: Half | None, options: dict[str, object] | None = None) -> Harness:
    """The parts of rlpa-bench on a suite, with one half of the cue words or with all of them."""
    built = Harness(suite, options={"suites": {"*": options or {}}})
    if half:
        built.context.ontology = halved(built.context.ontology, half)
    return built


def named(items: tuple[Item, ...], ontology: Ontology) -> tuple[Item, ...]:
    """Items under the ontology's names in place of each persona's own wording; ages keep their number."""
    known = ontology.values
    return tuple(
        replace(item, value=known[item.id].label) if item.id in known and item.slot != "Age" else item for item in items
    )


async def demonstrate(per_profile: int, seed: int, turns: int = 10) -> list[Sample]:
    """Every turn of every dialogue, ``per_profile`` personalities a profile; the teachers take turns."""
    built = harness(SUITE, "training", {"per_profile": per_profile, "turns": turns})
    env = built.environment("agenda")
    teachers = [built.candidate(name).baseline for name in TEACHERS]
    samples = []
    for i, case in enumerate(built.cases()):
        teacher = teachers[i % len(teachers)]
        state = await env.start(case, seed)
        while not state.ended:
            view = env.view(state, teacher.grants)
            output = await teacher.respond(view)
            reply = Contract.parse(output.raw).response
            text = Contract.write(Contract.lines(named(view.disclosed or (), built.context.ontology)), reply)
            samples.append(Sample(view.messages, text, case.id, state.turn))
            state = await env.advance(state, replace(output, raw=text))
    return samples


def draw(samples: Sequence[Sample], rows: int | None, seed: int) -> list[Sample]:
    """So many of the samples, in an order drawn from the seed; or all, in their own."""
    return list(samples) if rows is None else Draws("demonstrations", seed).shuffled(samples)[:rows]


def met(built: Harness, cases: Sequence[Case]) -> dict[str, Any]:
    """What whoever learns from dialogues with these users has seen, for ``trained_on.json``."""
    return {
        "suite": SUITE,
        "protocol": built.context.protocol,
        "profiles": sorted({case.cluster for case in cases}),
        "users": len(cases),
        "templates": sorted({case.templates for case in cases}),
        "simulator": {"name": "agenda", **described_as("simulators/agenda", built.simulator("agenda"))},
    }


def export(folder: Path, rows: int, turns: int, seed: int) -> int:
    """Writes ``sft.jsonl`` for the recipe ``sft``, and ``trained_on.json``: single turns drawn from one dialogue per
    profile of the pool.

    Args:
        rows: turns at most.
        turns: only the first so many of each dialogue; later ones have longer histories.

    Returns:
        The number of rows.
    """
    early = [sample for sample in asyncio.run(demonstrate(1, seed)) if sample.turn <= turns]
    drawn = draw(early, rows, seed)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "sft.jsonl") as file:
        for sample in drawn:
            chat = (*sample.messages, Message("assistant", sample.completion))
            file.write(dumps({"messages": [{"role": m.role, "content": m.content} for m in chat]}))
    built = harness(SUITE, "training", {"per_profile": 1})
    played = {sample.case for sample in drawn}
    known = met(built, [case for case in built.cases() if case.id in played])
    with replacing(folder / TRAINED_ON) as file:
        file.write(dumps(known | {"cues": "one half of each value's"}))
    return len(drawn)
