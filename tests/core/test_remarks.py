"""Planned words of the user reach the dialogue whoever plays the user."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from toys import NURSE, TEACHER, Plugin, ToySimulator, case, reply

from rlpa_bench.audit import audit
from rlpa_bench.build import Harness
from rlpa_bench.ontology import Ontology
from rlpa_bench.plugins import Plugins
from rlpa_bench.types import Case, Change, Dialogue, Remark, Session, State


def played(plan: Case, says: str = "Go on.") -> State:
    async def scenario() -> State:
        env = Harness("toy", plugins=Plugins([Plugin()], entry_point_group=None)).environment("toy")
        state = await env.start(plan)
        while not state.ended:
            state = await env.advance(state, reply(says))
        return state

    return asyncio.run(scenario())


def test_a_remark_alone_takes_the_place_of_the_simulators_words_and_keeps_its_state() -> None:
    before = ToySimulator.calls
    state = played(replace(case(), remarks=(Remark(3, "I am a nurse, you know.", (NURSE.key,)),)))
    assert ToySimulator.calls == before + 3
    turn = state.turns[2]
    assert (turn.user.text, turn.user.disclosed) == ("I am a nurse, you know.", (NURSE.key,))
    assert [t.user.state for t in state.turns] == [None, 1, 1, 2, 3]


def test_another_remark_follows_the_users_own_answer_and_adds_to_the_ledger() -> None:
    plan = case()
    without, added = played(plan), played(replace(plan, remarks=(Remark(2, "It rains.", (NURSE.key,), alone=False),)))
    own, both = without.turns[1].user, added.turns[1].user
    assert both.text == f"{own.text} It rains."
    assert both.disclosed is not None and own.disclosed is not None
    assert set(both.disclosed) == {*own.disclosed, NURSE.key} and len(set(both.disclosed)) == len(both.disclosed)


def test_at_a_sessions_first_turn_a_remark_follows_the_opening() -> None:
    plan = replace(case(sessions=(Session(2, "Hello"), Session(2, "Back."))), remarks=(Remark(3, "I teach now."),))
    assert played(plan).turns[2].user.text == "Back. I teach now."


def test_what_the_protocol_has_the_user_tell_is_no_fault_of_the_user() -> None:
    facts = tuple(item for item in (case().gold.items if case().gold else ()))
    keys = tuple(item.key for item in facts if not item.is_trait)
    plan = replace(case(), remarks=(Remark(2, "All at once.", keys),))
    state = played(plan)
    dialogue = Dialogue("toy", plan.id, 0, state.turns, 5, state.ended)
    assert not [fault for fault in audit(dialogue, plan, Ontology.load()) if fault.kind == "over the cap"]
    unplanned = replace(plan, remarks=())  # two facts at once, unasked; one is allowed
    assert [fault for fault in audit(dialogue, unplanned, Ontology.load()) if fault.kind == "over the cap"]


def test_a_change_that_is_not_announced_is_not_told_by_the_rule_based_user() -> None:
    async def texts(announced: bool) -> list[str]:
        harness = Harness("aloe")
        env = harness.environment("agenda")
        plan = harness.cases(1)[0]
        assert plan.gold is not None
        old = next(item for item in plan.gold.items if item.slot == "Occupation")
        change = Change(3, old.key, replace(TEACHER, say=("I teach at a school now.",)), announced=announced)
        state = await env.start(replace(plan, gold=replace(plan.gold, changes=(change,))))
        while not state.ended:
            state = await env.advance(state, reply("That is fine with me."))
        return [turn.user.text for turn in state.turns[2:4]]

    assert any("I teach at a school now." in text for text in asyncio.run(texts(True)))
    assert not any("I teach at a school now." in text for text in asyncio.run(texts(False)))
