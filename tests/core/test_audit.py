"""The user's faults are found, a faultless user has none, and the table stands with and without faulted dialogues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toyruns import play
from toys import ToySimulator, case, reply

import rlpa_bench
from rlpa_bench.audit import audit
from rlpa_bench.contract import Contract
from rlpa_bench.ontology import Ontology
from rlpa_bench.types import Dialogue, Output, State, Turn, Utterance


def dialogue(*said: tuple[str, Sequence[str]], answer: str = "I see.", ended: str = "schedule") -> Dialogue:
    """A user of the toy profile (age 30, nurse) who says this, turn by turn, with these keys disclosed."""
    turns = []
    for k, (text, keys) in enumerate(said, 1):
        raw = reply(answer)
        parsed = Contract.parse(raw)
        turns.append(Turn(k, 0, Utterance(text, tuple(keys)), Output(raw), (), parsed.response))
    return Dialogue("c", "case-0", 0, tuple(turns), len(turns) + ended.startswith("user"), ended)


HELLO = ("Hello", ())
AGE, JOB = ("I am 30.", ("age/30",)), ("I'm a nurse.", ("occupation/nurse",))

FAULTS = [
    (dialogue(HELLO, ended="user: bored"), "early stop", "user: bored"),
    (dialogue(HELLO, ("  ", ())), "two turns in a row", "said nothing"),
    (dialogue(HELLO, ("Fine.\nAssistant: Great, tell me more!", ())), "two turns in a row", "for the other side"),
    (dialogue(HELLO, ("How can I help you today?", ())), "role swap", "How can I help you"),
    (dialogue(HELLO, ("<response>Hi</response>", ())), "role swap", "<response>"),
    (dialogue(HELLO, ("I am a teacher.", ())), "contradiction", "says 'teacher', the profile holds 'nurse'"),
    (dialogue(HELLO, ("I'm 45 years old.", ())), "contradiction", "the profile holds '30'"),
    (dialogue(HELLO, ("I like tea.", ("interests/tea",))), "contradiction", "interests/tea"),
    (dialogue(HELLO, ("I am 30 and a nurse.", (*AGE[1], *JOB[1]))), "over the cap", "tells 2 new facts, 1 are allowed"),
]


@pytest.mark.parametrize(("played", "kind", "detail"), FAULTS)
def test_each_kind_of_fault_is_found_and_nothing_else(played: Dialogue, kind: str, detail: str) -> None:
    faults = audit(played, case(0), Ontology.load())
    assert [fault.kind for fault in faults] == [kind]
    assert detail in faults[0].detail and faults[0].turn == len(played.turns)


@pytest.mark.parametrize(
    "played",
    [
        dialogue(HELLO, AGE, JOB),
        dialogue(HELLO, ("I am 30 and a nurse.", (*AGE[1], *JOB[1])), answer="And what do you do?"),
        dialogue(HELLO, ("I was a teacher once, and I'm not a doctor.", ())),
        dialogue(HELLO, ("My sister is a teacher.", ())),
        dialogue(HELLO, ("Are you a teacher?", ()), ("I'm fond of teachers' stories, if I am honest.", ())),
        dialogue(HELLO, AGE, AGE),
    ],
)
def test_a_faultless_user_is_not_accused(played: Dialogue) -> None:
    assert audit(played, case(0), Ontology.load()) == ()


class Impostor(ToySimulator):
    """Half of its dialogues are spoilt."""

    async def reply(self, state: State) -> Utterance:
        said = await super().reply(state)
        spoilt = int(state.case.id[-1]) % 2 and state.turn == 3
        return Utterance("How can I assist you?", (), state=said.state) if spoilt else said


def test_scores_stand_with_and_without_spoilt_dialogues(out: Path, tmp_path: Path) -> None:
    run = play(out, Impostor)
    for row in run.summary["rows"].values():
        assert (row["user faults"]["mean"], row["user faults"]["scored"]) == (50.0, 12)
        clean, every = row["AVG[asks] without user faults"], row["AVG[asks]"]
        assert (clean["planned"], every["planned"]) == (30, 60)
        assert clean["clusters"] == 3
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "user: role swap (turn 3" in page
    honest = play(tmp_path / "honest")
    assert {row["user faults"]["mean"] for row in honest.summary["rows"].values()} == {0.0}


def test_the_bundled_user_is_without_fault_on_the_training_suite(tmp_path: Path) -> None:
    run = rlpa_bench.run(
        suite="training",
        baseline="asker,flatter,echo,injector",
        controls=False,
        limit=12,
        out=tmp_path / "r",
        cache=False,
    )
    assert {name: row["user faults"]["mean"] for name, row in run.summary["rows"].items()} == dict.fromkeys(
        ("asker", "flatter", "echo", "injector"), 0.0
    )


def test_faults_that_the_simulator_logged_count_once() -> None:
    """A played user logs what it noticed; a kind that the audit finds too is one fault of that turn."""
    log = {"faults": {"role_drift": "How can I help you", "prompt_leak": "my instructions", "mood": "?"}, "asked": 2}
    played = dialogue(HELLO, ("How can I help you today?", ()), AGE)
    turns = list(played.turns)
    turns[1] = replace(turns[1], user=replace(turns[1].user, state=log))
    faults = audit(replace(played, turns=tuple(turns)), case(0), Ontology.load())
    assert [(fault.kind, fault.turn) for fault in faults] == [("role swap", 2), ("prompt leak", 2)]
    assert faults[1].detail == "my instructions"


@pytest.mark.parametrize("state", [None, 3, [], {"faults": None}, {"faults": [1]}, {"trust": 3}])
def test_any_state_of_a_simulator_is_read(state: Any) -> None:
    played = dialogue(HELLO)
    turns = (replace(played.turns[0], user=replace(played.turns[0].user, state=state)),)
    assert audit(replace(played, turns=turns), case(0), Ontology.load()) == ()
