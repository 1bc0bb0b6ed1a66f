"""ALOE's judge: one integer from 1 to 5 for a reply, without the history (arXiv 2410.03642, released evaluation)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from rlpa_bench.interfaces import Part
from rlpa_bench.types import JSON, TurnSubject, Verdict
from rlpa_bench_plugins.asking.answers import Form
from rlpa_bench_plugins.asking.prompts import Prompt
from rlpa_bench_plugins.judges.asked import AskedJudge, failed, lines, scored


class Grade(Form):
    score: Annotated[int, Field(ge=1, le=5)]


class AloeJudge(AskedJudge):
    """ALOE's grade from 1 to 5 by a model: style, content and liveliness of the reply for this persona, no history.

    A reply is graded as the user would see it, whether or not it kept the output contract, since ALOE has none.
    """

    name = "aloe-15"
    version = "aloe-15/1"
    task = Prompt(__package__, "rubric.v1")
    target = "turn"
    reward = ("score",)
    alignment = "score"
    parts: ClassVar[Mapping[str, Part]] = {"score": Part(1, 5, help="grade of the reply for this persona, 1 to 5")}

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        """The grade; unscored where nothing is known of the persona."""
        persona: JSON = subject.text.splitlines() if subject.text else lines(subject.gold.items)
        if not persona:
            return self.all(Verdict(None, "unscored", "no persona to judge for"))
        data: dict[str, JSON] = {"persona": persona, "message": subject.user, "reply": subject.reply}
        answer = await self.ask(Grade, data, subject, answer='{"nonce": "$nonce", "score": 1, 2, 3, 4 or 5}')
        if answer.form is None:
            return self.all(failed(answer, raw=True))
        return self.all(scored(answer, float(answer.form.score), raw=True))
