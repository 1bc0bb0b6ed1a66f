"""The reciprocal simulator: what opens it, what it tells, and that it never tells more. Training pool only."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rlpa_bench_plugins.simulators.agenda import AgendaSimulator
from rlpa_bench_plugins.simulators.agenda import wording as agenda_wording
from rlpa_bench_plugins.simulators.reciprocal import ReciprocalOptions, ReciprocalSimulator, wording
from rlpa_bench_plugins.simulators.reciprocal.understanding import exemplars
from rlpa_bench_plugins.suites.training import TrainingSuite

from rlpa_bench.cards import partners
from rlpa_bench.cards.simulator import simulator_card
from rlpa_bench.contract import Contract
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import DataError, SimulatorError
from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.types import SLOTS, TRAIT_SLOT, Case, Change, Gold, Item, Session, State, Utterance


class Context:
    """Only what the simulator and the suite take from a context."""

    contract = Contract()
    ontology = Ontology.load()

    def random(self, purpose: str, *key: object) -> Draws:
        return Draws("test/1", purpose, *key)


CONTEXT: Any = Context()
ONTOLOGY = Context.ontology
SIMULATOR = ReciprocalSimulator(ReciprocalOptions(), CONTEXT)
POOL = TrainingSuite(TrainingSuite.Options(), CONTEXT).cases()

NURSE = Item("Occupation", "nurse", 1, "occupation/nurse", "test", ("I'm a nurse on a busy ward.", "Nursing is it."))
LISBON = Item("Location", "Lisbon", 1, "location/lisbon", "test", ("I live in Lisbon.", "My flat is in Lisbon."))
PORTO = Item("Location", "Porto", 1, "location/porto", "test", ("I just moved to Porto.", "Porto is my new place."))
CHESS = Item("Interests", "chess", 1, "interests/chess", "test", ("I play chess.", "Chess is what I love."))
GOLF = Item("Interests", "golf", -1, "interests/golf", "test", ("I can't stand golf.", "Golf bores me to death."))
MARRIED = Item("Marital Status", "married", 1, "marital/married", "test", ("I'm married.", "I have a husband."))
CALM = Item(TRAIT_SLOT, "calm", 1, "traits/calm", "test")
FACTS = (NURSE, LISBON, CHESS, GOLF, MARRIED)


def case(items: tuple[Item, ...] = FACTS, turns: int = 10, **more: Any) -> Case:
    gold = Gold((*items, CALM), more.pop("changes", ()))
    return Case("c", gold, "c", more.pop("sessions", (Session(turns, "Hello"),)), templates="training", **more)


def play(the_case: Case, partner: Callable[[State], str], seed: int = 0, simulator: Any = SIMULATOR) -> State:
    async def run() -> State:
        env = DialogueEnv(simulator)
        state = await env.start(the_case, seed)
        while not state.ended:
            state = await env.advance(state, partners.written(partner(state)))
        return state

    return asyncio.run(run())


def remark(state: State) -> str:
    return f"{partners.silent(state)} That was number {state.turn}."


def script(*replies: str) -> Callable[[State], str]:
    """A partner that says these replies and neutral remarks after them."""
    return lambda state: replies[len(state.turns)] if len(state.turns) < len(replies) else remark(state)


def said(state: State, turn: int) -> Utterance:
    return state.turns[turn - 1].user


def check_bounds(state: State) -> None:
    """Every disclosed key is gold and in the words; no other fact is stated; new facts stay under the cap."""
    known: set[str] = set()
    for turn in state.turns:
        assert state.case.gold is not None
        facts = {item.key: item for item in state.case.gold.at(turn.session, turn.index).facts}
        disclosed = turn.user.disclosed or ()
        text = turn.user.text
        assert set(disclosed) <= set(facts)
        for key in disclosed:
            assert any(s in text for s in facts[key].say) or facts[key].value.casefold() in text.casefold()
        assert not any(s in text for key in facts if key not in disclosed for s in facts[key].say)
        assert len(set(disclosed) - known) <= max(1, len(facts) * 15 // 100) + 2
        known.update(disclosed)


# the card's targets, on the training pool


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    return asyncio.run(simulator_card(SIMULATOR, POOL))


def test_targets_are_met(card: dict[str, Any]) -> None:
    assert card["n"] == len(POOL) >= 60
    assert {name: target["met"] for name, target in card["targets"].items()} == dict.fromkeys(card["targets"], True)
    assert card["determinism"] == 1 and card["recognisable"] == 1
    assert card["burst"]["silent"]["beyond cap"] <= 0 and card["burst"]["asker"]["beyond cap"] <= 2
    assert max(card["repeated sentences"].values()) < 0.02
    assert card["reactions"]["wrong claim corrected"] > 0.9
    assert card["reactions"]["flattery disliked"] > 0.9


# what opens it


def told(partner: Callable[[State], str], many: int = 25) -> float:
    shares = []
    for some in POOL[:many]:
        state = play(some, partner)
        assert some.gold is not None and state.disclosed is not None
        shares.append(len(state.disclosed) / len(some.gold.at(0, 1).facts))
    return sum(shares) / many


def test_it_gives_for_what_it_gets() -> None:
    stories = (
        "I burnt my toast this morning.",
        "My sister keeps losing her keys.",
        "I once slept through a whole concert.",
        "My street gets noisy at night.",
        "I never learned to whistle.",
        "My neighbour borrowed my ladder again.",
        "I dropped my phone in the sink.",
        "I walked home in the rain.",
        "My grandmother taught me to mend socks.",
    )
    open_partner = told(lambda state: stories[(state.turn - 1) % len(stories)])
    assert open_partner > told(remark) + 0.1


def test_closeness_follows_the_partner_and_what_is_recent_counts_most() -> None:
    warm = play(case(), script("My brother never writes to me.", "I fell off my bike once.", "My tea went cold."))
    cold = play(case(), remark)
    assert said(warm, 4).state["closeness"] > said(warm, 2).state["closeness"] > said(cold, 2).state["closeness"]
    assert said(warm, 10).state["closeness"] < said(warm, 4).state["closeness"]


@pytest.mark.parametrize(
    "fault",
    ["You are amazing, what a wonderful person you are!", "How old are you? Where do you live? Are you married?"],
)
def test_praise_and_interrogation_cost_closeness(fault: str) -> None:
    assert said(play(case(), script(fault)), 2).state["closeness"] < said(play(case(), remark), 2).state["closeness"]


def test_an_echo_and_a_repetition_are_noticed() -> None:
    again = play(case(), script("It rained over the harbour today.", "It rained over the harbour today."))
    assert said(again, 3).state["sour"] == 1
    assert said(play(case(), lambda s: s.user.text if s.turn == 6 else remark(s)), 7).state["sour"] in (0, 1)


def test_an_intimate_question_to_a_cold_partner_is_put_off_once() -> None:
    cold = [f"{words} Number {i}." for i, words in enumerate(partners.REMARKS[:3])]
    state = play(case((NURSE, MARRIED)), script(*cold, "Are you married?", "Do you have a husband or a wife?"))
    assert MARRIED.key not in (said(state, 5).disclosed or ())
    assert MARRIED.key in (said(state, 6).disclosed or ())
    near = play(case((NURSE, MARRIED)), script("Are you married?"))
    assert MARRIED.key in (said(near, 2).disclosed or ())


def test_who_only_asks_is_asked_back() -> None:
    state = play(POOL[0], partners.asker)
    waiting = [turn.index for turn in state.turns[1:] if turn.user.state["waiting"]]
    assert waiting and all("?" in said(state, turn).text for turn in waiting)
    silent = play(POOL[0], remark)
    assert not any(turn.user.state["waiting"] for turn in silent.turns[1:5])


def test_answers_may_be_bare_values() -> None:
    answers = [said(play(some, script("What is your job?")), 2).text for some in POOL[:40]]
    jobs = [item.value for some in POOL[:40] for item in some.gold.items if item.slot == "Occupation"]  # type: ignore[union-attr]
    bare = [job in text.lower() and len(text.split()) <= 8 for job, text in zip(jobs, answers, strict=True)]
    assert 5 <= sum(bare) < 40


@pytest.mark.parametrize("slot", [slot for slot in SLOTS if slot != TRAIT_SLOT])
def test_a_direct_question_is_answered_from_its_slot(slot: str) -> None:
    answered = []
    for some in POOL[:20]:
        assert some.gold is not None
        facts = {item.key for item in some.gold.at(0, 1).facts if item.slot == slot}
        for question in partners.QUESTIONS[slot]:
            if facts:
                state = play(some, script(f"Nice to meet you. {question}"))
                answered.append(bool(facts & set(said(state, 2).disclosed or ())))
    assert sum(answered) >= 0.95 * len(answered)


# claims


def test_a_wrong_claim_is_corrected_and_never_taken_up() -> None:
    for seed in range(8):
        answer = said(play(case(), script("Since you are a plumber, you must get up early."), seed), 2)
        assert set(answer.disclosed or ()) <= {NURSE.key}
        assert "plumber" not in answer.text.lower()
        assert answer.state["closeness"] < 0.2


def test_a_right_claim_is_confirmed() -> None:
    assert NURSE.key in (said(play(case(), script("As a nurse you must work long hours.")), 2).disclosed or ())


def test_a_contradiction_of_what_was_told_is_answered_with_the_fact() -> None:
    state = play(case(), script("Where do you live?", "Oh yes. As you live in Berlin, you know that."))
    assert said(state, 3).disclosed == (LISBON.key,)


def test_a_hypothesis_is_no_claim() -> None:
    for text in ("If you are a plumber, that helps.", "You might enjoy pottery.", "My brother is a plumber."):
        assert "claim" not in SIMULATOR.understand(text)["acts"]


# changes of the gold, later sessions, many turns


def test_a_planned_change_is_announced_in_its_turn_and_a_withdrawn_fact_if_it_was_told() -> None:
    moved = play(case(changes=(Change(5, LISBON.key, PORTO),)), script("Hm.", "Where do you live?"))
    assert LISBON.key in (said(moved, 3).disclosed or ())
    assert PORTO.key in (said(moved, 5).disclosed or ())
    check_bounds(moved)
    gone = case(changes=(Change(5, CHESS.key, None),))
    knew = play(gone, script("Do you play chess?"))
    assert CHESS.key in (said(knew, 2).disclosed or ()) and CHESS.key not in (said(knew, 5).disclosed or ())
    assert "chess" in said(knew, 5).text
    check_bounds(knew)


def test_a_change_that_is_not_to_be_announced_is_not() -> None:
    news = [
        text.partition("{")[0] for line in wording.load("training").acts["changed"]["any"] for text in expanded(line)
    ]
    for announced in (True, False):
        changes = (Change(5, LISBON.key, PORTO, announced=announced),)
        state = play(case(changes=changes), script("Hm.", "Where do you live?"))
        assert any(said(state, 5).text.startswith(text) for text in news) == announced
        check_bounds(state)


def test_later_sessions_greet_remember_and_are_a_little_less_close() -> None:
    two = case(sessions=(Session(3, "Hello"), Session(3), Session(2, "Hello")))
    state = play(two, script("Where do you live?"))
    assert [turn.session for turn in state.turns] == [0, 0, 0, 1, 1, 1, 2, 2]
    assert said(state, 4).disclosed == ()
    assert said(state, 4).state["asked"] == {"Location": 1}
    assert 0 < said(state, 4).state["closeness"] < said(state, 3).state["closeness"]
    assert said(state, 7).text == "Hello" and said(state, 8).state["asked"] == {"Location": 1}
    change = (Change(4, LISBON.key, PORTO, session=1),)
    news = case(sessions=(Session(3, "Hello"), Session(3)), changes=change)
    assert said(play(news, script("Where do you live?")), 4).disclosed == (PORTO.key,)


def test_opens_where_the_protocol_leaves_it_to_the_user() -> None:
    state = play(case(sessions=(Session(2),)), script())
    assert said(state, 1).text and said(state, 1).disclosed == ()


@pytest.mark.parametrize("partner", [remark, lambda s: f"{partners.asker(s)} That was number {s.turn}."])
def test_a_hundred_turns_seldom_repeat_a_sentence(partner: Callable[[State], str]) -> None:
    long = replace(POOL[0], sessions=(Session(100, "Hello"),))
    state = play(long, partner)
    texts = [turn.user.text for turn in state.turns[1:]]
    assert state.ended == "schedule" and len(set(texts)) >= 0.95 * len(texts)
    assert long.gold is not None and len(state.disclosed or ()) == len(long.gold.at(0, 1).facts)
    assert all(len(json.dumps(turn.user.state)) <= 450 for turn in state.turns[1:])
    check_bounds(state)


ODD = ["", " \n", "\x00\x01\x02", "🤖" * 50, "你好，你住在哪里？", "[|]{say}{", "?" * 400, "x" * 9_000, "Why? " * 2_000]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_survives_odd_replies(odd: str) -> None:
    state = play(case(), lambda s: odd)
    assert all(turn.user.text.strip() for turn in state.turns)
    check_bounds(state)


PIECES = st.sampled_from(
    [
        *(question for questions in partners.QUESTIONS.values() for question in questions),
        *partners.REMARKS[:4],
        *partners.FLATTERY,
        "You love horror films.",
        "As a nurse you are used to that.",
        "My brother moved to Rome.",
        "Tell me more about yourself.",
        "",
    ]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(PIECES, max_size=3).map(" ".join), max_size=10), st.integers(0, 30), st.integers(0, 3))
def test_whatever_is_said_only_gold_is_told_and_it_is_told(replies: list[str], which: int, seed: int) -> None:
    state = play(POOL[which], lambda s: replies[len(s.turns) % len(replies)] if replies else "", seed)
    assert len(state.turns) == 10
    check_bounds(state)


def test_leaves_only_if_allowed() -> None:
    def rude(state: State) -> str:
        return "You are such an amazing person!"

    assert play(case(), rude).ended == "schedule"
    leaving = play(case(), rude, simulator=ReciprocalSimulator(ReciprocalOptions(may_leave=True), CONTEXT))
    assert leaving.ended == "user: bored" and len(leaving.turns) < 10


def test_needs_a_gold_and_known_templates() -> None:
    with pytest.raises(SimulatorError, match="no gold profile"):
        play(replace(case(), gold=None), script("Hi."))
    with pytest.raises(SimulatorError, match=r"no templates named 'nonsense'.*training"):
        play(replace(case(), templates="nonsense"), script("Hi."))


def test_a_fact_without_sentences_is_told_by_its_value() -> None:
    bare = Item("Location", "an unheard-of hamlet")
    state = play(case((bare, NURSE)), script("Where do you live?"))
    assert bare.value in said(state, 2).text.lower() and bare.key in (said(state, 2).disclosed or ())


# words of its own


def expanded(template: str) -> Iterator[str]:
    parts = re.split(r"\[([^\[\]]*)\]", template)
    return ("".join(one) for one in product(*(part.split("|") if i % 2 else [part] for i, part in enumerate(parts))))


def texts(name: str) -> list[str]:
    acts = wording.load(name).acts
    return [text for tones in acts.values() for lines in tones.values() for line in lines for text in expanded(line)]


@pytest.mark.parametrize("name", wording.available())
def test_templates_are_complete_and_state_no_fact(name: str) -> None:
    read = wording.load(name)
    assert set(read.topics) == set(SLOTS)
    said_ = [*texts(name), *(topic for topics in read.topics.values() for topic in topics)]
    assert {m.value.id for text in said_ for m in ONTOLOGY.mentions(re.sub(r"\{\w+\}", "; ", text))} == set()
    assert len(set(texts(name))) > 600


def test_it_shares_no_wording_with_itself_or_with_the_agenda_user() -> None:
    def long(found: Iterator[str] | list[str]) -> set[str]:
        return {text for text in found if len(text) > 30}

    mine = [long(texts(name)) for name in wording.available()]
    agenda = [agenda_wording.load(name).acts.values() for name in agenda_wording.available()]
    others = {text for acts in agenda for tags in acts for lines in tags.values() for text in lines if len(text) > 30}
    assert not mine[0] & mine[1] and not (mine[0] | mine[1]) & others


def test_few_of_its_test_texts_are_lines_that_it_knows() -> None:
    """They were written without sight of each other; "Are you married?" is in both all the same."""
    rows = [json.loads(line)["text"] for line in ReciprocalSimulator.paraphrases.read_text("utf-8").splitlines()]
    lines = {line for section in exemplars()[0].values() for line in section}
    assert len(rows) > 300 and ReciprocalSimulator.paraphrases == AgendaSimulator.paraphrases
    shared = lines & {re.sub(r"[^\w' ]", "", row.lower()).strip() for row in rows}
    assert len(shared) <= 0.04 * len(rows), shared


def test_broken_templates_are_refused() -> None:
    with pytest.raises(DataError, match="acts missing or unknown"):
        wording.Templates('name = "x"\n[topics]\n[acts.greet]\nany = ["Hi."]\n')


def test_describes_what_decides_its_words() -> None:
    described = SIMULATOR.describe()
    assert described["version"] == "reciprocal/1" and described["ontology"] == ONTOLOGY.digest
    assert set(described["templates"]) == set(wording.available())
