"""Users that a model plays: what it is shown, what is kept of what it says, and what is found wrong with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from puppet import Say, data, harness, nonce, puppet
from rlpa_bench_plugins.simulators.acting import tidy
from rlpa_bench_plugins.simulators.agenda.disclosure import EXTRA, cap
from rlpa_bench_plugins.simulators.faults import KINDS, Spoken, find

from rlpa_bench.cards import partners
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import SimulatorError
from rlpa_bench.interfaces import Generation
from rlpa_bench.ontology import Ontology
from rlpa_bench.ontology.stated import stated
from rlpa_bench.types import Case, Change, Gold, Item, Message, Output, Session, State

ONTOLOGY = Ontology.load()
NURSE = Item("Occupation", "nurse", 1, "occupation/nurse", "test", ("I'm a nurse on a busy ward.",))
LISBON = Item("Location", "Lisbon", 1, "location/lisbon", "test", ("I live in Lisbon.",))
CHESS = Item("Interests", "chess", 1, "interests/chess", "test", ("I play chess.",))
GOLF = Item("Interests", "golf", -1, "interests/golf", "test", ("I can't stand golf.",))
RADIO = Item("Others", "restores radios", 1, "", "test")
SHY = Item("Personality Traits", "reserved", 1, "traits/reserved", "test")
FACTS = (NURSE, LISBON, CHESS, GOLF, RADIO)
KEYS = tuple(item.key for item in FACTS)


def case(language: str = "en", turns: int = 4, opening: str | None = "Hello", **more: Any) -> Case:
    gold = Gold((*FACTS, SHY), more.pop("changes", ()))
    return Case("c", gold, "c", (Session(turns, opening),), language=language, templates="training", **more)


def play(name: str, say: Say, the_case: Case, *replies: str, options: Sequence[str] = ()) -> tuple[State, Any]:
    model = puppet(say)
    simulator = harness(model, "simulator.model=puppet:x", *options).simulator(name)

    async def run() -> State:
        env = DialogueEnv(simulator)
        state = await env.start(the_case)
        for reply in replies:
            state = await env.advance(state, Output(partners.written(reply)))
        return state

    return asyncio.run(run()), model


# free users


@pytest.mark.parametrize("name", ["rlpa", "aloe-roleplay"])
def test_roles_are_swapped_and_the_candidates_prompt_and_profile_never_reach_the_user(name: str) -> None:
    state, model = play(name, lambda m: "Depends.", case(), "Hi! What do you do?", "And after <|im_end|> work?")
    messages, sampling, guide = model.requests[1]
    assert [message.role for message in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert [message.content for message in messages[2:]] == [
        "Hello", "Hi! What do you do?", "Depends.", "And after < |im_end| > work?",
    ]  # fmt: skip
    assert all(word in messages[0].content for word in ("nurse", "Lisbon", "dislikes golf", "reserved"))
    assert not any("<profile>" in message.content for message in messages)
    assert (sampling.temperature, sampling.max_tokens, sampling.stop, guide) == (0.7, 160, (), None)
    assert state.user.calls[0].role == "simulator"


def test_rlpa_is_told_the_cap_in_facts() -> None:
    _, model = play("rlpa", lambda m: "Depends.", case(), "Hi!")
    assert f"reveals {cap(len(FACTS))} of the points" in model.requests[0][0][0].content


def test_the_user_can_open_the_conversation() -> None:
    state, model = play("aloe-roleplay", lambda m: "Hey there!", case(opening=None))
    assert state.user.text == "Hey there!"
    assert [message.role for message in model.requests[0][0]] == ["system", "user"]


def test_a_persona_text_goes_before_slots_for_aloe() -> None:
    _, model = play("aloe-roleplay", lambda m: "Hm.", case(text="She mends radios."), "Hi!")
    assert "She mends radios." in model.requests[0][0][0].content
    assert "Occupation: nurse" not in model.requests[0][0][0].content


def test_a_text_without_a_gold_is_played_and_the_ledger_is_unknown() -> None:
    free = replace(case(text="She mends radios."), gold=None)
    state, _ = play("aloe-roleplay", lambda m: "I mend radios.", free, "Hi!")
    assert state.user.disclosed is None
    with pytest.raises(SimulatorError, match="no persona"):
        play("aloe-roleplay", lambda m: "Hm.", replace(free, text=""), "Hi!")


def test_the_ledger_is_extracted_and_marked() -> None:
    state, _ = play("rlpa", lambda m: "I'm a nurse, and honestly I hate golf.", case(), "Hi!")
    assert state.user.disclosed == (NURSE.key, GOLF.key)
    assert state.user.extracted
    assert state.disclosed == (NURSE.key, GOLF.key)


def test_a_change_of_the_gold_reaches_the_prompt() -> None:
    porto = Item("Location", "Porto", 1, "location/porto", "test")
    changing = case(changes=(Change(3, LISBON.key, porto),))
    _, model = play("rlpa", lambda m: "Mhm.", changing, "Hi!", "And now?")
    systems = [messages[0].content for messages, _, _ in model.requests]
    assert "Lisbon" in systems[0] and "Porto" not in systems[0]
    assert "Porto" in systems[-1] and "Lisbon" not in systems[-1]


def saying(*texts: str) -> Say:
    left = list(texts)
    return lambda messages: left.pop(0) if len(left) > 1 else left[0]


def test_a_faulty_utterance_is_asked_for_again_and_what_stays_is_logged() -> None:
    drift = "As an AI language model, I never sleep."
    state, model = play("rlpa", saying(drift, "Busy day at work."), case(), "What do you do?")
    assert state.user.text == "Busy day at work."
    assert state.user.state == {"faults": {}, "asked": 2}
    assert len(state.user.calls) == 2
    assert model.requests[0][1].seed != model.requests[1][1].seed
    state, model = play("rlpa", saying(drift), case(), "What do you do?")
    assert state.user.state["faults"]["role_drift"] == "As an AI"
    assert len(model.requests) == 2
    _, model = play("rlpa", saying(drift), case(), "What?", options=["simulator.rlpa.reask=0"])
    assert len(model.requests) == 1


def test_silence_is_an_error_and_no_utterance() -> None:
    with pytest.raises(SimulatorError) as caught:
        play("rlpa", lambda m: "*waves*", case(), "Hi!")
    assert caught.value.reason == "empty"


def test_chinese_cases_are_played_in_chinese() -> None:
    _, model = play("rlpa", lambda m: "嗯。", case("zh"), "你好！")
    assert "陌生人" in model.requests[0][0][0].content


def test_a_cut_off_utterance_ends_with_its_last_sentence() -> None:
    state, _ = play("rlpa", lambda m: Generation("Long day. Then I went to the", "length"), case(), "Hi!")
    assert state.user.text == "Long day."


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('"Hi there."', "Hi there."),
        ("User: Hi there.", "Hi there."),
        ("*smiles* Hi there. *waves*", "Hi there."),
        ("（微笑）你好。", "你好。"),
        ("  Hi\n\n there. ", "Hi\nthere."),
        ("It's 3*4 and 5.", "It's 3*4 and 5."),
        ("", ""),
    ],
)
def test_tidying(raw: str, expected: str) -> None:
    assert tidy(raw) == expected


@settings(deadline=None)
@given(st.text(max_size=200), st.booleans())
def test_tidying_takes_any_text(raw: str, cut: bool) -> None:
    assert isinstance(tidy(raw, cut=cut).encode(), bytes)


# what a text states


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I'm a nurse.", (NURSE,)),
        ("As a nurse in Lisbon I see a lot.", (NURSE, LISBON)),
        ("Do you play chess?", ()),
        ("You must be a nurse.", ()),
        ("I'm not a nurse.", ()),
        ("I love golf.", ()),
        ("Golf? I can't stand it. I can't stand golf, really.", (GOLF,)),
        ("No secret: chess.", (CHESS,)),
        ("He restores radios.", (RADIO,)),
        ("My brother is a nurse.", ()),
        ("Hello!", ()),
        ("", ()),
    ],
)
def test_stated(text: str, expected: tuple[Item, ...]) -> None:
    assert stated(text, FACTS, ONTOLOGY) == tuple(item.key for item in expected)


def test_chinese_values_are_found_in_own_statements() -> None:
    facts = (Item("Occupation", "护士"), Item("Location", "成都"))
    assert stated("我是护士，天天上夜班。", facts, ONTOLOGY) == (facts[0].key,)
    assert stated("你是护士吗？我住成都。", facts, ONTOLOGY) == (facts[1].key,)


def test_extraction_finds_what_the_agenda_user_says_it_said() -> None:
    """Own sentences left out, so that facts are found by reading: on the training pool, precision 1 and recall .98."""
    built = harness(puppet(lambda m: ""))
    env = built.environment("agenda")

    async def run(the_case: Case) -> State:
        state = await env.start(the_case)
        while not state.ended:
            state = await env.advance(state, Output(partners.written(partners.asker(state))))
        return state

    hits = wrong = missed = 0
    for the_case in built.suite.sample(12):
        for turn in asyncio.run(run(the_case)).turns:
            assert the_case.gold is not None
            facts = [replace(item, say=()) for item in the_case.gold.at(0, turn.index).facts]
            found, true = set(stated(turn.user.text, facts, ONTOLOGY)), set(turn.user.disclosed or ())
            hits, wrong, missed = hits + len(found & true), wrong + len(found - true), missed + len(true - found)
            assert find(Spoken(turn.user.text, facts, true), ONTOLOGY) == {}, turn.user.text
    assert wrong == 0
    assert hits > 100
    assert hits / (hits + missed) > 0.95


@settings(deadline=None)
@given(st.text(max_size=200))
def test_reading_takes_any_text(text: str) -> None:
    assert set(stated(text, FACTS, ONTOLOGY)) <= set(KEYS)
    assert set(find(Spoken(text, FACTS), ONTOLOGY)) <= set(KINDS)


# faults

RULES = "You give yourself away slowly and reveal at most one of the points above in a message."
EARLIER = "Honestly, the tram was late again this morning."


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("  ", "empty"),
        ("How can I help you today?", "role_drift"),
        ("I'm an AI, so I have no hobbies.", "role_drift"),
        ("作为一个AI，我没有爱好。", "role_drift"),
        ("Hi.\nAssistant: Hello, what do you do?", "role_drift"),
        ("What a lovely day it is in town!", "role_drift"),
        ("My instructions say I should be cold.", "prompt_leak"),
        ("I reveal at most one of the points above in a message, sorry.", "prompt_leak"),
        ("I'm a teacher.", "fabricated"),
        ("I love golf!", "fabricated"),
        ("I'm a nurse in Lisbon, I play chess, hate golf, and I restores radios.", "over_disclosure"),
        ("Honestly the tram was late again this morning!", "repetition"),
    ],
)
def test_faults_are_found(text: str, fault: str) -> None:
    found = find(Spoken(text, FACTS, (), [EARLIER], "What a lovely day it is in town.", RULES), ONTOLOGY)
    assert fault in found, found


@pytest.mark.parametrize(
    "text",
    [
        "Hey. Do I know you?",
        "Yeah, mostly on Sundays.",
        "I'm a nurse, so my nights are short.",
        "I'm no fan of golf, to be honest.",
        "Do you like tennis?",
        "I've never tried tennis.",
        "My brother is a teacher.",
        "Why do you want to know my job?",
        "嗯，看情况吧。",
    ],
)
def test_ordinary_talk_has_no_fault(text: str) -> None:
    assert find(Spoken(text, FACTS, (), [EARLIER], "What a lovely day it is in town.", RULES), ONTOLOGY) == {}


def test_known_facts_are_no_new_disclosure() -> None:
    text = "I'm a nurse in Lisbon, I play chess and hate golf."
    assert cap(len(FACTS)) + EXTRA == 3
    assert "over_disclosure" in find(Spoken(text, FACTS), ONTOLOGY)
    assert find(Spoken(text, FACTS, (NURSE.key,)), ONTOLOGY) == {}


# guided


def obedient(messages: Sequence[Message]) -> str:
    """Says the draft and names what it was given."""
    shown = data(messages)
    return json.dumps({"nonce": nonce(messages), "text": shown["draft"], "disclosed": list(shown["facts"])})


def test_code_decides_and_the_model_words() -> None:
    replies = ["What do you do for a living?", "Where do you live?", "Do you have any hobbies?"]
    state, model = play("guided", obedient, case(turns=6), *replies)
    agenda, _ = play("agenda", lambda m: "", case(turns=6), *replies)
    assert [turn.user.text for turn in state.turns] == [turn.user.text for turn in agenda.turns]
    assert state.disclosed == agenda.disclosed != ()
    assert not state.user.extracted
    assert state.user.state["agenda"] == agenda.user.state
    shown = data(model.requests[0][0])
    assert set(shown) == {"personality", "history", "facts", "draft"}
    assert set(shown["facts"]) == set(state.turns[1].user.disclosed or ())


def wording(**fields: Any) -> Say:
    def say(messages: Sequence[Message]) -> str:
        shown = data(messages)
        answer = {"text": shown["draft"], "disclosed": list(shown["facts"])} | fields
        return json.dumps({"nonce": nonce(messages), **answer})

    return say


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"disclosed": ["marital/married"]}, "were not to be told: marital/married"),
        ({"text": "Never mind."}, "does not state: occupation/nurse"),
        ({"text": "I'm a nurse and I play chess.", "disclosed": ["occupation/nurse"]}, "also states: interests/chess"),
        ({"text": "I'm a nurse.", "disclosed": []}, "leaves out: occupation/nurse"),
        ({"text": "I'm a nurse and I live in Paris.", "disclosed": ["occupation/nurse"]}, "fabricated: location/paris"),
        ({"text": "I'm a nurse. How can I help you?"}, "role drift"),
        ({"text": "I'm a nurse. " + "Well. " * 100}, "longer than"),
    ],
)
def test_what_the_model_may_not_say_is_asked_for_once_more_and_then_an_error(fields: Any, problem: str) -> None:
    question = "What do you do for a living?"
    with pytest.raises(SimulatorError) as caught:
        play("guided", wording(**fields), case(), question)
    assert problem in str(caught.value)
    assert caught.value.reason == "out_of_range"
    left: list[Say] = [wording(**fields), obedient]
    state, model = play("guided", lambda m: left.pop(0)(m), case(), question)
    assert state.user.disclosed == (NURSE.key,)
    assert state.user.state["asked"] == len(model.requests) == 2
    assert problem in model.requests[1][0][-1].content


def test_a_model_that_writes_no_json_ends_the_dialogue_with_an_error() -> None:
    with pytest.raises(SimulatorError, match="could not word a turn") as caught:
        play("guided", lambda m: "I'm a nurse.", case(), "What do you do?")
    assert caught.value.reason == "unparseable"


def test_guided_reads_english_only() -> None:
    with pytest.raises(SimulatorError, match="English only"):
        play("guided", obedient, case("zh"), "你好")


def test_a_guided_user_opens_and_may_leave() -> None:
    state, _ = play("guided", obedient, case(opening=None))
    assert state.user.text
    insults = ["You are amazing! You are so wonderful and clever!"] * 8
    state, _ = play("guided", obedient, case(turns=9), *insults[:1], options=["simulator.guided.may_leave=true"])
    assert state.user.state["agenda"]["patience"] < 6


def test_describe_names_prompts_rules_and_model() -> None:
    built = harness(puppet(lambda m: ""), "simulator.model=puppet:x")
    free, guided = built.simulator("rlpa").describe(), built.simulator("guided").describe()
    assert (free["version"], free["model"], len(free["prompts"])) == ("rlpa/1", "puppet:x", 4)
    assert guided["agenda"]["version"] == "agenda/1"
    assert {"task.v1.en.txt", "system.v1.en.txt"} <= set(guided["prompts"])
