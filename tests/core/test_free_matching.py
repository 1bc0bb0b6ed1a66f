"""Matching under free keys: by text and synonyms, one to one, and never where the ten slots apply."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpa_bench.free_matching import FreeMatcher, matcher, normal_key, synonyms
from rlpa_bench.matching import ClosedMatcher, match_profiles
from rlpa_bench.ontology import Ontology
from rlpa_bench.types import SLOTS, Item

FREE = FreeMatcher()
ONTOLOGY = Ontology.load()


def gold(*facts: tuple[str, str] | tuple[str, str, int]) -> list[Item]:
    return [Item(fact[0], fact[1], fact[2] if len(fact) > 2 else 1, origin="written") for fact in facts]


def weight(line: str, *fact: str | int) -> float:
    (item,) = FREE.resolve(line)
    return FREE.weight(item, gold(fact)[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "fact", "expected"),
    [
        ("- Fave foods: pickled herring", ("Favourite Food", "pickled herring"), 1),
        ("- Afraid of: deep water", ("Biggest Fear", "deep water"), 1),
        ("- Occupation: hospital night porter", ("Job", "night porter in a hospital"), 1),
        ("- Age: 44 years old", ("Age", "44"), 1),
        ("- Lucky number: 17", ("Lucky Number", "17"), 1),
        ("- Pets: three greyhounds", ("Pet", "three rescued greyhounds"), 0.5),
        ("- Pets: two greyhounds", ("Pet", "three greyhounds"), 0),
        ("- Dislikes: coffee", ("Likes", "coffee", -1), 1),
        ("- Likes: coffee", ("Likes", "coffee", -1), 0),
        ("- does not like coffee", ("Likes", "coffee", -1), 1),
        ("- Others: builds kites", ("Hobby", "builds kites"), 1),
        ("- Plan: pickled herring", ("Favourite Food", "pickled herring"), 0.5),
        ("- Pet: fish", ("Favourite Food", "fish"), 0),
        ("- Favourite Food: pizza", ("Favourite Food", "pickled herring"), 0),
        ("- Kids: two children", ("Family", "2 kids"), 1),
    ],
)
def test_weights(line: str, fact: tuple[str, str], expected: float) -> None:
    assert weight(line, *fact) == expected


def test_lines_are_split_at_semicolons_and_short_lists() -> None:
    lines = (
        "- Pets: a dog; two cats\n- Hobbies: chess, running and kites\n"
        "- Goal: to own a printing press and never to sell it\n- Fear: unknown"
    )
    assert [(item.slot, item.value) for item in FREE.resolve(lines)] == [
        ("Pets", "a dog"),
        ("Pets", "two cats"),
        ("Interests", "chess"),
        ("Interests", "running"),
        ("Interests", "kites"),
        ("Goal", "to own a printing press and never to sell it"),
    ]


def test_pairs_are_one_to_one_and_flagged() -> None:
    golden = gold(("Pet", "a red dog"), ("Fear", "deep water"))
    match = FREE.match(FREE.resolve("- Pet: red dog\n- Animal: a red dog called Bo\n- Fear: deep water"), golden)
    assert len(match.pairs) == 2
    assert (match.precision, match.recall) == (pytest.approx(2 / 3), 1)
    assert match.flags == ("free",)


def test_contradictions() -> None:
    golden = gold(("Likes", "coffee", -1), ("Age", "44"), ("Favourite Colour", "green"), ("Hobby", "chess"))
    lines = "- Likes: coffee\n- Age: 45\n- Favourite colour: blue\n- Hobby: running"
    match = FREE.match(FREE.resolve(lines), golden)
    assert {(item.value, other.value) for item, other in match.contradictions} == {
        ("coffee", "coffee"),
        ("45", "44"),
        ("blue", "green"),
    }
    assert match.f1 == 0


def test_both_empty_one_empty_and_capped() -> None:
    assert FREE.match([], []).flags == ("both_empty",)
    assert FREE.match([], gold(("Pet", "a dog"))).f1 == 0
    many = FREE.resolve("\n".join(f"- Fact {n}: thing {n}" for n in range(9)))
    assert FreeMatcher(cap=3).match(many, gold(("Fact 1", "thing 1"))).flags == ("free", "capped")


def test_only_golden_keys_beside_the_ten_slots_call_for_it() -> None:
    closed = [Item("Interests", "chess", 1, "interests/chess"), Item("Others", "keeps llamas")]
    assert isinstance(matcher(closed, ONTOLOGY), ClosedMatcher)
    assert isinstance(matcher([*closed, Item("Pet", "llama")], ONTOLOGY), FreeMatcher)
    assert isinstance(matcher([Item("", "keeps llamas")], ONTOLOGY), ClosedMatcher)
    lines = "- Interests: chess\n- Pet: llama\n- Age: 40"
    by = matcher(closed, ONTOLOGY)
    assert by.match(by.resolve(lines), by.resolve(closed)) == match_profiles(lines, closed)


def test_the_table_is_consistent() -> None:
    table = synonyms()
    assert len(table.keys) > 150 and len(table.words) > 100 and len(table.single) > 20
    for entries in (table.keys, table.words):
        assert all(entries.get(value, value) == value for value in entries.values()), "a group leads to another"
    assert table.single <= set(table.keys.values())
    assert normal_key("My favorite foods") == normal_key("Fave dish") == "favourite food"
    assert normal_key("Occupation") == normal_key("day job") == "job"


values = st.text("abcdefgh 12", min_size=1, max_size=12).filter(str.strip)
items = st.lists(
    st.builds(Item, st.sampled_from(["Pet", "Job", "Fear", "", *SLOTS[:3]]), values, st.sampled_from([1, -1])),
    max_size=8,
)


@settings(deadline=None)
@given(items, items)
def test_shares_lie_between_nought_and_one_and_pairs_are_one_to_one(inferred: list[Item], golden: list[Item]) -> None:
    match = FREE.match(inferred, golden)
    assert 0 <= match.f1 <= 1 and 0 <= match.precision <= 1 and 0 <= match.recall <= 1
    for side in (0, 1):
        assert len({id(pair[side]) for pair in match.pairs}) == len(match.pairs)
    assert FREE.match(list(reversed(inferred)), list(reversed(golden))) == match


@settings(deadline=None)
@given(items)
def test_a_profile_states_itself(golden: list[Item]) -> None:
    assert FREE.match(golden, golden).f1 == pytest.approx(1)


@settings(deadline=None)
@given(items, items)
def test_weights_are_symmetric(inferred: list[Item], golden: list[Item]) -> None:
    for one in inferred:
        for other in golden:
            assert FREE.weight(one, other) == FREE.weight(other, one)
