"""Profile matching: a table of cases, the counting rules, and what must hold for any two profiles."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlpa_bench._assignment import assign
from rlpa_bench.errors import UsageError
from rlpa_bench.matching import match_items, match_profiles, match_weighted, released_f1, resolve
from rlpa_bench.ontology import Ontology, Value
from rlpa_bench.types import Item, Profile

ONTOLOGY = Ontology(
    (
        Value("gender/female", "Gender", "female", ("woman",)),
        Value("interests/sport", "Interests", "sport"),
        Value("interests/running", "Interests", "running", ("jogging",), parent="interests/sport"),
        Value("interests/tennis", "Interests", "tennis", parent="interests/sport"),
        Value("interests/painting", "Interests", "painting"),
        Value("occupation/nurse", "Occupation", "nurse"),
        Value("occupation/teacher", "Occupation", "teacher"),
        Value("family/children", "Family Background", "children"),
        Value("family/no-children", "Family Background", "no children"),
        Value("family/two-sons", "Family Background", "two sons"),
        Value("family/three-sons", "Family Background", "three sons"),
    )
)

CASES: list[tuple[str, Any, Any, float, float, int]] = [
    # what it shows, inferred, golden, precision, recall, contradictions
    ("same value", "Interests: running", "Interests: jogging", 1, 1, 0),
    ("broader value", "Interests: sport", "Interests: running", 0.5, 0.5, 0),
    ("narrower value", "Interests: running", "Interests: sport", 0.5, 0.5, 0),
    ("decade", "Age: in her thirties", "Age: 33", 0.5, 0.5, 0),
    ("siblings", "Interests: running", "Interests: tennis", 0, 0, 0),
    ("one-to-one: a parent serves once", "Interests: sport", "Interests: running; tennis", 0.5, 0.25, 0),
    ("exact before broader", "Interests: sport; running", "Interests: running", 0.5, 1, 0),
    ("other age", "Age: 34", "Age: 33", 0, 0, 1),
    ("other occupation", "Occupation: teacher", "Occupation: nurse", 0, 0, 1),
    ("two values where one holds", "Occupation: nurse, teacher", "Occupation: nurse", 0.5, 1, 1),
    ("dislike against like", "Interests: hates running", "Interests: running", 0, 0, 1),
    ("shared dislike", "Interests: hates running", "Interests: dislikes jogging", 1, 1, 0),
    ("denies the broader", "Interests: no sport", "Interests: running", 0, 0, 1),
    ("denies the narrower only", "Interests: no running", "Interests: sport", 0, 0, 0),
    ("other number", "Family Background: 3 sons", "Family Background: two sons", 0, 0, 1),
    ("no children", "Family Background: no children", "Family Background: children", 0, 0, 1),
    ("slot guessed wrong", "Others: nurse", "Occupation: nurse", 1, 1, 0),
    ("no slot", "- a woman, thirty-three years old", "Gender: female\nAge: 33", 1, 1, 0),
    ("duplicates", "Interests: running\nInterests: jogging\n* RUNNING", "Interests: running", 1, 1, 0),
    ("nothing claimed", "Age: unknown\nInterests: running", "Interests: running", 1, 1, 0),
    ("text, equal", "Others: Collects stamps", "Others: collects stamps.", 1, 1, 0),
    ("text, content words", "Others: the collection of old stamps", "Others: old stamp collection", 1, 1, 0),
    ("text, three of four", "Others: builds wooden toy trains", "Others: wooden toy trains", 1, 1, 0),
    ("text, two of four", "Others: builds wooden toy trains", "Others: toy trains", 0, 0, 0),
    ("text, other number", "Others: owns five guitars", "Others: owns 4 guitars", 0, 0, 1),
    ("text, denied", "Others: does not own a car", "Others: owns a car", 0, 0, 1),
    ("text, opposite", "Others: never eats meat", "Others: eats meat", 0, 0, 1),
    ("text, other slot", "Interests: old stamps", "Family Background: old stamps", 0, 0, 0),
    ("text, open slot", "Interests: old stamps", [("Favourite things", "old stamps")], 1, 1, 0),
    ("text, one-value slot", "Occupation: beekeeper", "Occupation: dragon tamer", 0, 0, 1),
    ("text, one-value slot, common word", "Occupation: sound tamer", "Occupation: dragon tamer", 0, 0, 0),
    ("text beside a known value", "Occupation: beekeeper", "Occupation: nurse", 0, 0, 0),
    ("nothing inferred", "", "Age: 33", 0, 0, 0),
    ("nothing golden", "Age: 33", "", 0, 0, 0),
    ("both empty", "", "", 1, 1, 0),
]


@pytest.mark.parametrize(
    ("name", "inferred", "golden", "precision", "recall", "against"), CASES, ids=[c[0] for c in CASES]
)
def test_cases(name: str, inferred: Any, golden: Any, precision: float, recall: float, against: int) -> None:
    match = match_profiles(inferred, golden, ONTOLOGY)
    assert (match.precision, match.recall, len(match.contradictions)) == (precision, recall, against)
    total = precision + recall
    assert match.f1 == pytest.approx(2 * precision * recall / total if total else 0.0)


GOLD = [f"Others: {word}" for word in ("amber", "birch", "cedar", "dahlia", "elder", "fern")]


@pytest.mark.parametrize(
    ("inferred", "f1"),
    [
        ([*GOLD[:4], "Others: granite"], 0.73),
        (["Others: amber birch cedar dahlia elder fern of the wood behind our house"], 0.0),
        (["Others: amber", *(f"Others: amber {word} stone" for word in "xyzuv")], 2 / 12),
        (["Others: amber", *(f"Others: granite{i}" for i in range(5))], 2 / 12),
        (["Others: amber, birch, cedar, dahlia, elder and fern"], 1.0),
    ],
    ids=["4 right + 1 wrong", "mega-line", "one fact in six wordings", "one right + 5 wrong", "a list in one line"],
)
def test_counting_rules(inferred: list[str], f1: float) -> None:
    assert match_profiles(inferred, GOLD, ONTOLOGY).f1 == pytest.approx(f1, abs=0.005)


def test_assignment_is_of_maximum_weight_not_greedy() -> None:
    assert assign([(0, 0, 0.9), (0, 1, 0.85), (1, 0, 0.8)]) == [(0, 1, 0.85), (1, 0, 0.8)]
    assert assign([]) == []


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 3), st.integers(0, 3)), st.sampled_from([0.25, 0.5, 0.75, 1.0]), max_size=9
    )
)
def test_assignment_against_brute_force(weights: dict[tuple[int, int], float]) -> None:
    chosen = assign([(i, j, value) for (i, j), value in weights.items()])
    best = max(sum(weights.get((i, j), 0.0) for i, j in enumerate(order)) for order in itertools.permutations(range(4)))
    assert sum(value for *_, value in chosen) == pytest.approx(best)
    assert len({i for i, _, _ in chosen}) == len({j for _, j, _ in chosen}) == len(chosen)
    assert all(weights[i, j] == value for i, j, value in chosen)


LINES = (
    "Age: 33",
    "Age: 34",
    "Age: 30s",
    "Gender: woman",
    "Interests: running",
    "Interests: sport",
    "Interests: tennis; painting",
    "Interests: hates painting",
    "Occupation: nurse",
    "Occupation: beekeeper",
    "Family Background: two sons",
    "Others: old stamp collection",
    "Others: collection of old stamps",
    "old stamps, new stamps and one coin",
    "Others: five old guitars",
    "Others: 6 old guitars",
)
profiles = st.lists(st.sampled_from(LINES), max_size=12)


@given(profiles, profiles)
def test_bounds_and_one_to_one(inferred: list[str], golden: list[str]) -> None:
    match = match_profiles(inferred, golden, ONTOLOGY)
    assert 0 <= match.precision <= 1
    assert 0 <= match.recall <= 1
    assert 0 <= match.f1 <= 1
    lefts, rights = [pair[0] for pair in match.pairs], [pair[1] for pair in match.pairs]
    assert len(set(lefts)) == len(set(rights)) == len(match.pairs)
    assert not set(lefts) & set(match.unmatched)
    assert {item for item, _ in match.contradictions} <= set(match.unmatched)
    back = match_profiles(golden, inferred, ONTOLOGY)
    assert (back.precision, back.recall, back.f1) == (match.recall, match.precision, match.f1)


@given(profiles)
def test_a_profile_matches_itself(lines: list[str]) -> None:
    match = match_profiles(lines, lines, ONTOLOGY)
    assert (match.precision, match.recall, match.f1, match.unmatched) == (1, 1, 1, ())
    assert match.flags in ((), ("text",), ("both_empty",))


@given(profiles, profiles, st.randoms(use_true_random=False))
def test_order_bullets_and_duplicates_do_not_matter(inferred: list[str], golden: list[str], random: Any) -> None:
    again = [f"{random.choice(['- ', '* ', '2. ', '  '])}{line}" for line in inferred + inferred[:3]]
    other = list(golden)
    random.shuffle(again)
    random.shuffle(other)
    assert match_profiles(again, other, ONTOLOGY) == match_profiles(inferred, golden, ONTOLOGY)


@pytest.mark.parametrize(
    "form",
    [
        "- Age: 33\n- Interests: hates running",
        ["Age: 33", "Interests: hates running"],
        [("age", "33"), ("Hobbies", "hates running")],
        [{"slot": "Age", "value": "33"}, {"slot": "Interests", "value": "running", "polarity": -1}],
        (Item("Age", "33"), Item("Interests", "running", -1)),
        Profile((Item("Age", "33", 1, "age/33"), Item("Interests", "run", -1, "interests/running"))),
    ],
)
def test_forms_of_a_profile(form: Any) -> None:
    assert {item.key for item in resolve(form, ONTOLOGY)} == {"age/33", "!interests/running"}


@pytest.mark.parametrize(
    "form",
    [[33], {"Age": "33"}, [{"slot": "Age"}], [("Age", "33", "x")], [{"slot": "Age", "value": "3", "polarity": 0}]],
)
def test_other_forms_are_refused(form: Any) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        match_profiles(form, "Age: 33", ONTOLOGY)


def test_cap_keeps_the_same_items_in_any_order() -> None:
    inferred = [Item("Others", f"thing{i}") for i in range(9)]
    match = match_items(inferred, inferred[:2], ONTOLOGY, cap=4)
    assert match.flags == ("capped", "text")
    assert (match.precision, match.recall) == (0.5, 1.0)
    assert match_items(inferred[::-1], inferred[:2], ONTOLOGY, cap=4) == match
    assert "capped" not in match_items(inferred, inferred, ONTOLOGY, cap=9).flags


@pytest.mark.parametrize(
    ("inferred", "golden", "matched", "f1"),
    [
        ("- x\n" * 10, 10, 10, 0.952),
        ("- x\n" * 5, ["x"] * 5, 5, 0.909),
        ("- x\n", 10, 10, 1.667),
        ("- x\n" * 3, "x\n" * 9 + "x", 8, 1.143),
        (10, 10, 10, 1.0),
        ("", 10, 0, 0.0),
        (0, 0, 0, 0.0),
    ],
)
def test_released_f1(
    inferred: int | str | Sequence[str], golden: int | str | Sequence[str], matched: int, f1: float
) -> None:
    assert released_f1(inferred, golden, matched) == pytest.approx(f1, abs=5e-4)


def test_released_f1_needs_lines() -> None:
    with pytest.raises(UsageError, match="0 inferred"):
        released_f1(0, 10, 3)


def test_bundled_ontology_is_the_default() -> None:
    match = match_profiles("Interests: running\nLocation: France", "Interests: jogging\nLocation: Paris")
    assert match.f1 == 0.75


def test_plain_matching_imports_no_scipy() -> None:
    code = (
        "import sys; from rlpa_bench.matching import match_profiles as m;"
        "assert m('Interests: sport\\nAge: 34', 'Interests: running; painting\\nAge: 33').recall == 1 / 6;"
        "assert not {'scipy', 'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


LEFT, RIGHT = ([Item("", text) for text in texts] for texts in (("a", "b", "c"), ("x", "y")))


def test_weights_of_others_are_assigned_one_to_one() -> None:
    """The conflict that greedy matching gets wrong: a~x .9, a~y .85, b~x .8."""
    weights = {("a", "x"): 0.9, ("a", "y"): 0.85, ("b", "x"): 0.8}
    match = match_weighted(LEFT, RIGHT, lambda one, two: weights.get((one.value, two.value), 0.0))
    assert [(one.value, two.value, value) for one, two, value in match.pairs] == [("a", "y", 0.85), ("b", "x", 0.8)]
    assert (match.precision, match.recall, match.f1) == (1.65 / 3, 1.65 / 2, 2 * 1.65 / 5)
    assert [item.value for item in match.unmatched] == ["c"]


def test_weights_of_others_at_the_edges() -> None:
    assert match_weighted([], [], lambda one, two: 1.0).f1 == 1.0
    assert match_weighted([], RIGHT, lambda one, two: 1.0).f1 == 0.0
    assert match_weighted([*LEFT, *LEFT], RIGHT, lambda one, two: 1.0, cap=2).flags == ("capped",)
    with pytest.raises(UsageError, match="between 0 and 1"):
        match_weighted(LEFT, RIGHT, lambda one, two: 2.0)


@given(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=4, max_size=4), max_size=5))
def test_weights_of_others_give_shares(table: list[list[float]]) -> None:
    rows = [Item("", f"row {i}") for i in range(len(table))]
    columns = [Item("", f"column {j}") for j in range(4)]
    match = match_weighted(rows, columns, lambda a, b: table[int(a.value[-1])][int(b.value[-1])])
    assert 0 <= match.f1 <= 1
    assert len({id(a) for a, _, _ in match.pairs}) == len({id(b) for _, b, _ in match.pairs}) == len(match.pairs)
