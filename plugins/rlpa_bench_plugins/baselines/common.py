"""What the baselines share: texts beside the code, their digests, small edits of messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files
from typing import Any, ClassVar

from rlpa_bench.interfaces import Baseline, Guide
from rlpa_bench.options import Options as NoOptions
from rlpa_bench.types import JSON, Call, Item, Message, Output, View


def text(name: str) -> str:
    """A text of the folder ``prompts``."""
    file = files("rlpa_bench_plugins.baselines").joinpath("prompts", f"{name}.txt")
    return file.read_text(encoding="utf-8").strip()


def parts(name: str, separator: str = "\n") -> list[str]:
    """The parts of such a text."""
    return [part.strip() for part in text(name).split(separator)]


def sections(name: str) -> dict[str, list[str]]:
    """The lines of such a text under their ``[headings]``."""
    blocks = (part.partition("]\n") for part in text(name).removeprefix("[").split("\n\n["))
    return {heading: lines.splitlines() for heading, _, lines in blocks}


def with_system(messages: Sequence[Message], addition: str) -> tuple[Message, ...]:
    """The messages with an addition at the end of the system text."""
    if messages[0].role != "system":
        return (Message("system", addition), *messages)
    return (replace(messages[0], content=f"{messages[0].content}\n\n{addition}"), *messages[1:])


def with_user(messages: Sequence[Message], addition: str) -> tuple[Message, ...]:
    """The messages with an addition at the end of the user's last one."""
    return (*messages[:-1], replace(messages[-1], content=f"{messages[-1].content}\n\n{addition}"))


def said(words: str) -> Message:
    """An assistant message; never empty, since some endpoints refuse that."""
    return Message("assistant", words.strip() or "(nothing)")


class Texted(Baseline):
    """A baseline whose texts are recorded by their digests."""

    Options: ClassVar[type[Any]] = NoOptions
    texts: ClassVar[tuple[str, ...]] = ()

    def describe(self) -> Mapping[str, JSON]:
        return {"texts": {name: sha256(text(name).encode()).hexdigest() for name in self.texts}}


class Prompted(Texted):
    """A baseline with a model."""

    async def finish(self, view: View, messages: Sequence[Message], before: Sequence[Call] = ()) -> Output:
        """The final output, held to the contract where the model is guided, after the calls ``before``."""
        raw, call = await self.model.generate(messages, key=view.key, guide=Guide("contract"))
        return Output(raw, finish=call.finish, calls=(*before, call))


class Control(Texted):
    """A candidate without a model; it always keeps the contract."""

    needs_model = False

    def write(self, items: Sequence[Item], reply: str, memory: JSON = None) -> Output:
        """The output that states these items and replies."""
        contract = self.context.contract
        return Output(contract.write(contract.lines(items), reply), memory)
