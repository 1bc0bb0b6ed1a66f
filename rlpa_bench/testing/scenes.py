"""The personas, dialogues and scores that components are exercised on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rlpa_bench.contract import Contract
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.interfaces import JudgeInfo, Part, Record
from rlpa_bench.randomness import Draws
from rlpa_bench.scoring import OTHER, turn_subject
from rlpa_bench.types import (
    Case,
    Change,
    Dialogue,
    DialogueSubject,
    Gold,
    Item,
    Score,
    Session,
    State,
    Status,
    TurnSubject,
    Utterance,
)

UNTOLD = ("zorblatt-17", "quimsel-52")
"""Made-up words that only the gold holds: whoever writes one without a grant has reached for it."""


def _item(slot: str, value: str, key: str, say: str) -> Item:
    return Item(slot, value, id=key, origin="written", say=(say,))


def _untold(number: int) -> Item:
    return Item("Others", f"owns a {UNTOLD[number]}", origin="written", say=(f"I own a {UNTOLD[number]}.",))


def cases() -> tuple[Case, ...]:
    """Two users: one sitting with a given opening; two sittings, opened by the user, with a planned change."""
    nurse = (
        _item("Occupation", "nurse", "occupation/nurse", "I work as a nurse."),
        _item("Age", "34", "age/34", "I am 34 years old."),
        _item("Marital Status", "married", "marital/married", "I am married."),
        _item("Interests", "chess", "interests/chess", "I play chess every week."),
        _untold(0),
        Item("Personality Traits", "curious", id="traits/curious"),
    )
    job = _item("Occupation", "teacher", "occupation/teacher", "I teach at a school.")
    new = _item("Occupation", "baker", "occupation/baker", "I have become a baker.")
    teacher = (
        job,
        _item("Age", "52", "age/52", "I am 52 years old."),
        _item("Marital Status", "divorced", "marital/divorced", "I am divorced."),
        _untold(1),
        Item("Personality Traits", "reserved", id="traits/reserved"),
    )
    change = Change(turn=4, old=job.key, new=new, session=1)
    return (
        Case("nurse", Gold(nurse), "nurse", (Session(5, "Hello"),), {"personality": "curious"}),
        Case("teacher", Gold(teacher, (change,)), "teacher", (Session(3), Session(2)), {"personality": "reserved"}),
    )


class Teller:
    """A user who states one fact a turn, never the untold ones, for exercising candidates and judges."""

    name = "teller"
    unhurried = False

    async def open(self, state: State) -> Utterance:
        return Utterance("Hello, nice to meet you.")

    async def reply(self, state: State) -> Utterance:
        gold = state.case.gold.at(state.session, state.turn) if state.case.gold else None
        facts = [f for f in gold.facts if not any(word in f.value for word in UNTOLD)] if gold else []
        if not facts:
            return Utterance("I would rather not say.")
        fact = facts[state.turn % len(facts)]
        return Utterance(fact.say[0] if fact.say else f"{fact.slot}: {fact.value}.", (fact.key,))


REPLIES = (
    Contract.write("", "Hello! It is nice to meet you. What do you do for a living?"),
    Contract.write("- Occupation: nurse", "Nursing must keep you busy. How do you unwind after a shift?"),
    "I forgot the format.",
    Contract.write("- Marital Status: married\n- Interests: opera", "How long have you been married?"),
    Contract.write("- Age: 34", "So you are 34 and play chess. Which opening do you like best?"),
)


async def dialogues() -> list[tuple[Case, Dialogue]]:
    """A finished dialogue of each case."""
    env = DialogueEnv(Teller())  # type: ignore[arg-type]
    finished = []
    for case in cases():
        state = await env.start(case)
        while not state.ended:
            state = await env.advance(state, REPLIES[len(state.turns) % len(REPLIES)])
        finished.append((case, Dialogue("reference", case.id, 0, state.turns, case.turns, state.ended)))
    return finished


async def turn_subjects() -> list[TurnSubject]:
    """Every turn of those dialogues, and a few as awkward as they may come."""
    subjects = []
    for case, dialogue in await dialogues():
        turns = dialogue.turns
        subjects += [turn_subject(case, 0, turns[:i], turn) for i, turn in enumerate(turns)]
    last = subjects[-1]
    awkward = {
        "unknown ledger": replace(last, disclosed=None, disclosed_now=()),
        "empty reply": replace(last, reply="", malformed="empty response", inferred=()),
        "another language": replace(last, language="de", reply="Wie schön! Und was machst du sonst?"),
        "no gold": replace(last, gold=replace(last.gold, items=()), disclosed=(), disclosed_now=(), superseded=()),
        "long reply": replace(last, reply="And then? " * 400),
    }
    return subjects + [replace(subject, key=f"{name}/0/1") for name, subject in awkward.items()]


async def dialogue_subjects() -> list[DialogueSubject]:
    """Whole dialogues: finished, and cut short."""
    made = []
    for case, dialogue in await dialogues():
        turns = dialogue.turns
        subjects = tuple(turn_subject(case, 0, turns[:i], turn) for i, turn in enumerate(turns))
        made += [DialogueSubject(f"{case.id}/0", subjects, dialogue.ended)]
        made += [DialogueSubject(f"{case.id}/1", subjects[:2], "user: bored")]
    return made


PROFILE_PARTS = ("f1", "precision", "recall", "recall_disclosed", "trait_f1", "all_f1", "hallucination", "lucky",
                 "contradiction", "stale")  # fmt: skip
JUDGES: Mapping[str, JudgeInfo] = {
    "reference": JudgeInfo(
        "reference", "turn", {"gate": Part(binary=True), "style": Part(1, 5)}, "gate", ("gate",), other_gold=True
    ),
    "profile": JudgeInfo("profile", "turn", {part: Part() for part in PROFILE_PARTS}, "", ("f1",)),
}
"""The judges whose scores metrics are exercised on."""


async def records(judges: Mapping[str, JudgeInfo], salt: str, status: Status = "scored") -> list[Record]:
    """Those dialogues, and one that failed at turn 3 of 5, with scores drawn by ``salt`` or all of another status."""
    made = [Record(dialogue, case, _scores(dialogue, judges, salt, status)) for case, dialogue in await dialogues()]
    whole = made[0].dialogue
    cut = replace(whole, turns=whole.turns[:2], ended="error: candidate: 503: the endpoint is down", seed=1)
    return [*made, Record(cut, made[0].case, _scores(cut, judges, salt, status))]


def _scores(
    dialogue: Dialogue, judges: Mapping[str, JudgeInfo], salt: str, status: Status
) -> dict[tuple[str, str], dict[int | None, list[Score]]]:
    scores: dict[tuple[str, str], dict[int | None, list[Score]]] = {}
    for judge, part, scale in _parts(judges):
        turns: Sequence[int | None] = [turn.index for turn in dialogue.turns]
        if judges[judge.removesuffix(OTHER)].target != "turn":
            turns = [None]
        for turn in turns:
            draw = Draws(salt, dialogue.case, dialogue.seed, turn, judge, part)
            value = draw.choice((scale.low, scale.high)) if scale.binary else draw.random()
            value = value if scale.binary else scale.low + value * (scale.high - scale.low)
            reason = "" if status == "scored" else "503: the endpoint is down"
            score = Score("reference", dialogue.case, dialogue.seed, turn, judge, part,
                          value if status == "scored" else None, status, reason)  # fmt: skip
            scores.setdefault((judge, part), {})[turn] = [score]
    return scores


def _parts(judges: Mapping[str, JudgeInfo]) -> Iterator[tuple[str, str, Part]]:
    for name, info in judges.items():
        for part, scale in info.parts.items():
            yield name, part, scale
        if info.other_gold:
            for part in info.reward:
                yield name + OTHER, part, info.parts[part]


def untold_in(value: Any) -> list[str]:
    """The untold words that occur in something a candidate wrote."""
    text = repr(value)
    return [word for word in UNTOLD if word in text]
