"""Verdicts of a model, made again on a sample: what holds becomes T2, what does not is flagged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import forgeries as cheats
import pytest
from leaderboard_kit import PLUGIN, forge, play_systems, submit

from rlpa_bench.errors import UsageError
from rlpa_bench.leaderboard.rejudge import rejudge
from rlpa_bench.leaderboard.store import Store

OPTIONS = ["judge.model=critic", "judge.rlpa-gate.reasons=false"]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    run = play_systems(folder / "run", baseline="plain", limit=8, seeds=1, turns=4, judge="rlpa-gate", options=OPTIONS)
    return submit(run, folder / "out")["chatty/plain"]


def stored(submission: Path, folder: Path) -> tuple[Store, str]:
    store = Store(folder / "board")
    added = store.add(submission, plugins=[PLUGIN])
    assert added.result and added.result.tier == "T1"
    return store, added.result.id


def test_verdicts_that_hold_are_t2(judged: Path, tmp_path: Path) -> None:
    store, name = stored(judged, tmp_path)
    entry = rejudge(store, name, share=0.5, options=OPTIONS, plugins=[PLUGIN])
    assert (entry.event, entry.tier) == ("tier", "T2") and "4 dialogues judged again" in entry.reason
    assert store.standing()[0].tier == "T2"
    with pytest.raises(UsageError, match="no row of tier T1"):
        rejudge(store, name, options=OPTIONS, plugins=[PLUGIN])


def test_verdicts_that_do_not_hold_are_flagged(judged: Path, tmp_path: Path) -> None:
    def change(forgery: Any) -> None:
        cheats.in_lines("scores", cheats.no_words)(forgery)
        cheats.submission(claims={})(forgery)

    store, name = stored(forge(judged, tmp_path / "mute", change), tmp_path)
    entry = rejudge(store, name, share=1.0, options=OPTIONS, plugins=[PLUGIN])
    assert entry.event == "flag" and "verdicts do not hold" in entry.reason
    assert "flagged" in store.standing()[0].flags and store.standing()[0].tier == "T1"


def test_another_judge_confirms_nothing(judged: Path, tmp_path: Path) -> None:
    store, name = stored(judged, tmp_path)
    with pytest.raises(UsageError, match=r"not the row's: component\.model was critic, now chatty"):
        rejudge(store, name, options=["judge.model=chatty", OPTIONS[1]], plugins=[PLUGIN])
    with pytest.raises(UsageError, match=r"options\.reasons was False, now True"):
        rejudge(store, name, options=OPTIONS[:1], plugins=[PLUGIN])
    with pytest.raises(UsageError, match="share of 2"):
        rejudge(store, name, share=2, options=OPTIONS, plugins=[PLUGIN])
    assert len(store.history()) == 1
