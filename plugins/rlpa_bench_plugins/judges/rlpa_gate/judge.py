"""Five binary criteria (RLPA, arXiv 2505.15456, section 3.3), asked for one by one and multiplied in code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from rlpa_bench.interfaces import Part
from rlpa_bench.types import JSON, TurnSubject, Verdict
from rlpa_bench_plugins.asking.answers import Form
from rlpa_bench_plugins.asking.prompts import Prompt
from rlpa_bench_plugins.judges.asked import AskedJudge, AskedOptions, failed, lines, scored, talk

CRITERIA = ("naturalness", "relevance", "logic", "engagement", "informativeness")

Bit = Annotated[int, Field(ge=0, le=1)]


class Finding(BaseModel):
    """One criterion: the reason comes first, so that the verdict follows from it."""

    model_config = ConfigDict(extra="ignore", frozen=True, json_schema_extra={"additionalProperties": False})

    reason: str = Field(json_schema_extra={"maxLength": 200})
    verdict: Bit


class Reasoned(Form):
    naturalness: Finding
    relevance: Finding
    logic: Finding
    engagement: Finding
    informativeness: Finding


class Plain(Form):
    naturalness: Bit
    relevance: Bit
    logic: Bit
    engagement: Bit
    informativeness: Bit


_REASONED = ", ".join(f'"{name}": {{"reason": "...", "verdict": 0 or 1}}' for name in CRITERIA)
_PLAIN = ", ".join(f'"{name}": 0 or 1' for name in CRITERIA)


class GateOptions(AskedOptions):
    """Options of the gate judges."""

    reasons: bool = Field(True, description="Ask for a reason before each verdict; without, answers are short.")


class GateJudge(AskedJudge):
    """RLPA's five criteria by a model, against the golden profile and what was disclosed; the gate is their product."""

    name = "rlpa-gate"
    version = "rlpa-gate/1"
    Options = GateOptions
    task = Prompt(__package__, "rubric.v1")
    target = "turn"
    reward = ("gate",)
    alignment = "gate"
    parts: ClassVar[Mapping[str, Part]] = {
        "naturalness": Part(help="reads like a person in a chat", binary=True),
        "relevance": Part(help="fits this user's interests and needs", binary=True),
        "logic": Part(help="consistent with the talk and the user's facts", binary=True),
        "engagement": Part(help="makes this user want to go on", binary=True),
        "informativeness": Part(help="brings something of its own", binary=True),
        "gate": Part(help="product of the five, as a model judges them", binary=True),
    }

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        """Verdicts of all six parts. A reply that breaks the contract fails them all and costs no call, as in RLPA."""
        if missing := self._missing(subject):
            return self.all(Verdict(None, "unscored", missing))
        if subject.malformed:
            return self.all(Verdict(0.0, reason=f"malformed: {subject.malformed}"))
        reasons = self.options.reasons
        form: type[Any] = Reasoned if reasons else Plain
        shape = f'{{"nonce": "$nonce", {_REASONED if reasons else _PLAIN}}}'
        answer = await self.ask(form, self._data(subject), subject, answer=shape)
        if answer.form is None:
            return self.all(failed(answer)) | {"gate": failed(answer, raw=True)}
        found = {name: _finding(getattr(answer.form, name)) for name in CRITERIA}
        wanting = [name for name, (met, _) in found.items() if not met]
        why = f"fails {', '.join(wanting)}" if wanting else "all five met"
        verdicts = {name: scored(answer, met, reason) for name, (met, reason) in found.items()}
        return verdicts | {"gate": scored(answer, float(not wanting), why, raw=True)}

    def _missing(self, subject: TurnSubject) -> str:
        return "" if subject.gold.items else "no golden profile"

    def _data(self, subject: TurnSubject) -> dict[str, JSON]:
        told = subject.disclosed
        data: dict[str, JSON] = {
            "profile": lines(subject.gold.items),
            "disclosed": "not known" if told is None else lines(told),
        }
        if subject.superseded:
            data["no_longer_true"] = lines(subject.superseded)
        return data | talk(subject)


class GateInferredJudge(GateJudge):
    """The gate against the candidate's own inferred profile, as RLPA's training rewarded it; never a headline."""

    name = "rlpa-gate-inferred"
    version = "rlpa-gate-inferred/1"
    task = Prompt(__package__, "rubric-inferred.v1")
    alignment = ""

    def _missing(self, subject: TurnSubject) -> str:
        return ""

    def _data(self, subject: TurnSubject) -> dict[str, JSON]:
        return {"profile": lines(subject.inferred), **talk(subject)}


def _finding(value: Finding | int) -> tuple[float, str]:
    return (float(value.verdict), value.reason) if isinstance(value, Finding) else (float(value), "")
