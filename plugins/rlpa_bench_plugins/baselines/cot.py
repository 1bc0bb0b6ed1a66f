"""Chain of thought: thinking about the user before writing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from pydantic import Field

from rlpa_bench.options import Options
from rlpa_bench.types import JSON, Message, Output, View
from rlpa_bench_plugins.baselines.common import Prompted, parts, said, text, with_system, with_user

_TAG = re.compile(r"</?(?:profile|response)>")


class CotOptions(Options):
    """How many worked examples the model sees."""

    shots: Literal[0, 3, 5] = Field(3, description="Worked examples of thinking: 0, 3 or 5.")


class Cot(Prompted):
    """Thinks step by step about the user, after worked examples (RLPA, arXiv 2505.15456, appendix D).

    The thinking is a call of its own, so that a model held to the contract's format can think as freely as
    any other. It stands before the blocks in the raw output, where the contract's parser ignores it.
    """

    name = "cot"
    calls_per_turn = 2
    Options = CotOptions
    texts = ("cot", "cot_examples", "cot_think", "cot_answer")

    async def respond(self, view: View) -> Output:
        told = with_system(view.messages, self._instruction())
        thinking = with_user(told, text("cot_think"))
        thought, call = await self.model.generate(thinking, key=f"{view.key}/think", stop=("<profile>",))
        thought = _TAG.sub("", thought).strip()
        messages = (*thinking, said(thought), Message("user", text("cot_answer")))
        output = await self.finish(view, messages, (call,))
        return replace(output, raw=f"{thought}\n\n{output.raw}".strip())

    def describe(self) -> Mapping[str, JSON]:
        return {**super().describe(), "shots": self.options.shots}

    def _instruction(self) -> str:
        examples = parts("cot_examples", "---")[: self.options.shots]
        shown = (f"Example {n} of thinking first. {example}" for n, example in enumerate(examples, 1))
        return "\n\n".join((text("cot"), *shown))
