"""One small board of real instruments: personas of `aloe`, the agenda user, rules and profile judges."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from leaderboard_kit import PLUGIN, play_systems, submit
from rlpa_bench_plugins.judges.rules import judge

from rlpa_bench import Run
from rlpa_bench.leaderboard.store import Store


@pytest.fixture(scope="session", autouse=True)
def built_once() -> Iterator[None]:
    """The rule judge's tables, a third of a second's work and the same each time, are made once for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "Topics", cache(judge.Topics))
        patch.setattr(judge, "Claims", cache(judge.Claims))
        yield


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Systems and controls on eight cases, two seeds, six turns."""
    return play_systems(tmp_path_factory.mktemp("board") / "run")


@pytest.fixture(scope="session")
def submissions(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Honest submissions by system."""
    return submit(run, tmp_path_factory.mktemp("board") / "submissions")


@pytest.fixture(scope="session")
def filled(submissions: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A leaderboard with all of them."""
    store = Store(tmp_path_factory.mktemp("board") / "leaderboard")
    for path in submissions.values():
        added = store.add(path, plugins=[PLUGIN])
        assert added.accepted, added.record()
    return store.path


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Store:
    """A leaderboard of one's own to change."""
    from shutil import copytree

    return Store(copytree(filled, tmp_path / "leaderboard"))
