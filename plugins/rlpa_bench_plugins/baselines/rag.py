"""Retrieval: the past exchanges most like the user's message are shown again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from rlpa_bench.interfaces import BoundModel, Context
from rlpa_bench.options import Options
from rlpa_bench.types import JSON, Output, View
from rlpa_bench_plugins.baselines.common import Prompted, text, with_user
from rlpa_bench_plugins.baselines.retrieval import Embedder, Lexical, WordLlama, nearest


class RagOptions(Options):
    """How many exchanges are shown again, and how they are found."""

    top: int = Field(5, ge=1, description="Exchanges shown again; RLPA's baseline takes 5.")
    embedder: Literal["wordllama", "lexical"] = Field(
        "wordllama", description="wordllama embeds with a model out of a wheel (extra rag); lexical compares words."
    )


class Rag(Prompted):
    """The five past exchanges most like the user's message, shown again after it (RLPA's RAG(Top-5), appendix D).

    RLPA embeds with SimCSE, this with WordLlama. All earlier exchanges count, those of earlier sessions too, which the
    baseline keeps itself. The exchanges of this session stand in the history as well, as for every baseline.
    """

    name = "rag"
    Options = RagOptions
    extra = "rag"
    texts = ("rag",)

    def __init__(self, options: Any, context: Context, argument: str = "", model: BoundModel | None = None) -> None:
        """Raises UsageError if the embedder's package is not installed."""
        super().__init__(options, context, argument, model)
        self.embedder: Embedder = WordLlama() if options.embedder == "wordllama" else Lexical()

    async def respond(self, view: View) -> Output:
        past: list[list[str]] = list(view.memory or ())
        messages = with_user(view.messages, self._reminder(view.user, past)) if past else view.messages
        output = await self.finish(view, messages)
        reply = self.context.contract.parse(output.raw).response
        return replace(output, memory=[*past, [view.user, reply]])

    def describe(self) -> Mapping[str, JSON]:
        return {**super().describe(), **self.embedder.describe(), "top": self.options.top}

    def _reminder(self, user: str, past: list[list[str]]) -> str:
        texts = ["\n".join(exchange) for exchange in past]
        found = nearest(self.embedder, user, texts, self.options.top)
        shown = "\n".join(f"They: {past[i][0]}\nYou: {past[i][1]}" for i in found)
        return text("rag").replace("{exchanges}", shown)
