"""The judge: five binary criteria, their product, and style."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rlpa_bench.interfaces import Context, Judge, Part
from rlpa_bench.options import Options
from rlpa_bench.types import JSON, TurnSubject, Verdict

from .claims import Claims
from .engaging import engaging
from .informative import informative
from .logical import logical
from .natural import natural
from .relevant import relevant
from .scene import Scene
from .style import style
from .topics import Topics
from .words import digest

VERSION = "rules/1"
CRITERIA = ("naturalness", "relevance", "logic", "engagement", "informativeness")


class RulesOptions(Options):
    """The rules have nothing to set: a rubric with options would be several rubrics."""


class RulesJudge(Judge):
    """Five binary criteria (RLPA, section 3.3) by fixed rules, offline; not human-calibrated."""

    name = "rules"
    Options = RulesOptions
    target = "turn"
    deterministic = True
    other_gold = True
    reward = ("gate",)
    alignment = "gate"
    parts: ClassVar[Mapping[str, Part]] = {
        "naturalness": Part(help="plain sentences a person would write", binary=True),
        "relevance": Part(help="takes up what was said and draws on what is known", binary=True),
        "logic": Part(help="no contradiction, nothing claimed that was never told", binary=True),
        "engagement": Part(help="invites going on in a way that fits", binary=True),
        "informativeness": Part(help="adds something of its own about the topic", binary=True),
        "gate": Part(help="product of the five", binary=True),
        "style": Part(help="fit of the reply to the personality; outside the gate"),
    }

    def __init__(self, options: Any, context: Context, argument: str = "") -> None:
        super().__init__(options, context, argument)
        self._topics = Topics(context.ontology)
        self._claims = Claims(context.ontology)

    def describe(self) -> Mapping[str, JSON]:
        return {"version": VERSION, "lists": digest(), "ontology": self.context.ontology.digest}

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        """Verdicts of all seven parts; unscored for other languages than English."""
        if subject.language != "en":
            reason = f"the rules read English only, not {subject.language!r}"
            return dict.fromkeys(self.parts, Verdict(None, "unscored", reason))
        if subject.malformed:
            failed = Verdict(0.0, reason=f"malformed: {subject.malformed}")
            unscored = Verdict(None, "unscored", f"malformed: {subject.malformed}")
            return dict.fromkeys((*CRITERIA, "gate"), failed) | {"style": unscored}
        scene = Scene.of(subject, self._topics)
        findings = {
            "naturalness": natural(scene),
            "relevance": relevant(scene),
            "logic": logical(scene, self._claims),
            "engagement": engaging(scene),
            "informativeness": informative(scene),
        }
        verdicts = {part: Verdict(float(met), reason=reason) for part, (met, reason) in findings.items()}
        failed_parts = [part for part, (met, _) in findings.items() if not met]
        why = f"fails {', '.join(failed_parts)}" if failed_parts else "all five met"
        gate = Verdict(float(not failed_parts), reason=why)
        return {**verdicts, "gate": gate, "style": style(scene)}
