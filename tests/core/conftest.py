"""What the tests of the core share."""

from __future__ import annotations

import pytest
from toyruns import play

import rlpa_bench
from rlpa_bench import guard


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> rlpa_bench.Run:
    """The run of ``toyruns.TERMS``, undisturbed."""
    return play(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stretch that blocks for 1.5 s, or a call that takes 3 s, has lasted for ever."""
    monkeypatch.setenv("RLPA_BENCH_PATIENCE", "1.5")
    monkeypatch.setattr(guard, "CALLS", 2)
