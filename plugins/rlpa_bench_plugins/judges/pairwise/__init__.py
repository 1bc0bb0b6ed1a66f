"""Which of two replies to one state suits the user better, asked in both orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from rlpa_bench.interfaces import Part
from rlpa_bench.types import JSON, PairSubject, TurnSubject, Verdict
from rlpa_bench_plugins.asking.answers import Answer, Form
from rlpa_bench_plugins.asking.prompts import Prompt
from rlpa_bench_plugins.judges.asked import AskedJudge, failed, lines, scored, talk


class Choice(Form):
    reason: str = Field(json_schema_extra={"maxLength": 200})
    better: Literal["A", "B", "tie"]


_ANSWER = '{"nonce": "$nonce", "reason": "...", "better": "A" or "B" or "tie"}'
_WORTH = {"A": 1.0, "B": 0.0, "tie": 0.5}


class PairwiseJudge(AskedJudge):
    """The better of two replies to one state, by a model that sees the golden profile; both orders are asked.

    ``preference`` is 1 for the first reply, 0 for the second, and the mean of the two orders otherwise, so that a model
    which always prefers a place gives 0.5. It is a number only if both orders were answered.
    """

    name = "pairwise"
    version = "pairwise/1"
    task = Prompt(__package__, "rubric.v1")
    target = "pair"
    parts: ClassVar[Mapping[str, Part]] = {
        "preference": Part(help="1 if the first reply is better, 0 if the second"),
        "consistent": Part(help="whether both orders gave the same preference", binary=True),
    }

    async def judge(self, subject: PairSubject) -> Mapping[str, Verdict]:
        """Preference and consistency; an error of either order is an error of both parts."""
        if not subject.first.gold.items:
            return self.all(Verdict(None, "unscored", "no golden profile"))
        forth = await self._order(subject.key, subject.first, subject.second, "forth")
        back = await self._order(subject.key, subject.second, subject.first, "back")
        for answer in (forth, back):
            if answer.form is None:
                return self.all(failed(answer)) | {"preference": failed(answer, raw=True)}
        assert forth.form is not None
        assert back.form is not None
        one, two = _WORTH[forth.form.better], 1 - _WORTH[back.form.better]
        both = replace(
            forth,
            status="repaired" if "repaired" in (forth.status, back.status) else "ok",
            raw=f"{forth.raw}\n--- other order ---\n{back.raw}",
        )
        reason = f"{forth.form.reason} | {back.form.reason}"
        return {
            "preference": scored(both, (one + two) / 2, reason, raw=True),
            "consistent": scored(both, float(one == two)),
        }

    async def _order(self, key: str, a: TurnSubject, b: TurnSubject, order: str) -> Answer[Choice]:
        told = a.disclosed
        conversation = talk(a)
        del conversation["reply"]
        data: dict[str, JSON] = {
            "profile": lines(a.gold.items),
            "disclosed": "not known" if told is None else lines(told),
            **conversation,
            "A": a.reply,
            "B": b.reply,
        }
        untrusted = f"{a.reply}\n{b.reply}"
        return await self.ask(Choice, data, a, answer=_ANSWER, key=f"{key}/{order}", untrusted=untrusted)
