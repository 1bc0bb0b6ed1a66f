"""What the stress suites plan."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from rlpa_bench_plugins.suites import rlpa_bench_suites
from rlpa_bench_plugins.suites.stress.canaries import canaries, canary
from rlpa_bench_plugins.suites.stress.conflict import DISTANCES, FIRST, KINDS
from rlpa_bench_plugins.suites.stress.long import LongContract
from rlpa_bench_plugins.suites.stress.restraint import PERSONAL, PLAIN
from rlpa_bench_plugins.suites.stress.sessions import OTHER_PERSON

from rlpa_bench.contract import Contract
from rlpa_bench.ontology import Ontology
from rlpa_bench.transcripts import adapter
from rlpa_bench.types import Case, Exchange

SUITES = {suite.name: suite for suite in rlpa_bench_suites()}
STRESS = ("aloe-long", "aloe-conflict", "aloe-sessions", "aloe-restraint")


class FakeContext:
    contract = Contract()
    ontology = Ontology.load()


def make(name: str, **options: Any) -> Any:
    return SUITES[name](SUITES[name].Options(**options), FakeContext())  # type: ignore[arg-type]


def kinds(case: Case) -> list[str]:
    return [remark.kind for remark in case.remarks]


@pytest.mark.parametrize("pool", ["unseen", "training"])
@pytest.mark.parametrize("name", STRESS)
def test_every_case_is_sound_and_the_same_each_time(name: str, pool: str) -> None:
    suite = make(name, pool=pool)
    cases = suite.cases()
    assert cases == make(name, pool=pool).cases()
    assert len({case.id for case in cases}) == len(cases)
    assert len({case.cluster for case in cases}) == (120 if pool == "unseen" else 67)
    assert {case.templates for case in cases} == {"evaluation" if pool == "unseen" else "training"}
    for case in cases:
        assert case.gold is not None
        turns = [remark.turn for remark in case.remarks]
        assert turns == sorted(set(turns)) and turns[-1] <= case.turns
        ever = {item.key for item in (*case.gold.items, *(c.new for c in case.gold.changes if c.new))}
        assert all(set(remark.disclosed) <= ever and "{" not in remark.text for remark in case.remarks)
        for remark in case.remarks:
            session = next(i for i in range(9) if sum(s.turns for s in case.sessions[: i + 1]) >= remark.turn)
            assert set(remark.disclosed) <= {item.key for item in case.gold.at(session, remark.turn).items}


@pytest.mark.parametrize("name", STRESS)
def test_a_smaller_sample_is_part_of_a_larger_one(name: str) -> None:
    suite = make(name)
    small, large = ({case.id for case in suite.sample(n)} for n in (6, 20))
    assert small < large and (len(small), len(large)) == (6, 20)


@pytest.mark.parametrize("name", STRESS)
def test_cases_survive_json_and_are_described(name: str) -> None:
    suite = make(name)
    case = suite.cases()[3]
    assert adapter(Case).validate_json(adapter(Case).dump_json(case)) == case
    assert {"remarks", "profiles", "personalities", "ontology"} <= set(suite.describe())


def test_conflict_pairs_every_case_with_a_twin_that_begins_alike_and_changes_nothing() -> None:
    cases = make("aloe-conflict").cases()
    changed, twins = cases[::2], cases[1::2]
    assert set(Counter((c.factors["change"], c.factors["distance"]) for c in changed).values()) == {15}
    for case, twin in zip(changed, twins, strict=True):
        assert twin.id == f"{case.id}-twin" and twin.factors["change"] == "none"
        assert case.gold is not None and twin.gold is not None and not twin.gold.changes
        assert case.gold.items == twin.gold.items and case.remarks[0] == twin.remarks[0]
        start = FIRST + DISTANCES[case.factors["distance"]]
        assert case.gold.changes[0].turn == next(r.turn for r in twin.remarks if r.kind == "elsewhere") == start
        assert case.gold.changes[0].old == case.remarks[0].disclosed[0]
        assert len(case.gold.changes) == (2 if case.factors["change"] == "reversed" else 1)
        if case.factors["change"] == "reversed":
            assert case.gold.at(0, case.turns).items[0].key == case.gold.items[0].key
            assert {i.key for i in case.gold.at(0, case.turns).items} == {i.key for i in case.gold.items}
        assert (case.gold.changes[0].new is None) == (case.factors["change"] == "withdrawn")
        assert ("implied" in kinds(case)) == (case.factors["change"] == "implied")
    assert {case.factors["slot"] for case in changed} == {"Occupation", "Location", "Interests"}
    assert {case.factors["change"] for case in changed} == set(KINDS)


def test_the_words_of_an_implied_change_name_the_new_value() -> None:
    for case in make("aloe-conflict").cases():
        for remark in case.remarks:
            if remark.kind == "implied":
                new = case.gold.changes[0].new
                named = {mention.value.id for mention in FakeContext.ontology.mentions(remark.text)}
                assert new.id in named, remark.text


def test_in_sessions_everything_of_the_first_user_ends_where_the_stranger_begins() -> None:
    for case in make("aloe-sessions").cases():
        assert [session.turns for session in case.sessions] == [8, 5, 5, 5]
        start = next(remark.turn for remark in case.remarks if remark.kind == OTHER_PERSON)
        assert start == 19
        mine = {item.key for item in case.gold.at(2, start - 1).facts}
        strange = {item.key for item in case.gold.at(3, start).facts}
        assert strange and len(mine & strange) <= 2
        pets = [name for remark in case.remarks for name in canaries(remark.text)]
        assert len(set(pets)) == 2


def test_no_two_users_share_an_invented_name_and_no_persona_holds_one() -> None:
    names = [next(canaries(canary(n).value)) for n in range(240)]
    assert len(set(names)) == 240
    said = (text for case in make("aloe-unseen").cases() for item in case.gold.items for text in item.say)
    assert not any(list(canaries(text)) for text in said)


def test_restraint_plans_one_plain_turn_of_each_kind_and_two_personal_ones() -> None:
    for case in make("aloe-restraint").cases():
        assert Counter(kinds(case)) == Counter({"first": 2, PERSONAL: 2, **dict.fromkeys(PLAIN, 1)})
        facts = case.gold.at(0, 1).facts
        for remark in case.remarks:
            if remark.kind in PLAIN:
                named = {mention.value.id for mention in FakeContext.ontology.mentions(remark.text)}
                assert not named & {fact.id for fact in facts}, remark.text


@pytest.mark.parametrize("turns", [50, 70, 100, 150])
def test_long_users_have_something_to_say_to_the_end(turns: int) -> None:
    for case in make("aloe-long", turns=turns).sample(20):
        facts = case.gold.at(0, 1).facts
        assert len(facts) == 20 and len({fact.slot for fact in facts}) >= 8
        assert case.remarks[-1] == case.remark(turns) and kinds(case)[-1] == "summary"
        assert {"mention", "small talk", "probe", "false memory"} <= set(kinds(case)[-9:])
        assert len(case.gold.changes) >= turns // 20


@given(st.lists(st.tuples(st.text(max_size=80), st.text(max_size=80)), max_size=30), st.integers(1, 600))
@settings(max_examples=50, deadline=None)
def test_a_model_is_shown_the_latest_turns_that_fit_and_always_the_last(
    talk: list[tuple[str, str]], limit: int
) -> None:
    history = [Exchange(user, response, "- Age: 41") for user, response in talk]
    contract = LongContract(history=limit)
    shown = list(contract.shown(history))
    assert shown == history[len(history) - len(shown) :]
    size = sum(len(turn.user) + len(turn.response) for turn in shown)
    assert size <= limit or len(shown) == 1
    if len(shown) < len(history):
        left_out = history[-len(shown) - 1]
        assert size + len(left_out.user) + len(left_out.response) > limit
    messages = contract.render(history, "And now?")
    assert messages[0].content == contract.system and messages[-1].content == "And now?"
    assert len(messages) == 2 + 2 * len(shown)
    assert not history or "- Age: 41" in messages[-2].content


@pytest.mark.parametrize(
    "options", [("aloe-conflict", 18), ("aloe-restraint", 12), ("aloe-long", 19), ("aloe-sessions", 3)]
)
def test_dialogues_too_short_for_the_plan_are_refused(options: tuple[str, int]) -> None:
    with pytest.raises(ValidationError):
        SUITES[options[0]].Options(turns=options[1])
