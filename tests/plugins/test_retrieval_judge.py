"""The judge ``retrieval``: what counts as evidence, what does not, and that any text gets a legal verdict."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rlpa_bench_plugins.judges.retrieval import RetrievalJudge
from rlpa_bench_plugins.judges.retrieval.grams import content, grams
from rlpa_bench_plugins.suites.training import TrainingSuite

from rlpa_bench.cards.attacks import scripted_subjects
from rlpa_bench.cards.judge import judge_card
from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.scoring import with_other_gold
from rlpa_bench.types import Exchange, Item, Profile, TurnSubject, Verdict

ONTOLOGY = Ontology.load()
CONTEXT: Any = SimpleNamespace(ontology=ONTOLOGY)
JUDGE = RetrievalJudge(RetrievalJudge.Options(), CONTEXT)
CASES = TrainingSuite(TrainingSuite.Options(), CONTEXT).cases()
SUBJECTS = list(scripted_subjects(Draws("test").shuffled(CASES)[:20]))

POTTERY = Item("Interests", "pottery", 1, "interests/pottery", say=("On Sundays I make lopsided bowls.",))
NURSE = Item("Occupation", "night-shift nurse", 1, "occupation/nurse", say=("I'm a nurse, mostly on nights.",))
HORROR = Item("Interests", "horror films", -1, "interests/horror-films", say=("I can't stand horror films.",))
LISBON = Item("Location", "Lisbon", 1, "location/lisbon", say=("I live in Lisbon.",))
GOLD = (POTTERY, NURSE, HORROR, LISBON)


def subject(reply: str, told: tuple[Item, ...] = (POTTERY,), user: str = "Pottery is my thing.", **more: Any) -> Any:
    settings_: dict[str, Any] = {
        "key": "k", "turn": 3, "session": 0, "history": (Exchange("Hello", "Hi, how are you?"),), "user": user,
        "reply": reply, "inferred": (), "gold": Profile(GOLD), "disclosed": told, "disclosed_now": told[-1:],
    }  # fmt: skip
    return TurnSubject(**settings_ | more)


def judged(turn: TurnSubject) -> Mapping[str, Verdict]:
    return asyncio.run(JUDGE.judge(turn))


def value(turn: TurnSubject, part: str = "score") -> float:
    found = judged(turn)[part].value
    assert found is not None
    return found


GOOD = "Pottery sounds calming. Did the first mug that left your wheel survive the oven?"


def test_a_reply_that_names_a_told_fact_and_adds_to_it_gets_all() -> None:
    assert {part: verdict.value for part, verdict in judged(subject(GOOD)).items()} == dict.fromkeys(JUDGE.parts, 1.0)


def test_it_is_evidence_for_this_user_and_not_for_another() -> None:
    other = subject(GOOD, told=(NURSE,), user="Nights again.", gold=Profile((NURSE, LISBON)))
    assert value(other) == 0
    mine, theirs = SUBJECTS[3], CASES[0] if SUBJECTS[3].key.split("/")[0] != CASES[0].id else CASES[1]
    named = replace(mine, reply=f"Tell me about {(mine.disclosed or ())[0].value}, what surprised the newcomers most?")
    assert value(named) > value(with_other_gold(named, theirs))


@pytest.mark.parametrize(
    ("reply", "part", "most"),
    [
        ("That must be exciting. Which bridges did the Romans build?", "grounding", 0.0),
        ("Pottery is your thing.", "novelty", 0.1),
        ("You make pottery and you live in Lisbon, with a tower outside?", "grounding", 1.0),
        ("You make pottery and you live in Lisbon, with a tower outside.", "grounding", 0.5),
        ("You hate pottery, so clay bores you.", "grounding", 0.0),
        ("**Pottery**: use clay, glaze and an oven.", "form", 0.0),
        (f"{GOOD} " + "The kiln gets hot and the glaze runs down the side of every bowl. " * 20, "form", 0.3),
    ],
)
def test_each_part_has_its_culprit(reply: str, part: str, most: float) -> None:
    assert value(subject(reply), part) <= most
    assert value(subject(reply)) <= most


def test_a_dislike_is_named_by_denying_it() -> None:
    told = {"told": (HORROR,), "user": "Horror films are not for me."}
    assert (
        value(subject("So you never watch horror films, not even the silly ones from the attic.", **told), "grounding")
        == 1
    )
    assert value(subject("You must love horror films, vampires and zombies.", **told), "grounding") == 0


def test_a_value_that_no_longer_holds_counts_against_it() -> None:
    moved = {"told": (POTTERY,), "superseded": (LISBON,), "gold": Profile((POTTERY,))}
    assert value(subject("Pottery again! Is Lisbon full of tiles?", **moved), "grounding") == 0.5
    assert value(subject("Pottery again! Is Lisbon full of tiles?", told=(POTTERY,)), "grounding") == 1


def test_a_story_of_its_own_may_name_two_things_and_a_list_of_cues_may_not() -> None:
    story = "Pottery, lovely! My brother plays chess badly. Which glaze went wrong last?"
    stuffed = "Pottery and chess and jazz and sailing and yoga and tennis and karaoke and baking and golf. Which glaze?"
    assert value(subject(story), "grounding") == 1
    assert value(subject(stuffed), "grounding") < 0.3


def test_the_users_own_words_are_half_the_evidence() -> None:
    taken = subject("Bowls that lean have character. Which one leaks?", user="My bowls come out crooked.")
    assert judged(taken)["grounding"].value == 0.5
    assert value(taken, "uptake") == 1


def test_what_does_not_take_up_the_last_words_counts_half() -> None:
    late = subject(GOOD, user="My sister phoned from the airport.", disclosed_now=())
    assert judged(late)["uptake"].value == 0 and value(late) == 0.5 * value(subject(GOOD))


def test_its_own_words_again_are_nothing_new() -> None:
    again = subject(GOOD, history=(Exchange("Pottery is my thing.", GOOD),), user="Some did.")
    assert value(again, "novelty") == 0 and value(again) == 0


def test_while_nothing_is_told_evidence_is_sought_by_one_or_two_questions() -> None:
    start = {"told": (), "user": "Hello", "history": (), "disclosed_now": ()}
    assert value(subject("Hi there! Which corner of the world do you write from?", **start)) == 1
    for reply in ("Hi there, the harbour was foggy.", "Who? Where? When?", "Hi, as a plumber you start early. Tea?"):
        assert value(subject(reply, **start)) == 0


def test_gender_need_never_be_named() -> None:
    woman = Item("Gender", "female", 1, "gender/female")
    assert (
        judged(subject("Which harbour?", told=(woman,), user="I'm a woman.", gold=Profile((woman,))))["grounding"].value
        == 1
    )


def test_where_the_ledger_is_unknown_the_users_words_tell() -> None:
    assert value(subject(GOOD, disclosed=None, disclosed_now=()), "grounding") == 1
    unheard = subject(GOOD, disclosed=None, disclosed_now=(), user="The tram was late.")
    assert judged(unheard)["grounding"].value == 1 and "asks" in judged(unheard)["grounding"].reason


def test_other_languages_and_broken_outputs() -> None:
    assert {v.status for v in judged(subject(GOOD, language="zh")).values()} == {"unscored"}
    assert {v.value for v in judged(subject(GOOD, malformed="no response block")).values()} == {0.0}


def test_attacks_fail() -> None:
    card = asyncio.run(
        judge_card(JUDGE, SUBJECTS[:60], families=["echo", "null", "flatter", "stuffer"], templates=False)
    )
    assert card["self agreement"] == "deterministic" and card["constant"] is False
    for name, family in card["families"].items():
        assert family["rate"] <= 0.05, name


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400), st.text(max_size=200), st.integers(0, len(SUBJECTS) - 1))
def test_any_text_gets_a_verdict_on_its_scale(reply: str, user: str, which: int) -> None:
    verdicts = judged(replace(SUBJECTS[which], reply=reply, user=user))
    assert set(verdicts) == set(JUDGE.parts)
    assert all(verdict.value is not None and 0 <= verdict.value <= 1 for verdict in verdicts.values())


@given(st.text(max_size=200))
def test_grams_know_no_case_and_no_order_of_words(text: str) -> None:
    assert grams(" ".join(reversed(content(text)))) == frozenset(g for word in content(text) for g in grams(word))


def test_it_shares_no_code_with_the_rule_judge() -> None:
    for entry in files("rlpa_bench_plugins.judges.retrieval").iterdir():
        if entry.name.endswith(".py"):
            tree = ast.parse(entry.read_text(encoding="utf-8"))
            imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
            assert not any("rules" in module for module in imported)
            assert ".cues" not in entry.read_text(encoding="utf-8") and "cued(" not in entry.read_text(encoding="utf-8")


def test_describes_what_decides_its_verdicts() -> None:
    described = JUDGE.describe()
    assert described["version"] == "retrieval/1" and described["ontology"] == ONTOLOGY.digest
