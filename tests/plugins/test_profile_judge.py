"""The judge ``profile``: every part on turns small enough to count by hand."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from pydantic import ValidationError
from rlpa_bench_plugins.judges import rlpa_bench_judges
from rlpa_bench_plugins.judges.profile import SHARES, ProfileJudge, ProfileOptions

from rlpa_bench.interfaces import Context
from rlpa_bench.ontology import Ontology
from rlpa_bench.types import Item, Profile, TurnSubject, Verdict


class Harness:
    """What the judge uses of a context."""

    ontology = Ontology.load()


NURSE = Item("Occupation", "nurse", id="occupation/nurse")
AGE = Item("Age", "33", id="age/33")
RUNNING = Item("Interests", "running", id="interests/running")
PAINTING = Item("Interests", "painting", id="interests/painting")
CURIOUS = Item("Personality Traits", "curious", id="traits/curious")
GOLD = Profile((NURSE, AGE, RUNNING, PAINTING, CURIOUS))


def turn(*inferred: str, **fields: Any) -> TurnSubject:
    items = tuple(Item(slot, value.strip()) for slot, _, value in (line.partition(":") for line in inferred))
    subject = TurnSubject("case/0/2", 2, 0, (), "Hello", "Hi!", items, GOLD, disclosed=(NURSE, RUNNING))
    return replace(subject, **fields)


def judge(subject: TurnSubject, **options: Any) -> dict[str, Verdict]:
    judged = ProfileJudge(ProfileOptions(**options), cast("Context", Harness()))
    verdicts = asyncio.run(judged.judge(subject))
    assert list(verdicts) == list(ProfileJudge.parts)
    return verdicts


def values(verdicts: dict[str, Verdict]) -> dict[str, float | None]:
    return {part: verdict.value for part, verdict in verdicts.items()}


def test_every_part_of_one_turn() -> None:
    lines = ("Occupation: nurse", "Age: 35", "Interests: painting; chess", "Personality Traits: curious, shy")
    verdicts = judge(turn(*lines))
    assert values(verdicts) == {
        "f1": 2 * 2 / 8,
        "precision": 2 / 4,
        "recall": 2 / 4,
        "trait_f1": 2 * 1 / 3,
        "all_f1": 2 * 3 / 11,
        "recall_disclosed": 1 / 2,
        "hallucination": 2 / 4,
        "lucky": 1 / 4,
        "contradiction": 1 / 4,
        "stale": None,
    }
    assert verdicts["f1"].reason == "2 matched of 4 inferred and 4 golden"
    assert verdicts["hallucination"].reason == "age/35, interests/chess"
    assert verdicts["lucky"].reason == "interests/painting"
    assert verdicts["contradiction"].reason == "age/35"
    assert verdicts["stale"].reason == "nothing superseded"


def test_a_broader_value_counts_half_and_is_no_hallucination() -> None:
    verdicts = judge(turn("Occupation: healthcare worker"))
    assert (verdicts["precision"].value, verdicts["recall"].value) == (0.5, 0.125)
    assert (verdicts["hallucination"].value, verdicts["lucky"].value) == (0.0, 0.0)


def test_copying_what_was_disclosed_is_perfect_on_the_disclosed() -> None:
    verdicts = judge(turn("Occupation: nurse", "Interests: jogging"))
    assert verdicts["recall_disclosed"].value == 1.0
    assert verdicts["recall"].value == 0.5


def test_superseded_values_are_stale_and_not_made_up() -> None:
    old = Item("Location", "Paris", id="location/paris")
    verdicts = judge(turn("Location: Paris", "Occupation: nurse", superseded=(old,)))
    assert (verdicts["stale"].value, verdicts["hallucination"].value) == (0.5, 0.0)
    assert verdicts["stale"].reason == "location/paris"
    back = replace(turn("Location: Paris", superseded=(old,)), gold=Profile((old,)))
    assert judge(back)["stale"].value == 0.0


def test_nothing_inferred() -> None:
    verdicts = judge(turn())
    assert values(verdicts) == dict.fromkeys(ProfileJudge.parts) | dict.fromkeys(
        ("f1", "recall", "trait_f1", "all_f1", "recall_disclosed"), 0.0
    )
    assert {verdicts[part].reason for part in ("precision", *SHARES)} == {"nothing inferred"}


def test_nothing_inferred_and_nothing_to_infer() -> None:
    verdicts = judge(turn("Personality Traits: curious", gold=Profile((CURIOUS,)), disclosed=()))
    assert (verdicts["f1"].value, verdicts["trait_f1"].value, verdicts["all_f1"].value) == (1.0, 1.0, 1.0)
    assert "both_empty" in verdicts["f1"].reason
    assert verdicts["precision"].status == "unscored"


def test_malformed_output_is_the_candidates_own_failure() -> None:
    verdicts = judge(turn(malformed="no blocks"))
    for part, verdict in verdicts.items():
        assert verdict.value == (None if part in SHARES else 0.0)
        assert verdict.reason == "malformed: no blocks"


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({"disclosed": ()}, {"recall_disclosed": "nothing disclosed yet", "stale": "nothing superseded"}),
        (
            {"disclosed": None},
            {
                "recall_disclosed": "what was disclosed is not known",
                "lucky": "what was disclosed is not known",
                "stale": "nothing superseded",
            },
        ),
        (
            {"gold": Profile((NURSE,))},
            {"trait_f1": "the golden profile has no traits", "stale": "nothing superseded"},
        ),
        ({"gold": Profile()}, dict.fromkeys(ProfileJudge.parts, "no golden profile")),
    ],
)
def test_what_cannot_be_known_is_unscored_with_a_reason(fields: dict[str, Any], reasons: dict[str, str]) -> None:
    verdicts = judge(turn("Occupation: nurse", **fields))
    assert {part: v.reason for part, v in verdicts.items() if v.status == "unscored"} == reasons


def test_cap_is_an_option_and_is_said() -> None:
    verdicts = judge(turn("Interests: chess, tennis, surfing", "Occupation: nurse"), cap=2)
    assert verdicts["f1"].reason.endswith("capped")
    assert verdicts["precision"].value == 0.0
    with pytest.raises(ValidationError):
        ProfileOptions(cap=0)


def test_it_is_offered_by_the_hook_and_names_its_ontology() -> None:
    assert ProfileJudge in list(rlpa_bench_judges())
    built = ProfileJudge(ProfileOptions(), cast("Context", Harness()))
    assert built.describe() == {"ontology": Ontology.load().digest}
    assert set(ProfileJudge.reward) <= set(ProfileJudge.parts)
