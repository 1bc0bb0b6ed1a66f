"""Suites cross personas into cases, sample them evenly and say what is wrong with a file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rlpa_bench_plugins.suites import rlpa_bench_suites
from rlpa_bench_plugins.suites.persona_files import read_personalities, read_profiles

from rlpa_bench.contract import Contract
from rlpa_bench.errors import DataError, UsageError
from rlpa_bench.ontology import Ontology
from rlpa_bench.types import Item

SUITES = {suite.name: suite for suite in rlpa_bench_suites()}
KNOWN = {"age/41", "traits/witty"}
GOOD = {"id": "p", "facts": [{"slot": "Age", "value": "41", "id": "age/41", "say": ["I am 41."]}]}


class FakeContext:
    contract = Contract()
    ontology = Ontology.load()


def make(name: str, **options: Any) -> Any:
    return SUITES[name](SUITES[name].Options(**options), FakeContext())  # type: ignore[arg-type]


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


@pytest.fixture
def own(tmp_path: Path) -> dict[str, Path]:
    """Three profiles, two personalities in use and one that is not."""
    profiles = [GOOD | {"id": f"f{n}"} for n in range(3)]
    traits = [{"value": "witty", "id": "traits/witty"}]
    personalities = [{"id": f"t{n}", "traits": traits, "used": n != 1} for n in range(3)]
    return {
        "profiles": lines(tmp_path / "profiles.jsonl", *profiles),
        "personalities": lines(tmp_path / "personalities.jsonl", *personalities),
    }


def test_aloe_is_twenty_profiles_by_five_personalities() -> None:
    suite = make("aloe")
    cases = suite.cases()
    assert (suite.protocol, len(cases), len({case.id for case in cases})) == ("aloe/1", 100, 100)
    assert set(Counter(case.cluster for case in cases).values()) == {5}
    assert set(Counter(case.factors["personality"] for case in cases).values()) == {20}
    for case in cases:
        assert case.gold is not None
        assert (case.turns, case.sessions[0].opening, case.templates) == (10, "Hello", "evaluation")
        assert case.id == f"{case.cluster}.{case.factors['personality']}"
        profile = case.gold.at(0, 1)
        assert profile.facts
        assert profile.traits
        assert all(item.say for item in profile.facts)


def test_training_plays_each_profile_once() -> None:
    suite = make("training")
    cases = suite.cases()
    used = Counter(case.factors["personality"] for case in cases)
    assert suite.protocol == "training/1"
    assert len(cases) == len({case.cluster for case in cases}) >= 64
    assert max(used.values()) - min(used.values()) <= 1
    assert {case.templates for case in cases} == {"training"}
    assert not {case.cluster for case in cases} & {case.cluster for case in make("aloe").cases()}


def test_ten_cases_of_aloe_are_ten_profiles_and_two_of_each_personality() -> None:
    sample = make("aloe").sample(10)
    assert len({case.cluster for case in sample}) == 10
    assert set(Counter(case.factors["personality"] for case in sample).values()) == {2}


@pytest.mark.parametrize("limit", [1, 7, 20, 33, 100, 101])
def test_samples_are_nested_even_and_in_the_order_of_the_suite(limit: int) -> None:
    suite = make("aloe")
    cases, sample, more = suite.cases(), suite.sample(limit), suite.sample(limit + 1)
    ids = [case.id for case in sample]
    assert len(ids) == len(set(ids)) == min(limit, 100)
    assert set(ids) <= {case.id for case in more}
    assert ids == [case.id for case in cases if case.id in set(ids)]
    for counts in (Counter(c.cluster for c in sample), Counter(c.factors["personality"] for c in sample)):
        assert max(counts.values()) - min(counts.values()) <= 1


def test_own_files_turns_and_opening(own: dict[str, Path]) -> None:
    cases = make("aloe", turns=70, opening="Good evening", **own).cases()
    assert [case.id for case in cases] == [f"f{p}.t{t}" for p in range(3) for t in (0, 2)]
    assert cases[0].sessions[0].turns == 70
    assert cases[0].sessions[0].opening == "Good evening"
    assert cases[0].gold is not None
    assert [item.slot for item in cases[0].gold.items] == ["Age", "Personality Traits"]
    rotated = make("training", **own).cases()
    assert [case.id for case in rotated] == ["f0.t0", "f1.t2", "f2.t0"]


def test_the_description_follows_the_files(own: dict[str, Path]) -> None:
    before = make("aloe", **own).describe()
    assert before == make("aloe", **own).describe()
    assert set(before) == {"profiles", "personalities", "ontology"}
    assert all(len(value) == 64 for value in before.values())
    lines(own["profiles"], GOOD)
    after = make("aloe", **own).describe()
    assert after["profiles"] != before["profiles"]
    assert after["personalities"] == before["personalities"]


@pytest.mark.parametrize("options", [{"turns": 0}, {"opening": ""}, {"profile": "x"}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SUITES["aloe"].Options(**options)


def fact(**fields: Any) -> dict[str, Any]:
    return {"id": "p", "facts": [{"slot": "Age", "value": "41"} | fields]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((GOOD, "{"), r"line 2: not JSON \(.* at column 2\); write one JSON object a line"),
        (({"id": "p"},), r"line 1: facts: Field required; correct that field"),
        (({"id": "p", "facts": []},), r"line 1: facts: .*at least 1 item"),
        ((fact(value=""),), r"line 1: facts\.0\.value: .*at least 1 character"),
        ((fact(polarity=2),), r"line 1: facts\.0\.polarity: Input should be 1 or -1"),
        ((fact(polarty=1),), r"line 1: facts\.0\.polarty: Extra inputs are not permitted"),
        ((fact(slot="Hobby"),), r"line 1: unknown slot 'Hobby'; use one of Age, Gender"),
        ((fact(slot="Personality Traits"),), r"line 1: unknown slot 'Personality Traits'"),
        (("[]",), r"line 1: the line: "),
        ((GOOD, "", GOOD), r"line 3: 'p' occurs a second time; remove or rename it"),
        (({"id": "p", "facts": GOOD["facts"] * 2},), r"line 1: 'age/41' occurs a second time"),
        ((), r"the file is empty; write one JSON object a line"),
        (("", "  "), r"the file is empty"),
    ],
)
def test_a_malformed_profile_file_is_one_sentence(tmp_path: Path, rows: tuple[Any, ...], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_profiles(lines(tmp_path / "mine.jsonl", *rows), KNOWN)
    assert "mine.jsonl" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_or_binary_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.jsonl: cannot be read \(No such file or directory\)"):
        make("aloe", profiles=tmp_path / "none.jsonl").describe()
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b'{"id": "\xff"}')
    with pytest.raises(DataError, match="not UTF-8 at byte 8"):
        read_profiles(binary, KNOWN)


def test_personalities_hold_traits_only_and_at_least_one_is_used(tmp_path: Path) -> None:
    wrong = {"id": "t", "traits": [{"slot": "Age", "value": "41"}]}
    with pytest.raises(DataError, match="line 1: unknown slot 'Age'; use one of Personality Traits"):
        read_personalities(lines(tmp_path / "t.jsonl", wrong), KNOWN)
    unused = {"id": "t", "traits": [{"value": "witty"}], "used": False}
    with pytest.raises(DataError, match="no personality is in use"):
        read_personalities(lines(tmp_path / "t.jsonl", unused), KNOWN)


def test_an_id_outside_the_ontology_makes_free_text(tmp_path: Path) -> None:
    row = {
        "id": "p",
        "facts": [{"slot": "Others", "value": "keeps llamas", "id": "others/llamas", "polarity": -1}],
    }
    (entry,) = read_profiles(lines(tmp_path / "p.jsonl", row), KNOWN)
    assert entry.items == (Item("Others", "keeps llamas", -1),)


def test_aloe_unseen_gives_every_profile_one_personality_and_every_personality_five_profiles() -> None:
    suite = make("aloe-unseen")
    cases = suite.cases()
    assert (suite.protocol, len(cases), len({case.cluster for case in cases})) == ("aloe-unseen/1", 120, 120)
    assert set(Counter(case.factors["personality"] for case in cases).values()) == {5}
    assert {(case.turns, case.sessions[0].opening, case.templates) for case in cases} == {(10, "Hello", "evaluation")}
    sample = suite.sample(24)
    assert len({case.factors["personality"] for case in sample}) == len({case.cluster for case in sample}) == 24


def test_training_full_holds_the_training_pool_and_more() -> None:
    cases = make("training-full").cases()
    used = Counter(case.factors["personality"] for case in cases)
    small = make("training").cases()
    assert len(cases) == len({case.cluster for case in cases}) >= 330
    assert len(used) >= 70
    assert max(used.values()) - min(used.values()) <= 1
    assert {case.cluster for case in small} < {case.cluster for case in cases}
    assert {case.templates for case in cases} == {"training"}
    evaluated = {case.cluster for name in ("aloe", "aloe-unseen") for case in make(name).cases()}
    assert not {case.cluster for case in cases} & evaluated
    described = make("training-full").describe()
    assert described["profiles"][0] == make("training").describe()["profiles"]
    assert len(set(described["profiles"])) == len(set(described["personalities"])) == 2


def test_a_training_profile_meets_as_many_personalities_as_asked_for(own: dict[str, Path]) -> None:
    cases = make("training-full", per_profile=10).cases()
    assert len({case.id for case in cases}) == len(cases) == 10 * len(make("training-full").cases())
    assert set(Counter(case.cluster for case in cases).values()) == {10}
    assert [case.id for case in make("training-full", per_profile=2, **own).cases()] == [
        f"f{profile}.t{trait}" for profile in range(3) for trait in (0, 2)
    ]
    with pytest.raises(UsageError, match=r"suite\.per_profile=3, but there are 2 personalities; ask for no more"):
        make("training-full", per_profile=3, **own).cases()
