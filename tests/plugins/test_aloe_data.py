"""The converted evaluation personas of ALOE (arXiv 2410.03642): well formed, and true to their source."""

import json
import os
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from rlpa_bench.ontology import Ontology
from rlpa_bench.types import Item

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "plugins/rlpa_bench_plugins/suites/data/aloe"
VALUES = ROOT / "rlpa_bench/ontology/values"
TRAIT_SLOT = "Personality Traits"
PREFIXES = {
    "Age": "age",
    "Gender": "gender",
    "Interests": "interests",
    "Educational Background": "education",
    "Occupation": "occupation",
    "Marital Status": "marital",
    "Family Background": "family",
    "Location": "location",
    "Others": "others",
}
SOURCE_VARIABLE = "RLPA_BENCH_ALOE_SOURCE"


def read_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def says(text: str, phrase: str) -> bool:
    """Whether `phrase` stands in `text` as whole words, case aside."""
    return re.search(rf"(?<!\w){re.escape(phrase.casefold())}(?!\w)", text.casefold()) is not None


PROFILES = read_lines(DATA / "profiles.jsonl")
PERSONALITIES = read_lines(DATA / "personalities.jsonl")
SOURCES = json.loads((DATA / "sources.json").read_text(encoding="utf-8"))
ONTOLOGY = [value for path in sorted(VALUES.glob("*.jsonl")) for value in read_lines(path)]
BY_ID = {value["id"]: value for value in ONTOLOGY}


def forms(value_id: str) -> list[str]:
    return [BY_ID[value_id]["label"].casefold(), *BY_ID[value_id]["aliases"]]


def test_twenty_profiles_in_source_order() -> None:
    assert [p["id"] for p in PROFILES] == [f"aloe-{n:02}" for n in range(1, 21)]


def test_seven_personalities_of_which_five_are_used() -> None:
    assert [p["id"] for p in PERSONALITIES] == [f"aloe-p{n}" for n in range(1, 8)]
    assert [p["used"] for p in PERSONALITIES] == [True] * 5 + [False] * 2


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p["id"])
def test_profile_covers_every_slot_and_repeats_no_value(profile: dict[str, Any]) -> None:
    ids = [f["id"] for f in profile["facts"]]
    assert len(set(ids)) == len(ids)
    assert {f["slot"] for f in profile["facts"]} == set(PREFIXES)
    assert Counter(f["slot"] for f in profile["facts"])["Age"] == 1


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p["id"])
def test_facts_are_well_formed(profile: dict[str, Any]) -> None:
    for fact in profile["facts"]:
        assert set(fact) == {"slot", "value", "id", "polarity", "origin", "say"}
        assert fact["origin"] in {"aloe", "completed"}
        assert fact["polarity"] in {1, -1}
        assert fact["id"].split("/")[0] == PREFIXES[fact["slot"]]


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p["id"])
def test_facts_resolve_in_the_ontology(profile: dict[str, Any]) -> None:
    for fact in profile["facts"]:
        if fact["slot"] == "Age":
            assert fact["id"] == f"age/{int(fact['value'])}"
        else:
            assert BY_ID[fact["id"]]["slot"] == fact["slot"]
            assert fact["value"].casefold() in forms(fact["id"])


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p["id"])
def test_facts_are_said_in_two_recognisable_ways(profile: dict[str, Any]) -> None:
    for fact in profile["facts"]:
        phrases = [fact["value"]] if fact["slot"] == "Age" else forms(fact["id"])
        assert len(fact["say"]) == len(set(fact["say"])) == 2
        for sentence in fact["say"]:
            assert any(says(sentence, phrase) for phrase in phrases), sentence
            assert 5 <= len(sentence.split()) <= 14, sentence


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p["id"])
def test_the_ontology_reads_each_fact_and_no_other(profile: dict[str, Any]) -> None:
    ontology = Ontology.load()
    for fact in profile["facts"]:
        read = ontology.resolve(Item(fact["slot"], fact["value"]))
        assert [(item.id, item.polarity) for item in read] == [(fact["id"], 1)]
        for sentence in fact["say"]:
            assert {m.value.id for m in ontology.mentions(sentence)} == {fact["id"]}, sentence


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p["id"])
def test_no_two_facts_of_a_profile_are_in_conflict(profile: dict[str, Any]) -> None:
    pairs = combinations([fact["id"] for fact in profile["facts"]], 2)
    assert not [pair for pair in pairs if Ontology.load().conflict(*pair)]


@pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda p: p["id"])
def test_traits_resolve_in_the_ontology(personality: dict[str, Any]) -> None:
    ids = [t["id"] for t in personality["traits"]]
    assert len(set(ids)) == len(ids)
    for trait in personality["traits"]:
        assert set(trait) == {"value", "id", "polarity", "origin"}
        assert (trait["polarity"], trait["origin"]) == (1, "aloe")
        assert BY_ID[trait["id"]]["slot"] == TRAIT_SLOT
        assert trait["value"].casefold() in forms(trait["id"])


def test_ontology_ids_are_unique_and_parents_exist() -> None:
    assert len(BY_ID) == len(ONTOLOGY)
    for value in ONTOLOGY:
        assert value.get("parent", value["id"]) in BY_ID, value["id"]


def test_no_phrase_names_two_values_of_a_slot() -> None:
    owners: dict[tuple[str, str], set[str]] = {}
    for value in ONTOLOGY:
        for phrase in forms(value["id"]):
            owners.setdefault((value["slot"], phrase), set()).add(value["id"])
    assert not {key: ids for key, ids in owners.items() if len(ids) > 1}


def test_sources_cover_exactly_what_aloe_states() -> None:
    for kind, items, field in (("profiles", PROFILES, "facts"), ("personalities", PERSONALITIES, "traits")):
        assert list(SOURCES[kind]) == [item["id"] for item in items]
        for item in items:
            pairs = SOURCES[kind][item["id"]]
            assert {i for i, _ in pairs} == {f["id"] for f in item[field] if f["origin"] == "aloe"}
            assert all(1 <= len(keyword.split()) <= 3 for _, keyword in pairs)


@pytest.mark.skipif(
    SOURCE_VARIABLE not in os.environ,
    reason=f"set {SOURCE_VARIABLE} to a folder with ALOE's profile_eval.jsonl and personality_eval.jsonl",
)
@pytest.mark.parametrize(
    ("kind", "file"), [("profiles", "profile_eval.jsonl"), ("personalities", "personality_eval.jsonl")]
)
def test_every_keyword_stands_in_its_source_line(kind: str, file: str) -> None:
    lines = read_lines(Path(os.environ[SOURCE_VARIABLE]) / file)
    assert len(lines) == len(SOURCES[kind])
    for line, (name, pairs) in zip(lines, SOURCES[kind].items(), strict=True):
        for value_id, keyword in pairs:
            assert says(line, keyword), (name, value_id, keyword)
