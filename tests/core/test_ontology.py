"""Reading profile lines against a small ontology, and the bundled one as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlpa_bench.contract import Contract
from rlpa_bench.errors import DataError
from rlpa_bench.ontology import DIMENSIONS, EXCLUSIVE, Ontology, Value
from rlpa_bench.ontology._values import BESIDE, DENIED
from rlpa_bench.types import Item

VALUES = (
    Value("interests/sport", "Interests", "sport", ("sports",), cues=("match", "referee")),
    Value("interests/running", "Interests", "running", ("jogging", "goes for a run"), ("trainers",), "interests/sport"),
    Value("interests/trail-running", "Interests", "trail running", parent="interests/running"),
    Value("interests/tennis", "Interests", "tennis", cues=("match",), parent="interests/sport"),
    Value("interests/painting", "Interests", "painting"),
    Value("interests/drum-and-bass", "Interests", "drum and bass"),
    Value("interests/cats", "Interests", "cats"),
    Value("marital/married", "Marital Status", "married", ("has a wife",)),
    Value("marital/divorced", "Marital Status", "divorced"),
    Value("occupation/nurse", "Occupation", "nurse"),
    Value("occupation/teacher", "Occupation", "teacher"),
    Value("location/france", "Location", "France"),
    Value("location/paris", "Location", "Paris", parent="location/france"),
    Value("location/st-louis", "Location", "St. Louis"),
    Value("location/coast", "Location", "coast"),
    Value("family/children", "Family Background", "children", ("kids",)),
    Value("family/no-children", "Family Background", "no children", ("no kids",)),
    Value("family/two-brothers", "Family Background", "two brothers", ("2 brothers",)),
    Value("others/dog", "Others", "a dog", ("dog",)),
    Value("others/teetotal", "Others", "no alcohol"),
    Value("others/cafe", "Others", "café regular"),
    Value("others/fish", "Others", "fish but no meat"),
    Value("traits/blunt", "Personality Traits", "blunt", style={"directness": 2.0, "warmth": -1.0}),
    Value("traits/warm", "Personality Traits", "warm", style={"warmth": 2.0}),
)


@pytest.fixture(scope="module")
def ontology() -> Ontology:
    return Ontology(VALUES)


@pytest.fixture(scope="module")
def bundled() -> Ontology:
    return Ontology.load()


RESOLVED = [
    # slot, text, what it becomes: an id or free text, "!" in front of what is denied
    ("Interests", "running; painting", ["interests/running", "interests/painting"]),
    (
        "Interests",
        "- **Running**, tennis and painting.",
        ["interests/running", "interests/tennis", "interests/painting"],
    ),
    ("Interests", "stamps, old coins and chess", ["Interests=stamps", "Interests=old coins", "Interests=chess"]),
    ("Interests", "drum and bass & jogging", ["interests/drum-and-bass", "interests/running"]),
    ("Interests", "RUNNING; ｒｕｎｎｉｎｇ; jogging", ["interests/running"]),
    ("Interests", "a cat", ["interests/cats"]),
    ("Interests", "does not like running", ["!interests/running"]),
    ("Interests", "doesn’t like running", ["!interests/running"]),
    ("Interests", "doesn't hate running", ["interests/running"]),
    (
        "Interests",
        "hates running and tennis, loves painting",
        ["!interests/running", "!interests/tennis", "interests/painting"],
    ),
    ("Interests", "can't stand tennis but enjoys sports", ["!interests/tennis", "interests/sport"]),
    ("Interests", "used to go running", ["!interests/running"]),
    ("Interests", "trail running with friends in the hills", ["interests/trail-running"]),
    ("Interests", "has a dog", ["others/dog"]),
    ("", "Dislikes: tennis", ["!interests/tennis"]),
    ("", "is a nurse who loves painting", ["occupation/nurse", "interests/painting"]),
    ("", "my mother is a nurse", ["=mother is a nurse"]),
    ("", "Favourite food: pizza", ["Favourite food=pizza"]),
    ("Marital Status", "not married", ["!marital/married"]),
    ("Marital Status", "no longer married", ["!marital/married"]),
    ("Occupation", "works as a nurse on night shifts", ["occupation/nurse"]),
    ("Occupation", "nurse and teacher", ["occupation/nurse", "occupation/teacher"]),
    ("Occupation", "head of research and development", ["Occupation=head of research and development"]),
    ("Location", "Paris, France", ["location/paris"]),
    ("Location", "Springfield, Ohio", ["Location=springfield ohio"]),
    ("Family Background", "no kids, 2 brothers", ["family/no-children", "family/two-brothers"]),
    ("Family Background", "does not have any children", ["family/no-children"]),
    ("Others", "fish but no meat", ["others/fish"]),
    ("Others", "drinks no alcohol", ["others/teetotal"]),
    ("Others", "Café Regular", ["others/cafe"]),
    ("Others", "cafe regular", ["others/cafe"]),
    ("Others", "owns 1,200 stamps", ["Others=owns 1200 stamps"]),
    ("Others", "runs 5km in thirty-three minutes", ["Others=runs 5 km in 33 minute"]),
    ("Others", "has no dog", ["!others/dog"]),
    ("Age", "thirty-three", ["age/33"]),
    ("Age", "33 years old", ["age/33"]),
    ("Age", "about 33", ["age/33"]),
    ("Age", "in his early thirties", ["age/30s"]),
    ("Age", "30s", ["age/30s"]),
    ("Age", "between 31 and 35", ["age/30s"]),
    ("Age", "31-35", ["age/30s"]),
    ("Age", "28-35", ["Age=28-35"]),
    ("Age", "not 33", ["!age/33"]),
    ("Age", "young", ["Age=young"]),
    ("", "33 years old", ["age/33"]),
    ("Others", "33", ["Others=33"]),
    ("Age", "unknown", []),
    ("Interests", "Not mentioned so far", []),
    ("Others", "N/A", []),
    ("Others", " - ", []),
]


@pytest.mark.parametrize(("slot", "text", "keys"), RESOLVED)
def test_resolve(ontology: Ontology, slot: str, text: str, keys: list[str]) -> None:
    assert [item.key for item in ontology.resolve(Item(slot, text))] == keys


def test_resolve_turns_round_and_keeps_what_it_is_given(ontology: Ontology) -> None:
    known = Item("Interests", "Sport!", -1, "interests/sport", "aloe", ("I hate sport.",))
    assert ontology.resolve(known) == (known,)
    free = ontology.resolve(Item("Interests", "hates jogging", -1, origin="written", say=("Jog on.",)))
    assert [(i.id, i.polarity, i.origin, i.say) for i in free] == [("interests/running", 1, "written", ("Jog on.",))]


@given(st.text(max_size=60), st.sampled_from(["", "Age", "Interests", "Location", "Favourite food"]))
def test_resolve_takes_any_text(text: str, slot: str) -> None:
    ontology = SHARED
    items = ontology.resolve(Item(slot, text))
    assert len(set(items)) == len(items)
    assert all(
        item.polarity in (1, -1) and item.value and (not item.id or item.id in ontology.values) for item in items
    )


SHARED = Ontology(VALUES)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ["the ", "running, ", "running and ", " ", "\n", "not ", "-", "1,", "running "])
def test_hostile_lengths_are_read_in_reasonable_time(ontology: Ontology, text: str) -> None:
    long = f"x{text * 100_000}y"
    ontology.mentions(long)
    ontology.resolve(Item("", long))
    ontology.resolve(Item("Occupation", long))


def test_mentions_are_whole_words_longest_first_and_in_place(ontology: Ontology) -> None:
    text = "Trail-running beats running; St. Louis. Running overnight, Paris' cafés: café regular, sporty I'm 33."
    found = ontology.mentions(text)
    assert [mention.value.id for mention in found] == [
        "interests/trail-running",
        "interests/running",
        "location/st-louis",
        "interests/running",
        "location/paris",
        "others/cafe",
        "age/33",
    ]
    assert all(text[mention.start : mention.end] == mention.text for mention in found)
    assert ontology.mentions("He likes trail. Running is fun.")[0].value.id == "interests/running"
    assert not ontology.mentions("I'm 33 minutes late for 12 of 14 things")
    assert not ontology.mentions("")


def test_cues_count_once_each(ontology: Ontology) -> None:
    text = "The referee stopped the match, and that match was over. New trainers!"
    assert ontology.cued(text) == {"interests/sport": 2, "interests/tennis": 1, "interests/running": 1}


def test_relation(ontology: Ontology) -> None:
    pairs = {
        ("interests/sport", "interests/trail-running"): "parent",
        ("interests/trail-running", "interests/sport"): "child",
        ("interests/running", "interests/tennis"): "",
        ("interests/running", "interests/running"): "same",
        ("age/33", "age/30s"): "child",
        ("age/30s", "age/33"): "parent",
        ("", ""): "",
        ("interests/nothing", "interests/sport"): "",
    }
    assert {pair: ontology.relation(*pair) for pair in pairs} == pairs


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("occupation/nurse", "occupation/teacher", True),
        ("location/paris", "location/st-louis", True),
        ("location/paris", "location/france", False),
        ("location/paris", "location/coast", False),
        ("age/33", "age/34", True),
        ("age/33", "age/30s", False),
        ("interests/running", "interests/painting", False),
        ("family/no-children", "family/children", True),
        ("occupation/nurse", "marital/married", False),
    ],
)
def test_conflict(ontology: Ontology, a: str, b: str, expected: bool) -> None:
    assert ontology.conflict(a, b) is expected
    assert ontology.conflict(b, a) is expected


def test_style_is_the_mean_over_traits_that_speak_of_it(ontology: Ontology) -> None:
    traits = [Item("Personality Traits", "blunt; warm"), Item("Personality Traits", "tall")]
    style = ontology.style(traits)
    assert style == {**dict.fromkeys(DIMENSIONS, 0.0), "directness": 2.0, "warmth": 0.5}
    assert ontology.style([Item("Personality Traits", "not blunt")])["directness"] == -2.0


GOOD = {"id": "interests/chess", "slot": "Interests", "label": "chess"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "no ontology values"),
        ([{**GOOD, "slot": "Hobby"}], "line 1 of the ontology"),
        ([{"id": "interests/chess", "slot": "Interests"}], "line 1 of the ontology"),
        ([GOOD, GOOD], "is there twice"),
        ([{**GOOD, "parent": "interests/games"}], "unknown parent"),
        ([{**GOOD, "parent": "interests/chess"}], "own ancestor"),
        ([{**GOOD, "style": {"speed": 1}}], "style speed"),
        ([{**GOOD, "style": {"warmth": 3}}], "style warmth"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path: Path, lines: list[dict[str, object]], message: str) -> None:
    if lines:
        (tmp_path / "interests.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        Ontology.load(tmp_path)


def test_digest_follows_the_content(tmp_path: Path) -> None:
    file = tmp_path / "interests.jsonl"
    file.write_text(json.dumps(GOOD), encoding="utf-8")
    first = Ontology.load(tmp_path)
    file.write_text(json.dumps({**GOOD, "label": "chess games"}), encoding="utf-8")
    assert Ontology.load(tmp_path).digest != first.digest
    assert len(first.digest) == 64


def test_bundled_names_mean_what_they_name(bundled: Ontology) -> None:
    """Every label and alias, written in its own slot, resolves to its value and to nothing else."""
    wrong = [
        (value.id, name)
        for value in bundled.values.values()
        if value.slot != "Age"
        for name in (value.label, *value.aliases)
        if [(item.id, item.polarity) for item in bundled.resolve(Item(value.slot, name))] != [(value.id, 1)]
    ]
    assert wrong == []


@pytest.mark.parametrize("polarity", [1, -1])
def test_bundled_values_survive_the_contract(bundled: Ontology, polarity: int) -> None:
    wrong = []
    for value in bundled.values.values():
        if polarity < 0 and value.id in DENIED:
            continue
        lines = Contract.lines([Item(value.slot, value.label, polarity, value.id)])
        read = [atom for line in Contract.items(lines) for atom in bundled.resolve(line)]
        if [(item.id, item.polarity) for item in read] != [(value.id, polarity)]:
            wrong.append((value.id, lines))
    assert wrong == []


def test_bundled_holds_what_the_code_names(bundled: Ontology) -> None:
    assert (BESIDE | {*DENIED, *DENIED.values()}) <= set(bundled.values)
    assert all(bundled.slot(slot) for slot in EXCLUSIVE)
    assert bundled is Ontology.load()
    assert bundled.exclusive("Age")
    assert not bundled.exclusive("Interests")
    assert bundled.slot("Hobby") == ()


@pytest.mark.parametrize("text", ["pottery's", "pottery s", "a teacher's", "bachelor's and pottery's"])
def test_a_possessive_ending_is_read_like_any_text(bundled: Ontology, text: str) -> None:
    """A trained policy wrote such a line, and the singular of its last word is empty."""
    assert all(item.value for item in bundled.resolve(Item("Interests", text)))
