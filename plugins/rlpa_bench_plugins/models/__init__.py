"""Models that come with rlpa-bench."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rlpa_bench.hookspecs import hookimpl

if TYPE_CHECKING:
    from rlpa_bench.interfaces import Model


@hookimpl
def rlpa_bench_models() -> Iterable[type[Model]]:
    from rlpa_bench_plugins.models.hf import HF
    from rlpa_bench_plugins.models.llamacpp import LlamaCpp
    from rlpa_bench_plugins.models.openai_chat import OpenAI
    from rlpa_bench_plugins.models.providers import Anthropic, DeepSeek, Gemini
    from rlpa_bench_plugins.models.scripted import Scripted
    from rlpa_bench_plugins.models.smollm2 import SmolLM2
    from rlpa_bench_plugins.models.tiny import Tiny
    from rlpa_bench_plugins.models.vllm_server import VLLM

    return [SmolLM2, LlamaCpp, OpenAI, Anthropic, DeepSeek, Gemini, HF, VLLM, Scripted, Tiny]
