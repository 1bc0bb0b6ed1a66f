"""Fresh splits: made by a seed, free of contradictions, and of no use to whoever knows the public personas by heart."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rlpa_bench_plugins.suites.persona_files import read_personalities, read_profiles

import rlpa_bench
from rlpa_bench.errors import UsageError
from rlpa_bench.leaderboard.split import SHAPE, split
from rlpa_bench.ontology import Ontology

DAY = date(2026, 11, 25)


def made(folder: Path, **more: Any) -> dict[str, Any]:
    return split(folder, **{"seed": "s", "day": DAY, "profiles": 40, "personalities": 6, **more})


def test_the_same_seed_gives_the_same_files_and_another_gives_others(tmp_path: Path) -> None:
    one, two = made(tmp_path / "a"), made(tmp_path / "b")
    assert one == two
    assert (tmp_path / "a/profiles.jsonl").read_bytes() == (tmp_path / "b/profiles.jsonl").read_bytes()
    for other in ({"seed": "t"}, {"day": date(2026, 11, 26)}):
        assert made(tmp_path / str(other), **other)["sha256"] != one["sha256"]
    assert "20261125" in one["split"] and "seed" not in one


def test_profiles_have_every_slot_and_no_contradiction(tmp_path: Path) -> None:
    made(tmp_path / "a")
    ontology = Ontology.load()
    profiles = read_profiles(tmp_path / "a/profiles.jsonl", ontology.values)
    assert len({entry.items for entry in profiles}) == len(profiles) == 40
    for entry in (*profiles, *read_personalities(tmp_path / "a/personalities.jsonl", ontology.values)):
        ids = [item.id for item in entry.items]
        assert all(ids) and len(set(ids)) == len(ids)
        pairs = [(a, b) for i, a in enumerate(ids) for b in ids[:i]]
        assert not any(ontology.conflict(a, b) or ontology.relation(a, b) for a, b in pairs)
    assert all({item.slot for item in entry.items} == set(SHAPE) for entry in profiles)
    ages = [int(item.value) for entry in profiles for item in entry.items if item.slot == "Age"]
    assert min(ages) >= 18 and max(ages) <= 80


@pytest.mark.parametrize("wrong", [{"profiles": 0}, {"personalities": 0}, {"seed": ""}])
def test_impossible_splits_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="at least one profile"):
        made(tmp_path / "a", **wrong)


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(UsageError, match="not empty"):
        made(tmp_path)


def test_knowing_the_public_personas_by_heart_is_worth_nothing_on_it(tmp_path: Path) -> None:
    made(tmp_path / "a")
    own = [f"suite.{name}={tmp_path}/a/{name}.jsonl" for name in ("profiles", "personalities")]
    f1 = {}
    for suite, options in (("public", []), ("fresh", own)):
        run = rlpa_bench.run(
            suite="aloe", baseline="scribe,lookup", judge="profile", controls=False, limit=15, options=options,
            out=tmp_path / suite, cache=False,
        )  # fmt: skip
        rows = run.summary["rows"]
        f1[suite] = {name: rows[name]["profile F1"] for name in ("scribe", "lookup")}
    assert f1["public"]["lookup"]["low"] > f1["public"]["scribe"]["high"]
    assert f1["fresh"]["lookup"]["high"] < f1["fresh"]["scribe"]["low"]
