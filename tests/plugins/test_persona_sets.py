"""The persona sets of aloe-unseen and training-full: well formed, plausible people, and apart from each other."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from rlpa_bench.ontology import Ontology
from rlpa_bench.types import SLOTS, TRAIT_SLOT, Item

DATA = Path(__file__).resolve().parents[2] / "plugins" / "rlpa_bench_plugins" / "suites" / "data"
ONTOLOGY = Ontology.load()
NEW = ("aloe-unseen", "training-full")
CARDINALITY = {
    "Age": (1, 1),
    "Gender": (1, 1),
    "Educational Background": (1, 1),
    "Occupation": (1, 1),
    "Marital Status": (1, 1),
    "Location": (1, 1),
    "Family Background": (1, 2),
    "Interests": (3, 4),
    "Others": (2, 3),
}
SHARED = ("Age", "Gender", "Marital Status")
"""Slots whose sentences come from lists that the profiles of one set share."""

Row = dict[str, Any]


def rows(folder: str, kind: str) -> list[Row]:
    return [json.loads(line) for line in (DATA / folder / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()]


PROFILES = {name: rows(name, "profiles") for name in ("aloe", "training", *NEW)}
PERSONALITIES = {name: rows(name, "personalities") for name in ("aloe", "training", *NEW)}
TENS = [
    pytest.param(PROFILES[name][i : i + 10], id=f"{name}-{i}")
    for name in NEW
    for i in range(0, len(PROFILES[name]), 10)
]


def items(row: Row) -> frozenset[tuple[str, int]]:
    return frozenset((fact["id"], fact["polarity"]) for fact in row.get("facts", row.get("traits", ())))


def ids(row: Row, kind: str) -> set[str]:
    return {fact["id"].removeprefix(f"{kind}/") for fact in row["facts"] if fact["id"].startswith(f"{kind}/")}


def test_the_sets_are_large_enough() -> None:
    assert (len(PROFILES["aloe-unseen"]), len(PERSONALITIES["aloe-unseen"])) == (120, 24)
    assert len(PROFILES["training"]) + len(PROFILES["training-full"]) >= 330
    assert len(PERSONALITIES["training"]) + len(PERSONALITIES["training-full"]) >= 70
    for kind in (PROFILES, PERSONALITIES):
        names = [row["id"] for content in kind.values() for row in content]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("people", TENS)
def test_every_slot_is_there_as_often_as_it_should(people: list[Row]) -> None:
    for row in people:
        counts = Counter(fact["slot"] for fact in row["facts"])
        assert set(counts) == set(SLOTS) - {TRAIT_SLOT}
        assert all(least <= counts[slot] <= most for slot, (least, most) in CARDINALITY.items()), counts
        keys = [fact["id"] for fact in row["facts"]]
        assert len(set(keys)) == len(keys)
        assert sum(fact["polarity"] == -1 for fact in row["facts"]) <= 1
        assert not [pair for pair in combinations(keys, 2) if ONTOLOGY.conflict(*pair)]


@pytest.mark.parametrize("people", TENS)
def test_facts_resolve_and_each_sentence_states_its_fact_and_no_other(people: list[Row]) -> None:
    for row in people:
        for fact in row["facts"]:
            assert set(fact) == {"slot", "value", "id", "polarity", "origin", "say"}
            assert fact["origin"] == "written" and fact["polarity"] in (1, -1)
            assert [item.id for item in ONTOLOGY.resolve(Item(fact["slot"], fact["value"]))] == [fact["id"]]
            assert len(set(fact["say"])) == len(fact["say"]) == 2
            for sentence in fact["say"]:
                assert {mention.value.id for mention in ONTOLOGY.mentions(sentence)} == {fact["id"]}, sentence
                assert 5 <= len(sentence.split()) <= 14, sentence
                assert re.fullmatch(r"[A-ZÀ-Þ].*[.!?]", sentence) and "..." not in sentence, sentence


YOUNGEST = {
    **dict.fromkeys(("doctor", "judge", "professor", "principal", "surgeon", "psychologist", "ceo", "priest"), 26),
    **dict.fromkeys(("judge", "professor", "principal"), 36),
    **dict.fromkeys(("lawyer", "architect", "civil-engineer", "vet", "dentist", "pharmacist", "teacher", "pilot"), 24),
    "retired": 55,
}
OLDEST = {"student": 34, "dancer": 42, "lifeguard": 34, "athlete": 40, "soldier": 55, "delivery-driver": 60}
DEGREES = re.compile(r".*(degree|bachelor|master|mba|doctorate|computer-science|drama-school|film-school).*")


@pytest.mark.parametrize("people", TENS)
def test_the_person_is_plausible(people: list[Row]) -> None:
    for row in people:
        (age,) = (int(key) for key in ids(row, "age"))
        (job,), (marital,), (education,) = (ids(row, kind) for kind in ("occupation", "marital", "education"))
        family, others, likes = ids(row, "family"), ids(row, "others"), ids(row, "interests")
        assert 18 <= age <= 82
        assert (
            YOUNGEST.get(job, 18) <= age <= OLDEST.get(job, 66 if job in ("nurse", "police-officer", "pilot") else 82)
        )
        if education in ("medical-degree", "doctorate", "mba", "veterinary-degree"):
            assert age >= 26
        elif DEGREES.fullmatch(education) and education != "associate-degree":
            assert age >= 21
        assert education != "high-school-student" or age <= 19
        assert education != "currently-studying" or age <= 34
        assert marital != "long-married" or age >= 40
        assert marital not in ("widowed", "divorced", "separated") or age >= 25
        assert marital in ("single", "in-a-relationship", "engaged") or age >= 20
        if any("grandchild" in key for key in family) or "grown-children" in family:
            assert age >= 45
        assert "teenagers" not in family or age >= 32
        assert not family & {"baby", "expecting"} or 19 <= age <= 50
        assert not family & {"lives-with-parents"} or age <= 40
        assert "plans-a-wedding" not in others or marital in ("engaged", "in-a-relationship")
        assert (
            not {"vegan", "vegetarian"} & others or not {"grilling", "fishing"} & likes or "fishing" in _dislikes(row)
        )
        assert not {"no-car", "learning-to-drive"} & others or not {"motorbike", "electric-car", "camper-van"} & others
        assert not {"early-riser", "night-owl"} <= others or len(_dislikes(row)) == 1
        assert not {"cat", "two-cats", "three-cats"} & others or "cat-allergy" not in others
        assert not {"dog", "two-dogs"} & others or "dog-allergy" not in others
        assert "retire-early" not in others or job != "retired"
        assert "teetotal" not in others or not {"wine", "whisky", "craft-beer", "home-brewing", "cocktails"} & likes


def _dislikes(row: Row) -> set[str]:
    return {fact["id"].partition("/")[2] for fact in row["facts"] if fact["polarity"] == -1}


@pytest.mark.parametrize("name", NEW)
def test_sentences_are_not_reused_and_dislikes_are_not_rare(name: str) -> None:
    facts = [fact for row in PROFILES[name] for fact in row["facts"]]
    said = Counter(sentence for fact in facts if fact["slot"] not in SHARED for sentence in fact["say"])
    dislikes = {sentence for fact in facts if fact["polarity"] == -1 for sentence in fact["say"]}
    assert {sentence for sentence, count in said.items() if count > 1} <= dislikes
    assert 0.25 <= sum(bool(_dislikes(row)) for row in PROFILES[name]) / len(PROFILES[name]) <= 0.42


def test_no_profile_and_no_personality_and_no_new_sentence_is_in_two_sets() -> None:
    for kind in (PROFILES, PERSONALITIES):
        sets = [items(row) for content in kind.values() for row in content]
        assert len(set(sets)) == len(sets)
    spoken = {
        name: {sentence for row in content for fact in row["facts"] for sentence in fact["say"]}
        for name, content in PROFILES.items()
    }
    for one, other in combinations(spoken, 2):
        assert {one, other} == {"aloe", "training"} or not spoken[one] & spoken[other], (one, other)


def test_profiles_of_different_sets_share_few_values() -> None:
    """Two profiles have some 13 values each; no pair of an evaluation and a training set shares more than 6."""
    held_out = [items(row) for name in ("aloe", "aloe-unseen") for row in PROFILES[name]]
    pool = [items(row) for name in ("training", "training-full") for row in PROFILES[name]]
    assert max(len(a & b) for a in held_out for b in pool) <= 6


@pytest.mark.parametrize("name", NEW)
def test_personalities_hold_five_to_eight_traits_of_the_ontology(name: str) -> None:
    for row in PERSONALITIES[name]:
        keys = [trait["id"] for trait in row["traits"]]
        assert 5 <= len(keys) <= 8 and len(set(keys)) == len(keys), row["id"]
        for trait in row["traits"]:
            assert set(trait) == {"value", "id", "polarity", "origin"}
            assert ONTOLOGY.values[trait["id"]].slot == TRAIT_SLOT and trait["polarity"] in (1, -1)
            assert [item.id for item in ONTOLOGY.resolve(Item(TRAIT_SLOT, trait["value"]))] == [trait["id"]]


def test_evaluation_people_are_spread_out() -> None:
    people = PROFILES["aloe-unseen"]
    assert len({key for row in people for key in ids(row, "occupation")}) >= 95
    assert len({key for row in people for key in ids(row, "location")}) >= 105
    assert len({key for row in people for key in ids(row, "interests")}) >= 160
    genders = Counter(key for row in people for key in ids(row, "gender"))
    assert min(genders["female"], genders["male"]) >= 50
    ages = sorted(int(key) for row in people for key in ids(row, "age"))
    assert ages[0] <= 19 and ages[-1] >= 70 and 35 <= ages[60] <= 45
