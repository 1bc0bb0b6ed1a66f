"""The agenda simulator: bounds on what it tells, fidelity to its gold, reactions, survival. Training pool only."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rlpa_bench_plugins.simulators.agenda import AgendaOptions, AgendaSimulator, wording
from rlpa_bench_plugins.simulators.agenda.disclosure import EXTRA, cap
from rlpa_bench_plugins.suites.training import TrainingSuite

from rlpa_bench.cards import partners
from rlpa_bench.cards.simulator import simulator_card
from rlpa_bench.contract import Contract
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import DataError, SimulatorError
from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.types import SLOTS, TRAIT_SLOT, Case, Change, Gold, Item, Output, Session, State, Utterance


class Context:
    """Only what the simulator and the suite take from a context."""

    contract = Contract()
    ontology = Ontology.load()

    def random(self, purpose: str, *key: object) -> Draws:
        return Draws("test/1", purpose, *key)


CONTEXT: Any = Context()
ONTOLOGY = Context.ontology
SIMULATOR = AgendaSimulator(AgendaOptions(), CONTEXT)
POOL = TrainingSuite(TrainingSuite.Options(), CONTEXT).cases()
TEXT = wording.available()

NURSE = Item(
    "Occupation", "nurse", 1, "occupation/nurse", "test", ("I'm a nurse on a busy ward.", "Nursing is my job.")
)
LISBON = Item("Location", "Lisbon", 1, "location/lisbon", "test", ("I live in Lisbon.", "My flat is in Lisbon."))
PORTO = Item("Location", "Porto", 1, "location/porto", "test", ("I just moved to Porto.", "Porto is my new place."))
CHESS = Item("Interests", "chess", 1, "interests/chess", "test", ("I play chess.", "Chess is what I love."))
GOLF = Item("Interests", "golf", -1, "interests/golf", "test", ("I can't stand golf.", "Golf bores me to death."))
MARRIED = Item(
    "Marital Status", "married", 1, "marital/married", "test", ("I'm married.", "I have been married a while.")
)
SHORT = Item(TRAIT_SLOT, "reserved", 1, "traits/reserved", "test")
FACTS = (NURSE, LISBON, CHESS, GOLF, MARRIED)


def case(items: tuple[Item, ...] = FACTS, turns: int = 10, **more: Any) -> Case:
    gold = Gold((*items, SHORT), more.pop("changes", ()))
    sessions = more.pop("sessions", (Session(turns, "Hello"),))
    return Case("c", gold, "c", sessions, templates="training", **more)


def play(the_case: Case, partner: Callable[[State], str], seed: int = 0, simulator: Any = SIMULATOR) -> State:
    async def run() -> State:
        env = DialogueEnv(simulator)
        state = await env.start(the_case, seed)
        while not state.ended:
            state = await env.advance(state, Output(partner(state)))
        return state

    return asyncio.run(run())


def script(*replies: str) -> Callable[[State], str]:
    """A partner that says these replies and neutral remarks after them."""
    lines = dict(enumerate(replies))
    return lambda state: partners.written(lines.get(len(state.turns)) or remark(state))


def remark(state: State) -> str:
    return f"{partners.silent(state)} That was number {state.turn}."


def said(state: State, turn: int) -> Utterance:
    return state.turns[turn - 1].user


def stated(item: Item, text: str) -> bool:
    return any(sentence in text for sentence in item.say) or item.value.casefold() in text.casefold()


def check_bounds(state: State) -> None:
    """Every disclosed key is gold and stated; nothing else is; new facts stay under the cap."""
    known: set[str] = set()
    for turn in state.turns:
        gold = state.case.gold
        assert gold is not None
        facts = {item.key: item for item in gold.at(turn.session, turn.index).facts}
        disclosed = turn.user.disclosed or ()
        assert set(disclosed) <= set(facts)
        assert all(stated(facts[key], turn.user.text) for key in disclosed)
        assert not any(
            sentence in turn.user.text for key in facts if key not in disclosed for sentence in facts[key].say
        )
        assert len(set(disclosed) - known) <= cap(len(facts)) + EXTRA
        assert turn.user.state is None or len(json.dumps(turn.user.state)) <= 450
        known.update(disclosed)


# the card's targets, on the training pool


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    return asyncio.run(simulator_card(SIMULATOR, POOL, paraphrases=[{"text": "Hi.", "acts": ["none"], "slots": []}]))


def test_targets_are_met(card: dict[str, Any]) -> None:
    assert card["n"] == len(POOL) >= 60
    assert {name: target["met"] for name, target in card["targets"].items()} == dict.fromkeys(card["targets"], True)


def test_card_figures(card: dict[str, Any]) -> None:
    assert card["determinism"] == 1
    assert card["recognisable"] == 1
    assert card["fabrication"]["count"] == 0
    assert card["burst"]["silent"]["beyond cap"] <= 0
    assert card["burst"]["asker"]["beyond cap"] <= EXTRA
    assert max(card["repeated sentences"].values()) < 0.02
    assert card["reactions"]["wrong claim corrected"] > 0.95
    assert card["reactions"]["flattery disliked"] > 0.95
    assert card["reactions"]["dislike after a neutral remark"] < 0.2
    assert card["understanding"]["all right"] == 1
    json.dumps(card)


def test_disclosure_rises_with_the_asking(card: dict[str, Any]) -> None:
    silent, asker = ([point["mean"] for point in card["disclosure"][name]] for name in ("silent", "asker"))
    assert silent == sorted(silent)
    assert all(a > s for s, a in zip(silent[1:], asker[1:], strict=True))


def test_a_simulator_that_tells_all_at_once_fails_its_card() -> None:
    class Blurter(AgendaSimulator):
        async def reply(self, state: State) -> Utterance:
            facts = self._profile(state).facts
            return Utterance(" ".join(item.say[0] for item in facts), tuple(item.key for item in facts))

    result = asyncio.run(simulator_card(Blurter(AgendaOptions(), CONTEXT), POOL[:5]))
    assert result["targets"]["silent D(10)"]["met"] is False
    assert result["burst"]["silent"]["beyond cap"] > EXTRA
    assert result["repeated sentences"]["silent"] > 0.5
    assert result["reactions"]["flattery disliked"] < 0.5


def test_a_simulator_that_invents_is_found_out() -> None:
    class Liar(AgendaSimulator):
        async def reply(self, state: State) -> Utterance:
            return Utterance("I keep ferrets in Honolulu.", ())

    result = asyncio.run(simulator_card(Liar(AgendaOptions(), CONTEXT), POOL[:2]))
    assert result["fabrication"]["count"] > 0
    assert result["targets"]["fabrication"]["met"] is False


# disclosure


def test_equal_talk_gives_equal_words_and_seeds_differ() -> None:
    first, again, other = (play(POOL[3], script("What are your hobbies?"), seed) for seed in (1, 1, 2))
    assert first == again
    assert [t.user.text for t in first.turns] != [t.user.text for t in other.turns]


@pytest.mark.parametrize("seed", range(3))
def test_volunteers_within_the_cap(seed: int) -> None:
    for some in POOL[:20]:
        state = play(some, lambda s: partners.written(remark(s)), seed)
        check_bounds(state)
        known: set[str] = set()
        for turn in state.turns:
            new = set(turn.user.disclosed or ()) - known
            assert len(new) <= cap(len(some.gold.at(0, 1).facts))  # type: ignore[union-attr]
            known |= new


@pytest.mark.parametrize("slot", [slot for slot in SLOTS if slot != TRAIT_SLOT])
def test_a_direct_question_releases_the_slot(slot: str) -> None:
    for some in POOL[:15]:
        facts = [item.key for item in some.gold.at(0, 1).facts if item.slot == slot]  # type: ignore[union-attr]
        state = play(some, script(f"Nice to meet you. {partners.QUESTIONS[slot][0]}"))
        told = set(said(state, 2).disclosed or ())
        assert len(told & set(facts)) >= min(len(facts), 1 + EXTRA)


def test_traits_are_never_said() -> None:
    state = play(POOL[0], script("How would your friends describe you?", "What kind of person are you?"))
    assert not any(turn.user.disclosed for turn in state.turns[1:3] if TRAIT_SLOT in str(turn.user.disclosed))
    assert "Personality" not in str(state.disclosed)


def test_gender_is_not_among_the_first_things_told() -> None:
    early = [play(some, lambda s: partners.written(remark(s))).turns[:6] for some in POOL[:30]]
    assert not any(key.startswith("gender/") for turns in early for t in turns for key in t.user.disclosed or ())


def test_asked_again_says_so_and_asked_for_nothing_declines() -> None:
    # One fact, nothing else to tell: after the answer every question finds nothing new.
    question = "I see. What do you do for a living?"
    state = play(case((NURSE,)), script(question, f"Right. {question}", "And where do you live?"))
    assert said(state, 2).disclosed == (NURSE.key,)
    assert said(state, 3).text not in (said(state, 2).text, "")
    assert set(said(state, 3).disclosed or ()) <= {NURSE.key}
    assert said(state, 4).disclosed == ()
    assert said(state, 3).state["trust"] < said(state, 2).state["trust"] + 4


def test_flattery_echo_repetition_and_interrogation_cost_trust() -> None:
    base = case(FACTS)
    calm = said(play(base, script("It rained a little today.")), 2).state["trust"]
    for rude in (
        "You are such an amazing, wonderful person!",
        "How old are you? Where do you live? Are you married? What is your job?",
    ):
        assert said(play(base, script(rude)), 2).state["trust"] < calm
    again = play(base, script("It rained a little today.", "It rained a little today."))
    assert said(again, 3).state["trust"] < said(again, 2).state["trust"]
    echo = play(base, lambda s: partners.written(s.user.text if s.turn == 5 else remark(s)))
    assert said(echo, 6).state["trust"] < said(echo, 5).state["trust"]


def test_depth_is_welcome_and_does_not_count_as_asking_twice() -> None:
    depth = "Nice. What do you enjoy most about your job?"
    state = play(case((NURSE, SHORT)), script("What do you do for a living?", depth, "How long have you been a nurse?"))
    assert said(state, 4).state["trust"] > said(state, 3).state["trust"] > said(state, 2).state["trust"]


# claims


def test_a_wrong_claim_is_corrected_and_never_taken_up() -> None:
    for seed in range(8):
        state = play(case(), script("Since you are a plumber, you must get up early."), seed)
        answer = said(state, 2)
        assert set(answer.disclosed or ()) <= {NURSE.key}
        assert "plumber" not in answer.text.lower()
        assert said(state, 2).state["denied"] == ["occupation/plumber"]


def test_a_right_claim_is_confirmed_once() -> None:
    state = play(case(), script("As a nurse you must work long hours.", "As a nurse you know that, of course."))
    assert NURSE.key in (said(state, 2).disclosed or ())
    assert said(state, 3).state["denied"] == []


def test_a_contradiction_of_what_was_told_is_answered_with_the_fact() -> None:
    state = play(case(), script("Where do you live?", "Oh yes. As you live in Berlin, you know that."))
    assert said(state, 3).disclosed == (LISBON.key,)


def test_a_dislike_taken_for_a_like_is_corrected() -> None:
    state = play(case(), script("Is there anything you dislike, or like?", "You love golf, I take it."))
    assert GOLF.key in (said(state, 3).disclosed or ())


def test_a_hypothesis_or_a_suggestion_is_no_claim() -> None:
    for text in ("If you are a plumber, that helps.", "You might enjoy pottery.", "My brother is a plumber."):
        assert "claim" not in SIMULATOR.understand(text)["acts"]


# changes of the gold and later sessions


def test_a_planned_change_is_announced_in_its_turn() -> None:
    moved = case(changes=(Change(5, LISBON.key, PORTO),))
    state = play(moved, script("Hm.", "Where do you live?"))
    assert LISBON.key in (said(state, 3).disclosed or ())
    assert PORTO.key in (said(state, 5).disclosed or ())
    assert any(sentence in said(state, 5).text for sentence in PORTO.say)
    assert not any(LISBON.key in (turn.user.disclosed or ()) for turn in state.turns[4:])
    check_bounds(state)


def test_a_withdrawn_fact_is_taken_back_if_it_was_told() -> None:
    gone = case(changes=(Change(5, CHESS.key, None),))
    told = play(gone, script("Do you play chess?"))
    assert CHESS.key in (said(told, 2).disclosed or ())
    assert "chess" in said(told, 5).text
    assert CHESS.key not in (said(told, 5).disclosed or ())
    check_bounds(told)


def test_later_sessions_greet_without_new_facts_and_keep_the_memory() -> None:
    two = case(sessions=(Session(3, "Hello"), Session(3), Session(2, "Hello")))
    state = play(two, script("Where do you live?"))
    assert [turn.session for turn in state.turns] == [0, 0, 0, 1, 1, 1, 2, 2]
    assert said(state, 4).disclosed == ()
    assert said(state, 4).state["asked"] == {"Location": 1}
    assert said(state, 7).text == "Hello"
    assert said(state, 8).state["asked"] == {"Location": 1}


def test_a_change_between_sessions_is_told_in_the_greeting() -> None:
    two = case(sessions=(Session(3, "Hello"), Session(3)), changes=(Change(4, LISBON.key, PORTO, session=1),))
    assert said(play(two, script("Where do you live?")), 4).disclosed == (PORTO.key,)


def test_opens_where_the_protocol_leaves_it_to_the_user() -> None:
    state = play(case(sessions=(Session(2),)), script())
    assert said(state, 1).text
    assert said(state, 1).disclosed == ()


# endurance


@pytest.mark.parametrize("facts", [1, 3, 12])
def test_a_hundred_turns_seldom_repeat_a_sentence(facts: int) -> None:
    items = POOL[0].gold.items[:facts]  # type: ignore[union-attr]
    state = play(case(items, turns=100), lambda s: partners.written(remark(s)))
    assert state.ended == "schedule"
    texts = [turn.user.text for turn in state.turns[1:]]
    assert len(set(texts)) >= 0.95 * len(texts)
    check_bounds(state)


def test_forty_facts() -> None:
    items = tuple({item.key: item for some in POOL[:6] for item in some.gold.at(0, 1).facts}.values())[:40]  # type: ignore[union-attr]
    check_bounds(play(case(items, turns=40), lambda s: partners.written(partners.asker(s))))


ODD = [
    "",
    " \n",
    "\x00\x01\x02",
    "🤖" * 50,
    "你好，你住在哪里？",
    "[|]{say}{",
    "?" * 400,
    "x" * 100_000,
    "Why? " * 20_000,
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_survives_odd_replies(odd: str) -> None:
    state = play(case(), lambda s: odd)
    assert all(turn.user.text.strip() for turn in state.turns)
    check_bounds(state)


def test_rubbish_is_asked_about_and_tells_nothing() -> None:
    state = play(case(), lambda s: partners.written("\x00\x01 #### 12345"))
    assert state.disclosed == ()


PIECES = st.sampled_from(
    [
        *(question for questions in partners.QUESTIONS.values() for question in questions),
        *partners.FLATTERY,
        *partners.REMARKS,
        "Since you are a nurse, you know.",
        "You live in Berlin, right?",
        "You love golf.",
        "As a father you must be tired.",
        "Tell me more about yourself!",
        "What else?",
        "",
    ]
)
REPLIES = st.lists(st.one_of(st.text(max_size=80), PIECES, st.tuples(PIECES, PIECES).map(" ".join)), max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(replies=REPLIES, which=st.integers(0, len(POOL) - 1), seed=st.integers(0, 5))
def test_whatever_is_said_only_gold_is_told_and_it_is_told(replies: list[str], which: int, seed: int) -> None:
    state = play(POOL[which], lambda s: replies[len(s.turns) % len(replies)] if replies else "", seed)
    assert len(state.turns) == 10
    check_bounds(state)


def test_leaves_only_if_allowed() -> None:
    def rude(state: State) -> str:
        return partners.written("You are such an amazing person!")

    patient = play(case(), rude)
    assert patient.ended == "schedule"
    leaving = play(case(), rude, simulator=AgendaSimulator(AgendaOptions(may_leave=True), CONTEXT))
    assert leaving.ended == "user: bored"
    assert len(leaving.turns) < 10


def test_needs_a_gold_and_known_templates() -> None:
    with pytest.raises(SimulatorError, match="no gold profile"):
        play(replace(case(), gold=None), script("Hi."))
    with pytest.raises(SimulatorError, match=r"no templates named 'nonsense'.*training"):
        play(replace(case(), templates="nonsense"), script("Hi."))


def test_a_fact_without_sentences_is_told_by_its_value() -> None:
    bare = Item("Location", "an unheard-of hamlet")
    state = play(case((bare, NURSE)), script("Where do you live?"))
    assert bare.value in said(state, 2).text.lower()
    assert bare.key in (said(state, 2).disclosed or ())


# templates


def templates(name: str) -> Any:
    folder = files("rlpa_bench_plugins.simulators.agenda") / "templates" / f"{name}.json"
    return json.loads(folder.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", TEXT)
def test_templates_are_complete(name: str) -> None:
    read = wording.load(name)
    assert templates(name)["name"] == name
    assert set(read.topics) == set(SLOTS)
    assert all(read.topics.values())
    for act, tags in read.acts.items():
        assert len(set(tags["any"])) >= 8, act
    assert len(set(read.acts["ack"]["any"])) >= 100


@pytest.mark.parametrize("name", TEXT)
def test_templates_state_no_fact(name: str) -> None:
    read = wording.load(name)
    texts = [text for tags in read.acts.values() for lines in tags.values() for text in lines]
    texts += [topic for topics in read.topics.values() for topic in topics]
    named = {(m.text, m.value.id) for text in texts for m in ONTOLOGY.mentions(re.sub(r"\{\w+\}", "; ", text))}
    assert named == set()


def test_template_sets_share_no_long_template() -> None:
    long = [
        {t for tags in wording.load(name).acts.values() for lines in tags.values() for t in lines if len(t) > 30}
        for name in TEXT
    ]
    for i, one in enumerate(long):
        for other in long[i + 1 :]:
            assert not one & other


def test_broken_templates_are_refused() -> None:
    good = templates("training")
    for act, tags, match in (
        ("ack", {"any": ["{say}"]}, "wrong placeholders"),
        ("lead", {"any": ["So."]}, "wrong placeholders"),
        ("ack", {"short": ["Ok."]}, "needs `any`"),
        ("nonsense", {"any": ["Ok."]}, "nonsense"),
    ):
        with pytest.raises(DataError, match=match):
            wording.Templates(json.dumps(good | {"acts": good["acts"] | {act: tags}}))


def test_describes_what_decides_its_words() -> None:
    described = SIMULATOR.describe()
    assert described["version"] == "agenda/1"
    assert described["ontology"] == ONTOLOGY.digest
    assert set(described["templates"]) == set(TEXT)
