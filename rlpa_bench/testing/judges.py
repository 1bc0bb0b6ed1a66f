"""Conformance of judges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, cast

from rlpa_bench.interfaces import Judge
from rlpa_bench.testing.common import COMMON, bounded, deterministic
from rlpa_bench.testing.probe import Answer, Bench, Performance, Probe, first
from rlpa_bench.testing.report import Fault, Skipped
from rlpa_bench.testing.scenes import dialogue_subjects, turn_subjects
from rlpa_bench.types import PairSubject, Verdict

GARBAGE = "", "I would rather talk about the weather."
"""What a judge's model may say instead of a verdict."""


async def perform(bench: Bench, backward: bool) -> None:
    """Every subject of the judge's target."""
    judge: Any = bench.component
    subjects: list[Any] = list(await (dialogue_subjects() if judge.target == "dialogue" else turn_subjects()))
    if judge.target == "pair":
        subjects = [PairSubject(f"{a.key}+{b.key}", a, b) for a, b in pairwise(subjects)]
    for subject in reversed(subjects) if backward else subjects:
        await bench.ask(f"verdict on {subject.key}", judge.judge, subject)


def _judge(probe: Probe) -> type[Judge]:
    return cast("type[Judge]", probe.component)


def parts(probe: Probe) -> None:
    """Target, parts and their scales, reward and alignment are declared and fit each other."""
    judge = _judge(probe)
    if judge.target not in ("turn", "dialogue", "pair"):
        raise Fault(f"target is {judge.target!r}; write turn, dialogue or pair")
    if not getattr(judge, "parts", None):
        raise Fault("declares no parts")
    for name, part in judge.parts.items():
        if not (math.isfinite(part.low) and math.isfinite(part.high) and part.low < part.high):
            raise Fault(f"part {name!r} has the scale [{part.low}, {part.high}]; low must be below high")
    first([f"{name!r} is rewarded but is no part" for name in judge.reward if name not in judge.parts])
    if judge.alignment and judge.alignment not in judge.parts:
        raise Fault(f"alignment names {judge.alignment!r}, which is no part")


def scales(probe: Probe) -> None:
    """Every part gets a verdict, within its scale; binary parts get one of its ends."""
    scored = 0
    for answer, name, verdict in _verdicts(probe, probe.performance()):
        if verdict is None:
            raise Fault(f"{answer.what} lacks part {name!r}; give a Verdict for each, unscored where there is none")
        if verdict.value is not None:
            scored += 1
            part = _judge(probe).parts[name]
            if not part.low <= verdict.value <= part.high:
                raise Fault(f"{answer.what}: {name} is {verdict.value!r}, outside [{part.low:g}, {part.high:g}]")
            if part.binary and verdict.value not in (part.low, part.high):
                raise Fault(f"{answer.what}: {name} is {verdict.value!r}, but the part is declared binary")
    if not scored:
        raise Fault("no part is ever scored; if it reads what a model says, pass says=… with words it can read")


def _verdicts(probe: Probe, done: Performance) -> Iterator[tuple[Answer, str, Verdict | None]]:
    for answer in done.answers:
        if answer.error:
            continue
        if not isinstance(answer.raw, Mapping):
            raise Fault(f"{answer.what} is a {type(answer.raw).__name__}, not a dict of verdicts by part")
        for name in _judge(probe).parts:
            verdict = answer.raw.get(name)
            yield answer, name, verdict if isinstance(verdict, Verdict) else None
        first([f"{answer.what} names {name!r}, which is no declared part" for name in answer.raw
               if name not in _judge(probe).parts])  # fmt: skip


def promised(probe: Probe) -> None:
    """A judge that says ``deterministic`` is."""
    if not _judge(probe).deterministic:
        raise Skipped("it does not promise to be")
    deterministic(probe)


def no_default(probe: Probe) -> None:
    """When its model fails or says no verdict, there is no number."""
    if not probe.asked_a_model():
        raise Skipped("it asks no model")
    for mode, when in {"fails": "fails", **{text: f"says {text!r}" for text in GARBAGE}}.items():
        for answer, name, verdict in _verdicts(probe, probe.performance(mode)):
            if answer.calls and verdict is not None and verdict.value is not None:
                raise Fault(f"{answer.what}: {name} is {verdict.value:g} although its model {when}; raise JudgeError")


CHECKS = {
    **COMMON,
    "parts": parts,
    "scales": scales,
    "deterministic": promised,
    "no default score": no_default,
    "bounded": bounded,
}
