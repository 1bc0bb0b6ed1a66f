"""Asks a model for an answer of a given form, and once more if the first one cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rlpa_bench.interfaces import BoundModel, Context, Guide
from rlpa_bench.types import JSON, Call, Message
from rlpa_bench_plugins.asking.answers import A, Answer, read, schema
from rlpa_bench_plugins.asking.fence import fence
from rlpa_bench_plugins.asking.options import AskingOptions
from rlpa_bench_plugins.asking.prompts import Prompt, digests

SYSTEM = Prompt(__package__, "system.v1")
REPAIR = Prompt(__package__, "repair.v1")

_MENDABLE = ("unparseable", "out_of_range", "injected")
_SHOWN = 2000
"""Characters of an unusable answer that the model is shown again."""


@dataclass(frozen=True)
class Asker:
    """One role of one component: its model, its task and how it is asked."""

    name: str
    """Names the draws, so that two components never share a seed."""
    context: Context
    model: BoundModel
    options: AskingOptions
    task: Prompt
    """Stands after the data; has the places ``$answer`` and ``$nonce``."""
    system: Prompt = SYSTEM

    def describe(self) -> dict[str, JSON]:
        return {"model": self.options.model, "prompts": dict(digests([self.system, REPAIR, self.task]))}

    async def ask(
        self,
        form: type[A],
        data: Mapping[str, JSON],
        *,
        key: str,
        language: str,
        answer: str,
        untrusted: str,
        check: Callable[[A], str] | None = None,
        **places: str,
    ) -> Answer[A]:
        """The model's answer about the data.

        Args:
            key: names this question among those of the component (a subject's key).
            answer: how the answer has to look; ``$nonce`` in it is filled.
            untrusted: what the contestant wrote, to tell a copied verdict.
            check: says what is wrong with the content of an answer; empty if nothing is.
            places: further places of the task.

        Raises:
            ProviderError: when the model cannot be reached; its reason may be ``timeout``.
        """
        fenced = fence(data, self.context, self.name, key)
        shape = answer.replace("$nonce", fenced.nonce)
        task = self.task.fill(language, answer=shape, nonce=fenced.nonce, **places)
        messages = [Message("system", self.system.fill(language)), Message("user", f"{fenced.block}\n\n{task}")]
        guide = Guide("json", schema(form)) if self.options.format == "guided" else None

        async def once(asked: list[Message], purpose: str) -> tuple[Answer[A], Call]:
            text, call = await self.model.generate(
                asked, key=f"{key}/{self.name}{purpose}", guide=guide, **self.options.sampling()
            )
            return _checked(read(form, text, fenced.nonce, finish=call.finish, untrusted=untrusted), check), call

        first, call = await once(messages, "")
        if first.status not in _MENDABLE:
            return replace(first, calls=(call,))
        repair = REPAIR.fill(language, problem=first.detail, answer=shape, nonce=fenced.nonce)
        shown = first.raw[:_SHOWN].strip() or "{}"
        second, again = await once([*messages, Message("assistant", shown), Message("user", repair)], "/repair")
        raw = f"{first.raw}\n--- asked again ({first.detail}) ---\n{second.raw}"
        return replace(second, status="repaired" if second.form else second.status, raw=raw, calls=(call, again))


def _checked(answer: Answer[A], check: Callable[[A], str] | None) -> Answer[A]:
    if answer.form is None or check is None or not (problem := check(answer.form)):
        return answer
    return Answer("out_of_range", detail=problem, raw=answer.raw)
