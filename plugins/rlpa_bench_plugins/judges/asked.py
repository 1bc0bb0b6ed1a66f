"""The common part of judges that ask a model: options, what they describe, and how answers become verdicts.

An answer has one of seven statuses. ``ok`` and ``repaired`` (right at the second asking, which the reason says) become
scored verdicts. ``unparseable``, ``refused``, ``out_of_range``, ``injected`` and ``timeout`` become errors whose reason
begins with that word; there is no default score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from pydantic import Field

from rlpa_bench.contract import Contract
from rlpa_bench.interfaces import Context, Judge
from rlpa_bench.types import JSON, Item, TurnSubject, Verdict
from rlpa_bench_plugins.asking.answers import Answer, Form
from rlpa_bench_plugins.asking.asker import Asker
from rlpa_bench_plugins.asking.options import AskingOptions
from rlpa_bench_plugins.asking.prompts import Prompt, language_of

A = TypeVar("A", bound=Form)


class AskedOptions(AskingOptions):
    """Options of judges that ask a model."""

    other_gold: bool = Field(
        False, description="Judge every turn a second time against another user's gold: twice the calls."
    )


class AskedJudge(Judge):
    """Base of judges that ask a model, through the context only."""

    Options: ClassVar[type[Any]] = AskedOptions
    version: ClassVar[str]
    """Rises with every change of prompts or code that can move a score."""
    task: ClassVar[Prompt]

    def __init__(self, options: Any, context: Context, argument: str = "") -> None:
        super().__init__(options, context, argument)
        self.other_gold = options.other_gold  # type: ignore[misc]
        self.asker = Asker(self.name, context, context.model(options.model, role="judge"), options, self.task)

    def describe(self) -> Mapping[str, JSON]:
        return {"version": self.version, **self.asker.describe()}

    async def ask(
        self,
        form: type[A],
        data: Mapping[str, JSON],
        subject: TurnSubject,
        *,
        answer: str,
        key: str = "",
        untrusted: str = "",
        check: Callable[[A], str] | None = None,
    ) -> Answer[A]:
        """The model's answer on one turn. Raises ProviderError."""
        return await self.asker.ask(
            form,
            data,
            key=key or subject.key,
            language=language_of(self.options.language, subject.language),
            answer=answer,
            untrusted=untrusted or f"{subject.reply}\n{Contract.lines(subject.inferred)}",
            check=check,
        )

    def all(self, verdict: Verdict) -> dict[str, Verdict]:
        """The same verdict for every part."""
        return dict.fromkeys(self.parts, verdict)


def scored(answer: Answer[Any], value: float, reason: str = "", *, raw: bool = False) -> Verdict:
    """A verdict from a usable answer."""
    told = f"repaired: {reason}".rstrip(": ") if answer.status == "repaired" else reason
    return Verdict(value, reason=told, raw=answer.raw if raw else "")


def failed(answer: Answer[Any], *, raw: bool = False) -> Verdict:
    """The verdict of an answer that cannot be used."""
    return Verdict(None, "error", f"{answer.status}: {answer.detail}", answer.raw if raw else "")


def lines(items: Sequence[Item]) -> list[JSON]:
    """Items as ``Slot: value`` lines, dislikes in words."""
    return [line.removeprefix("- ") for line in Contract.lines(items).splitlines()]


def talk(subject: TurnSubject) -> dict[str, JSON]:
    """The conversation of a turn, for the data of a prompt."""
    return {
        "history": [{"user": turn.user, "reply": turn.response} for turn in subject.history],
        "message": subject.user,
        "reply": subject.reply,
    }
