"""The judge ``panel``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from rlpa_bench.interfaces import Context, Judge, Part
from rlpa_bench.scoring import judge_subject
from rlpa_bench.types import JSON, TurnSubject, Verdict
from rlpa_bench_plugins.asking.options import AnswerOptions, LanguageOption
from rlpa_bench_plugins.judges.aloe_15 import AloeJudge
from rlpa_bench_plugins.judges.asked import AskedJudge
from rlpa_bench_plugins.judges.panel.families import family
from rlpa_bench_plugins.judges.rlpa_gate import GateJudge

MEMBERS: Mapping[str, type[AskedJudge]] = {judge.name: judge for judge in (GateJudge, AloeJudge)}


class PanelOptions(AnswerOptions, LanguageOption):
    """Options of the judge ``panel``; how its members sample is the same for all."""

    models: tuple[str, ...] = Field(description='The members, such as ["openai:A", "anthropic:B", "deepseek:C"].')
    judge: Literal["rlpa-gate", "aloe-15"] = Field("rlpa-gate", description="The rubric that every member uses.")
    families: dict[str, str] = Field({}, description="Family by member, where its name does not tell it.")

    @field_validator("models", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("models")
    @classmethod
    def _several(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) < 2 or len(set(value)) < len(value):
            raise ValueError("a panel needs at least two different models")
        return value


class PanelJudge(Judge):
    """Several models with one rubric: every member's verdict is kept, and their mean.

    Parts are the mean over all members, and ``PART@FAMILY/MODEL`` for each member. A judge does not know whose reply
    it reads, so the contestant's own family is left out later, by the metric ``panel``, which knows the candidate; the
    mean here leaves out nobody and serves as reward. It is an error while any member's verdict is missing.
    """

    name = "panel"
    Options = PanelOptions
    target = "turn"
    parts: ClassVar[Mapping[str, Part]] = {}

    def __init__(self, options: Any, context: Context, argument: str = "") -> None:
        super().__init__(options, context, argument)
        kind = MEMBERS[options.judge]
        shared = options.model_dump(include={*AnswerOptions.model_fields, *LanguageOption.model_fields})
        self.members = {spec: kind(kind.Options(**{**shared, "model": spec}), context) for spec in options.models}
        self.part = kind.alignment
        self.reward = (self.part,)  # type: ignore[misc]
        scale = kind.parts[self.part]
        mean = Part(scale.low, scale.high, f"mean of {len(self.members)} members: {scale.help}")
        self.parts = {self.part: mean} | {  # type: ignore[misc]
            member_part(self.part, spec, family(spec, options.families)): scale for spec in options.models
        }

    def describe(self) -> Mapping[str, JSON]:
        return {"version": "panel/1", "members": [dict(member.describe()) for member in self.members.values()]}

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        """The mean and every member's own verdict."""
        given = await asyncio.gather(*(judge_subject(member, subject) for member in self.members.values()))
        own = [verdicts[self.part] for verdicts in given]
        names = [name for name in self.parts if name != self.part]
        return {self.part: _mean(own)} | dict(zip(names, own, strict=True))


def member_part(part: str, spec: str, of_family: str) -> str:
    """Name of a member's part."""
    return f"{part}@{of_family}/{spec}"


def member_of(part: str) -> tuple[str, str, str] | None:
    """Part, family and model of a member's part; None for other parts."""
    name, at, rest = part.partition("@")
    if not at:
        return None
    of_family, _, spec = rest.partition("/")
    return name, of_family, spec


def _mean(verdicts: Sequence[Verdict]) -> Verdict:
    values = [verdict.value for verdict in verdicts if verdict.value is not None]
    missing = [verdict for verdict in verdicts if verdict.value is None]
    if missing:
        first = missing[0]
        return Verdict(None, first.status, f"{first.reason} ({len(missing)} of {len(verdicts)} members)")
    return Verdict(sum(values) / len(values), reason=f"{len(values)} members: {', '.join(f'{v:g}' for v in values)}")
