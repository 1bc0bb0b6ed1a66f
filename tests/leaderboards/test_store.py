"""The history decides: what was added stands, what was withdrawn is marked, what was changed shows."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from leaderboard_kit import PLUGIN, Critic, forge, play_systems, submit

from rlpa_bench import Run
from rlpa_bench.errors import DataError, UsageError
from rlpa_bench.leaderboard.render import render
from rlpa_bench.leaderboard.reproduce import reproduced
from rlpa_bench.leaderboard.rescore import rescore
from rlpa_bench.leaderboard.store import Store
from rlpa_bench.terms import digest

MODEL = "chatty/plain"


def named(store: Store, name: str = MODEL) -> str:
    return next(one.result.id for one in store.standing() if one.result.submission.system.name == name)


def test_every_addition_is_one_line_that_names_its_files(store: Store, submissions: dict[str, Path]) -> None:
    history = store.history()
    assert [entry.event for entry in history] == ["include"] * len(submissions)
    assert {entry.tier for entry in history} == {"T2", "T3"}
    assert len({one.result.board for one in store.standing()}) == 1


def test_a_submission_keeps_the_terms_of_its_run(run: Run, submissions: dict[str, Path]) -> None:
    """All of them, retries too: the digest that the run's own table showed is the one read from what was submitted."""
    for name, folder in submissions.items():
        assert digest(json.loads((folder / "run.json").read_text()), name) == digest(run.info, name)


def test_a_history_that_was_changed_is_refused(store: Store) -> None:
    path = store.path / "history.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0].replace('"T2"', '"T3"'), *lines[1:]]))
    with pytest.raises(DataError, match="line 2 does not follow"):
        Store(store.path).history()
    path.write_text("".join([lines[0], *lines[2:]]))
    with pytest.raises(DataError, match="line 2 does not follow"):
        Store(store.path).history()


def test_a_result_that_was_changed_is_found_by_verifying(store: Store) -> None:
    assert store.verify(plugins=[PLUGIN]) == []
    path = store.path / "results" / f"{named(store)}.json.xz"
    value = json.loads(lzma.decompress(path.read_bytes()))
    value["row"]["AVG[rules]"]["mean"] = 99.0
    path.write_bytes(lzma.compress(json.dumps(value).encode()))
    with pytest.raises(DataError, match="not the result that the history books"):
        store.standing()
    told: list[str] = []
    problems = store.verify(plugins=[PLUGIN], jobs=2, tell=told.append)
    assert [problem for problem in problems if "recomputed numbers differ" in problem] == problems != []
    assert told[0].startswith(f"1/{len(store.history())} ") and sum("differs" in line for line in told) == 1
    assert store.verify(plugins=[PLUGIN], write=True) == store.verify(plugins=[PLUGIN]) == []
    assert store.history()[-1].event == "recompute" and store.standing()


def test_files_that_were_changed_are_found_by_verifying(store: Store) -> None:
    folder = store.path / "submissions" / named(store)
    (folder / "MANIFEST.sha256").write_text("nothing")
    assert any("not the ones that were added" in problem for problem in store.verify(plugins=[PLUGIN]))


def test_a_withdrawn_row_stays_and_is_marked(store: Store) -> None:
    name = named(store)
    with pytest.raises(UsageError, match="needs a reason"):
        store.withdraw(name, " ")
    store.withdraw(name, "wrong weights")
    gone = next(one for one in store.standing() if one.result.id == name)
    assert gone.withdrawn and name not in {key.partition("@")[0] for key in store.current()}
    with pytest.raises(UsageError, match="withdrawn already"):
        store.withdraw(name, "again")
    with pytest.raises(UsageError, match="no submission 'nobody'"):
        store.withdraw("nobody", "x")


def test_a_flag_hangs_on_the_row(store: Store) -> None:
    store.flag(named(store), "seen in training data", "trained-on-profiles")
    assert "trained-on-profiles" in next(s for s in store.standing() if s.result.id == named(store)).flags
    with pytest.raises(UsageError, match="unknown flag"):
        store.flag(named(store), "x", "bad")


def test_an_id_is_used_once_and_a_control_stands_once(
    store: Store, submissions: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="already added"):
        store.add(submissions[MODEL], plugins=[PLUGIN])
    again = forge(submissions["null"], tmp_path / "null", lambda f: f.json("submission.json", rename("null-again")))
    with pytest.raises(UsageError, match="control 'null' already stands"):
        store.add(again, plugins=[PLUGIN])
    assert not (store.path / "submissions" / "null-again").exists()


def rename(name: str, submitter: str = "A. Person") -> Callable[[Any], Any]:
    return lambda value: value.update(id=name, submitter=submitter)


def test_equal_work_at_an_equal_time_gives_equal_bytes(
    submissions: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1764000000")
    files = []
    for name in ("one", "two"):
        store = Store(tmp_path / name)
        assert store.add(submissions[MODEL], plugins=[PLUGIN]).accepted
        store.flag(named(store), "to have two lines")
        render(store)
        paths = sorted(path for path in store.path.rglob("*") if path.is_file())
        files.append({path.relative_to(store.path): path.read_bytes() for path in paths})
    assert len(files[0]) > 20 and files[0] == files[1]


def test_a_refused_submission_leaves_no_trace(store: Store, submissions: dict[str, Path], tmp_path: Path) -> None:
    before = (store.path / "history.jsonl").read_bytes()
    bad = forge(submissions["echo"], tmp_path / "bad", lambda f: f.lines("dialogues", lambda d: d[1:]))
    assert not store.add(bad, plugins=[PLUGIN]).accepted
    assert (store.path / "history.jsonl").read_bytes() == before


def test_equal_transcripts_by_somebody_else_reproduce_a_row(
    store: Store, submissions: dict[str, Path], tmp_path: Path
) -> None:
    original = named(store)
    mine = forge(submissions[MODEL], tmp_path / "mine", lambda f: f.json("submission.json", rename("mine")))
    with pytest.raises(UsageError, match="T3 needs somebody else"):
        store.add(mine, plugins=[PLUGIN], reproduces=original)
    other = forge(submissions[MODEL], tmp_path / "b", lambda f: f.json("submission.json", rename("b", "B. Other")))
    assert store.add(other, plugins=[PLUGIN], reproduces=original).accepted
    assert {one.tier for one in store.standing() if one.result.id in (original, "b")} == {"T3"}


def test_another_system_reproduces_nothing(store: Store) -> None:
    results = {one.result.submission.system.name: one.result for one in store.standing()}
    with pytest.raises(UsageError, match="another name"):
        list(reproduced(results[MODEL], results["chatty/taught"]))


def test_judging_again_makes_rows_on_the_other_panels_board(store: Store) -> None:
    wanted = (named(store), named(store, "scribe"))
    first = {one.result.board for one in store.standing()}
    out = rescore(store, ["rules"], reason="without the profile judge", ids=wanted, plugins=[PLUGIN])
    assert sorted(out.done) == sorted(wanted) and not out.refused
    new = [one for one in store.standing() if one.result.board not in first]
    assert sorted(one.result.id for one in new) == sorted(wanted)
    assert all("rescored" in one.flags and "profile F1" not in one.result.row for one in new)
    old = {one.result.id: one.result for one in store.standing() if one.result.board in first}
    assert all(one.result.row["AVG[rules]"] == old[one.result.id].row["AVG[rules]"] for one in new)
    assert rescore(store, ["rules"], reason="x", ids=wanted, plugins=[PLUGIN]).done == []


def test_a_model_judges_again_by_the_boards_options_only(submissions: dict[str, Path], tmp_path: Path) -> None:
    """What a submission says of the judge's model (an address, say) would get the maintainer's key."""

    def change(run: Any) -> None:
        run["identity"]["config"]["options"]["models"] = {"critic": {"temperature": 4.0}}

    store = Store(tmp_path / "board")
    forged = forge(submissions[MODEL], tmp_path / "forged", lambda f: f.json("run.json", change))
    assert store.add(forged, plugins=[PLUGIN]).accepted
    options = ["judge.model=critic", "judge.rlpa-gate.reasons=false"]
    asked = set()
    answer = Critic.generate

    async def spy(self: Critic, *args: Any) -> Any:
        asked.add(self.options.temperature)
        return await answer(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Critic, "generate", spy)
        out = rescore(store, ["rlpa-gate"], reason="a model", options=options, plugins=[PLUGIN])
    assert len(out.done) == 1 and not out.refused and asked == {0.7}
    new = store.standing()[-1]
    assert new.tier == "T1" and "rescored" in new.flags and "judge-not-reread" not in new.flags
    assert new.result.row["AVG[rlpa-gate]"]["scored"] == 60
    (store.path / "submissions" / new.result.id / "MANIFEST.sha256").write_text("changed")
    refused = rescore(store, ["rules"], reason="x", plugins=[PLUGIN]).refused
    assert "not the ones that were added" in refused[new.result.id]


def test_a_split_of_ones_own_is_validated_with_its_files(tmp_path: Path) -> None:
    from datetime import date

    from rlpa_bench.leaderboard.split import split
    from rlpa_bench.leaderboard.validate import validate

    split(tmp_path / "split", seed="s", day=date(2026, 1, 2), profiles=6, personalities=2)
    options = [f"suite.{name}={tmp_path}/split/{name}.jsonl" for name in ("profiles", "personalities")]
    run = play_systems(tmp_path / "run", options=options, baseline="null", turns=2)
    folder = tmp_path / "out"
    submit(run, folder, candidates=["null"])
    moved = (tmp_path / "split").rename(tmp_path / "moved")
    assert not validate(folder, plugins=[PLUGIN]).accepted
    here = [f"suite.{name}={moved}/{name}.jsonl" for name in ("profiles", "personalities")]
    checked = validate(folder, plugins=[PLUGIN], options=here)
    assert checked.result is not None and "own personas" in checked.result.key.split
