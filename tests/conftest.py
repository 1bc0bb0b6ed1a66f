"""Every test gets a cache of its own and an environment without keys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = ("RLPA_BENCH_ALOE_SOURCE", "RLPA_BENCH_SLOW")
    for name in list(os.environ):
        if name not in kept and (name.endswith("_API_KEY") or name.startswith(("RLPA_BENCH_", "OPENAI_"))):
            monkeypatch.delenv(name)
    monkeypatch.setenv("RLPA_BENCH_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A run directory that does not exist yet."""
    return tmp_path / "run"
