"""Each metric of the stress suites finds the candidate whose fault it is for, and clears the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import culprits
import pytest

import rlpa_bench

NAMES = [culprit.name for culprit in culprits.CULPRITS]
Means = Mapping[str, Mapping[str, float]]
Test = Callable[[float], bool]


def means(out: Path, suite: str, limit: int, *options: str) -> Means:
    """Candidate -> column -> mean, played by the rule-based user on personas of the training pool."""
    run = rlpa_bench.run(
        suite=suite, baseline=NAMES, controls=False, judge="profile", limit=limit, cache=False, preflight=False,
        plugins=[culprits], options=["suite.pool=training", *options], out=out,
    )  # fmt: skip
    assert run.info["counts"]["failed"] == 0 and not run.info["problems"]
    filled = {column for row in run.summary["rows"].values() for column in row}
    assert {column["name"] for column in run.summary["columns"]} == filled
    return {name: {column: cell["mean"] for column, cell in row.items()} for name, row in run.summary["rows"].items()}


@pytest.fixture(scope="module")
def conflict(tmp_path_factory: pytest.TempPathFactory) -> Means:
    return means(tmp_path_factory.mktemp("conflict") / "run", "aloe-conflict", 16)


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Means:
    return means(tmp_path_factory.mktemp("sessions") / "run", "aloe-sessions", 3)


@pytest.fixture(scope="module")
def restraint(tmp_path_factory: pytest.TempPathFactory) -> Means:
    return means(tmp_path_factory.mktemp("restraint") / "run", "aloe-restraint", 3)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Means:
    return means(tmp_path_factory.mktemp("long") / "run", "aloe-long", 2, "suite.turns=50")


def only(
    table: Means, column: str, guilty: str, found: Callable[[float], bool], clear: Callable[[float], bool]
) -> None:
    values = {name: row[column] for name, row in table.items()}
    assert found(values.pop(guilty)), (column, guilty, table[guilty][column])
    assert all(map(clear, values.values())), (column, values)


def test_who_never_updates_is_found_by_stale_values_and_by_changes_not_followed(conflict: Means) -> None:
    only(conflict, "stale rate", "never-updates", lambda v: v > 60, lambda v: v == 0)
    only(conflict, "updated", "never-updates", lambda v: v < 30, lambda v: v == 100)
    only(conflict, "turns to update", "never-updates", lambda v: v > 5, lambda v: v == 0)
    for kind in ("announced", "implied", "withdrawn"):
        only(conflict, f"updated[{kind}]", "never-updates", lambda v: v == 0, lambda v: v == 100)


def test_who_takes_the_newest_value_is_found_by_false_updates_in_twins(conflict: Means) -> None:
    only(conflict, "false updates", "newest", lambda v: v > 40, lambda v: v == 0)


def test_who_forgets_after_twenty_turns_is_found_by_the_recall_of_old_facts(long: Means) -> None:
    only(long, "recall of old", "forgets", lambda v: v == 0, lambda v: v > 80)
    only(long, "stability(20)", "forgets", lambda v: v < 50, lambda v: v > 90)
    assert long["forgets"]["recall of recent"] == long["attentive"]["recall of recent"] == 100


def test_the_summary_at_the_end_shows_who_forgot(long: Means) -> None:
    only(long, "profile summary", "forgets", lambda v: v < 65, lambda v: v > 75)
    assert long["attentive"]["profile summary"] > 85


def test_who_takes_a_stranger_for_the_user_is_found_by_wrong_transfer(sessions: Means) -> None:
    only(sessions, "wrong transfer", "leaks", lambda v: v == 100, lambda v: v == 0)
    assert {row["carried over"] for row in sessions.values()} == {100}


def test_invented_names_find_who_leaks_by_profile_and_who_leaks_across_dialogues(sessions: Means) -> None:
    leaked = {name: row["leaked names"] for name, row in sessions.items()}
    assert leaked.pop("leaks") > 10 and leaked.pop("gossips") > 0
    assert set(leaked.values()) == {0}
    assert {row["told on"] for row in sessions.values()} == {0}


def test_who_personalises_everything_is_found_by_intrusive_replies(restraint: Means) -> None:
    only(restraint, "intrusive", "intrusive", lambda v: v == 100, lambda v: v == 0)
    for kind in ("fact", "emergency", "third person"):
        only(restraint, f"intrusive[{kind}]", "intrusive", lambda v: v == 100, lambda v: v == 0)
    assert {row["apt use"] for row in restraint.values()} == {100}


def test_no_suite_shows_the_columns_of_another(conflict: Means, sessions: Means, restraint: Means, long: Means) -> None:
    own = {"updated": conflict, "carried over": sessions, "apt use": restraint, "recall of old": long}
    for column, table in own.items():
        for other in (conflict, sessions, restraint, long):
            assert all((column in row) == (other is table) for row in other.values())
