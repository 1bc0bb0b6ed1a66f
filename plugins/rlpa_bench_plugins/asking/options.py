"""Options of every component that asks a model."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from rlpa_bench.options import Options

Language = Literal["auto", "en", "zh"]


class SamplingOptions(Options):
    """How a model samples."""

    temperature: float = Field(0.0, ge=0, le=5, description="Sampling temperature of this role; always sent.")
    max_tokens: int = Field(700, ge=1, description="Tokens an answer may have.")

    def sampling(self) -> dict[str, Any]:
        """Every sampling field but the seed, so that the candidate's settings of the same model change nothing."""
        return {
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "top_p": 1.0,
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
        }


class AnswerOptions(SamplingOptions):
    """Options of who asks for JSON."""

    format: Literal["free", "guided"] = Field(
        "free", description="guided has the engine enforce the answer's JSON Schema, if it can."
    )


class LanguageOption(Options):
    """The language of a prompt."""

    language: Language = Field("auto", description="Language of the prompt; auto is that of the case.")


class ModelOption(Options):
    """The model of a role."""

    model: str = Field(
        min_length=1, description="The model that is asked, such as openai:NAME or llamacpp:FILE; there is no default."
    )


class AskingOptions(AnswerOptions, LanguageOption, ModelOption):
    """Which model is asked for JSON, how, and in which language."""
