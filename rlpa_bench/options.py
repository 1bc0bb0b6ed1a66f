"""Option models that components share; imported only when a component is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rlpa_bench.interfaces import Sampling


class Options(BaseModel):
    """Base of every component's options: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelOptions(Options):
    """Sampling and format, the same fields for every model."""

    temperature: float = Field(0.7, ge=0, le=5, description="Sampling temperature; 0 is greedy.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus sampling mass; 1 is off.")
    top_k: int = Field(0, ge=0, description="Keep the k likeliest tokens; 0 is off.")
    min_p: float = Field(0.0, ge=0, le=1, description="Drop tokens below this share of the likeliest; 0 is off.")
    repetition_penalty: float = Field(1.0, gt=0, description="Penalty on repeated tokens; 1 is off.")
    max_tokens: int = Field(320, ge=1, description="Tokens a call may write.")
    stop: tuple[str, ...] = Field(("</response>",), description="Strings that end a candidate's output.")
    format: Literal["free", "guided"] = Field("free", description="Whether the engine enforces the contract's format.")
    price_prompt: float | None = Field(
        None, ge=0, description="US dollars per million prompt tokens; unset is unpriced."
    )
    price_completion: float | None = Field(
        None, ge=0, description="US dollars per million completion tokens; unset is unpriced."
    )

    def sampling(self) -> Sampling:
        return Sampling(**{name: getattr(self, name) for name in Sampling.__dataclass_fields__ if name != "seed"})
