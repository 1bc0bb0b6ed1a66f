"""The ontology's values and the training personas: complete, consistent, each fact recognisable."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
VALUES = ROOT / "rlpa_bench" / "ontology" / "values"
TRAINING = ROOT / "plugins" / "rlpa_bench_plugins" / "suites" / "data" / "training"

FILES = {
    "gender": "Gender",
    "marital": "Marital Status",
    "education": "Educational Background",
    "occupation": "Occupation",
    "interests": "Interests",
    "family": "Family Background",
    "location": "Location",
    "others": "Others",
    "traits": "Personality Traits",
}
AT_LEAST = {
    "gender": 3,
    "marital": 8,
    "education": 35,
    "occupation": 92,
    "interests": 132,
    "family": 40,
    "location": 55,
    "others": 70,
    "traits": 70,
}
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
STYLES = {"length", "warmth", "humour", "directness", "formality", "questions"}


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def names(value: dict[str, Any]) -> set[str]:
    """The label and aliases, folded as a reader would: no case, no hyphens."""
    return {folded(name) for name in (value["label"], *value["aliases"])}


def folded(text: str) -> str:
    return re.sub(r"[\s\-]+", " ", text.casefold())


ONTOLOGY = [value for path in sorted(VALUES.glob("*.jsonl")) for value in rows(path)]
OWN = [(name, value) for name in FILES for value in rows(VALUES / f"{name}.jsonl")]
BY_ID = {value["id"]: value for value in ONTOLOGY}
PROFILES = rows(TRAINING / "profiles.jsonl")
PERSONALITIES = rows(TRAINING / "personalities.jsonl")
FACTS = [(profile["id"], fact) for profile in PROFILES for fact in profile["facts"]]


def test_ids_are_unique_and_lie_in_their_slot() -> None:
    assert len(BY_ID) == len(ONTOLOGY)
    assert [value["id"] for name, value in OWN if value["slot"] != FILES[name]] == []
    assert [value["id"] for name, value in OWN if not re.fullmatch(rf"{name}/[a-z0-9-]+", value["id"])] == []


@pytest.mark.parametrize("name", FILES)
def test_there_are_enough_values(name: str) -> None:
    assert sum(own == name for own, _ in OWN) >= AT_LEAST[name]


def test_parents_exist_in_the_same_slot_and_never_lead_back() -> None:
    for value in ONTOLOGY:
        line = [value["id"]]
        while parent := BY_ID[line[-1]].get("parent"):
            assert parent in BY_ID, f"{line[-1]} has the unknown parent {parent}"
            assert BY_ID[parent]["slot"] == value["slot"], line
            assert parent not in line, f"{parent} is its own ancestor"
            line.append(parent)


def test_no_name_stands_for_two_values_of_a_slot() -> None:
    owners: dict[tuple[str, str], list[str]] = {}
    for value in ONTOLOGY:
        for name in names(value):
            owners.setdefault((value["slot"], name), []).append(value["id"])
    assert {key: ids for key, ids in owners.items() if len(ids) > 1} == {}


def test_aliases_and_cues_are_lower_case_and_apart() -> None:
    for name, value in OWN:
        texts = [*value["aliases"], *value["cues"]]
        assert all(text == text.lower().strip() for text in texts), value["id"]
        assert len(set(texts)) == len(texts), value["id"]
        assert value["label"].lower() not in texts, value["id"]
        assert len(value["aliases"]) >= 4, value["id"]
        assert name == "traits" or 6 <= len(value["cues"]) <= 14, value["id"]


def test_only_traits_have_a_style_and_it_is_in_range() -> None:
    for name, value in OWN:
        assert ("style" in value) == (name == "traits"), value["id"]
    for _, value in OWN:
        style = value.get("style", {"length": 1})
        assert style and set(style) <= STYLES, value["id"]
        assert all(weight in (-2, -1, 1, 2) for weight in style.values()), value["id"]


def test_the_pool_is_large_enough_and_its_ids_are_unique() -> None:
    assert len(PROFILES) >= 64 and len(PERSONALITIES) >= 24
    ids = [row["id"] for row in (*PROFILES, *PERSONALITIES)]
    assert len(set(ids)) == len(ids)
    sets = [frozenset(fact["id"] for fact in profile["facts"]) for profile in PROFILES]
    assert len(set(sets)) == len(sets)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile["id"])
def test_a_profile_has_every_slot_as_often_as_it_should(profile: dict[str, Any]) -> None:
    counts = Counter(fact["slot"] for fact in profile["facts"])
    assert set(counts) == set(CARDINALITY)
    for slot, (least, most) in CARDINALITY.items():
        assert least <= counts[slot] <= most, slot
    assert 11 <= len(profile["facts"]) <= 14
    assert len({fact["id"] for fact in profile["facts"]}) == len(profile["facts"])
    assert sum(fact["polarity"] == -1 for fact in profile["facts"]) <= 1


def test_about_a_third_of_the_profiles_hold_a_dislike() -> None:
    share = len({owner for owner, fact in FACTS if fact["polarity"] == -1}) / len(PROFILES)
    assert 0.25 <= share <= 0.42


def test_facts_resolve_to_values_of_their_slot() -> None:
    for owner, fact in FACTS:
        assert set(fact) == {"slot", "value", "id", "polarity", "origin", "say"}, owner
        assert fact["polarity"] in (1, -1) and fact["origin"] == "written" and fact["value"], owner
        if fact["slot"] == "Age":
            assert fact["id"] == f"age/{fact['value']}" and 18 <= int(fact["value"]) <= 78, owner
        else:
            assert BY_ID[fact["id"]]["slot"] == fact["slot"] != "Personality Traits", (owner, fact["id"])


def test_every_sentence_names_its_value_and_is_short() -> None:
    for owner, fact in FACTS:
        wanted = {fact["value"]} if fact["slot"] == "Age" else names(BY_ID[fact["id"]])
        assert len(set(fact["say"])) == len(fact["say"]) == 2, (owner, fact["id"])
        for sentence in fact["say"]:
            text = folded(sentence)
            assert any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in wanted), sentence
            assert 5 <= len(sentence.split()) <= 14, sentence
            assert sentence[0].isupper() and sentence[-1] in ".!?", sentence


def test_sentences_about_most_slots_are_not_reused() -> None:
    shared = {"Age", "Gender", "Marital Status"}
    said = Counter(sentence for _, fact in FACTS if fact["slot"] not in shared for sentence in fact["say"])
    assert [sentence for sentence, n in said.items() if n > 1] == []


def test_personalities_hold_five_to_eight_traits_of_the_ontology() -> None:
    for personality in PERSONALITIES:
        ids = [trait["id"] for trait in personality["traits"]]
        assert 5 <= len(ids) <= 8 and len(set(ids)) == len(ids), personality["id"]
        for trait in personality["traits"]:
            assert set(trait) == {"value", "id", "polarity", "origin"}, personality["id"]
            assert BY_ID[trait["id"]]["slot"] == "Personality Traits" and trait["polarity"] in (1, -1)
