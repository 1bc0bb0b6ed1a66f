"""Transcripts x judges -> scores. The same calls score a live turn, a training sample and a recorded dialogue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

from rlpa_bench.contract import exchange
from rlpa_bench.errors import BoundaryError, JudgeError
from rlpa_bench.guard import guarded
from rlpa_bench.interfaces import Judge
from rlpa_bench.randomness import Draws
from rlpa_bench.types import (
    Case,
    Dialogue,
    DialogueSubject,
    Item,
    Profile,
    Score,
    Turn,
    TurnSubject,
    Verdict,
    ledger,
)

OTHER = "@other"
"""Suffix of a judge's name where it judged against another user's gold."""


def turn_subject(case: Case, seed: int, before: Sequence[Turn], turn: Turn) -> TurnSubject:
    """What a judge may know of a turn that followed the turns ``before``."""
    gold = case.gold.at(turn.session, turn.index) if case.gold else Profile()
    known = ledger([*(t.user for t in before), turn.user])
    return TurnSubject(
        key=f"{case.id}/{seed}/{turn.index}",
        turn=turn.index,
        session=turn.session,
        history=tuple([exchange(t.user.text, t.response) for t in before if t.session == turn.session]),
        user=turn.user.text,
        reply=turn.response,
        inferred=turn.inferred,
        gold=gold,
        superseded=case.gold.superseded(turn.session, turn.index) if case.gold else (),
        disclosed=None if known is None else gold.select(known),
        disclosed_now=gold.select(turn.user.disclosed or ()),
        malformed=turn.malformed,
        language=case.language,
        text=case.text,
    )


async def judge_subject(judge: Judge, subject: Any) -> Mapping[str, Verdict]:
    """A judge's verdicts, with its failures booked as errors: no part ever gets a default score."""
    try:
        verdicts = await guarded(f"judge {judge.name!r}", judge.judge, subject, unhurried=judge.unhurried)
        if not isinstance(verdicts, Mapping):
            raise TypeError(f"judge {judge.name!r} returned {type(verdicts).__name__}, not verdicts by part")
    except Exception as error:  # a judge may be anybody's code: its failure is data, never a crash and never a 0
        word = error.reason if isinstance(error, BoundaryError) else type(error).__name__
        return dict.fromkeys(judge.parts, Verdict(None, "error", f"{word}: {error}"))
    return {part: _checked(judge, part, verdicts.get(part)) for part in judge.parts}


def _checked(judge: Judge, part: str, verdict: object) -> Verdict:
    if not isinstance(verdict, Verdict):
        return Verdict(None, "error", "no verdict for this part")
    scale, value = judge.parts[part], verdict.value
    if value is None or (type(value) is float and scale.low <= value <= scale.high):
        return verdict
    if not isinstance(value, Real) or not scale.low <= value <= scale.high:
        reason = f"out_of_range: {value!r} is no number in [{scale.low}, {scale.high}]"
        return Verdict(None, "error", reason, verdict.raw)
    return replace(verdict, value=float(value))  # numpy's, a bool, an int


def other_case(case: Case, cases: Sequence[Case]) -> Case | None:
    """Another user of the same suite, drawn by the case's id; None if there is none."""
    others = [other for other in cases if other.cluster != case.cluster and other.gold]
    return Draws("other-gold", case.id).choice(others) if others else None


def with_other_gold(subject: TurnSubject, other: Case) -> TurnSubject:
    """The same turn, as if another user had spoken: their gold, and what they hold in the slots spoken of."""
    if other.gold is None:
        raise JudgeError(f"case {other.id!r} has no gold to judge against")
    gold = other.gold.at(subject.session, subject.turn)

    def counterpart(items: Sequence[Item]) -> tuple[Item, ...]:
        slots = {item.slot for item in items}
        return tuple(item for item in gold.facts if item.slot in slots)

    known = None if subject.disclosed is None else counterpart(subject.disclosed)
    return replace(
        subject,
        gold=gold,
        superseded=(),
        disclosed=known,
        disclosed_now=counterpart(subject.disclosed_now),
        text=other.text,
    )


async def score_dialogue(
    dialogue: Dialogue,
    case: Case,
    judges: Sequence[Judge],
    *,
    repeats: int = 1,
    other: Case | None = None,
    pace: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[Score]:
    """All scores of one recorded dialogue.

    Args:
        judges: judges of turns and of whole dialogues; judges of pairs are skipped.
        repeats: how often a judge that is not deterministic is asked.
        other: whose gold to use for personalisation proper, by judges that declare ``other_gold``.
        pace: awaited before each turn; lets others in where nothing else ever waits.
    """
    turns = dialogue.turns
    subjects = [turn_subject(case, dialogue.seed, turns[:i], turn) for i, turn in enumerate(turns)]
    whole = DialogueSubject(f"{case.id}/{dialogue.seed}", tuple(subjects), dialogue.ended)
    asked = [(judge, repeat) for judge in judges for repeat in range(1 if judge.deterministic else repeats)]
    for turn, subject in zip(turns, subjects, strict=True):
        if pace:
            await pace()
        for judge, repeat in asked:
            if judge.target == "turn":
                for score in await _score_turn(judge, dialogue, turn, subject, repeat, other):
                    yield score
    for judge, repeat in asked:
        if judge.target == "dialogue":
            for part, verdict in (await _repeat(judge, whole, repeat)).items():
                yield _score(dialogue, None, judge.name, part, verdict, repeat)


async def _score_turn(
    judge: Judge, dialogue: Dialogue, turn: Turn, subject: TurnSubject, repeat: int, other: Case | None
) -> list[Score]:
    if turn.truncated:
        cut = dict.fromkeys(judge.parts, Verdict(None, "truncated", "output cut off at max_tokens"))
        return [_score(dialogue, turn.index, judge.name, part, verdict, repeat) for part, verdict in cut.items()]
    verdicts = await _repeat(judge, subject, repeat)
    scores = [_score(dialogue, turn.index, judge.name, part, verdict, repeat) for part, verdict in verdicts.items()]
    if judge.other_gold and other is not None:
        swapped = await _repeat(judge, with_other_gold(subject, other), repeat)
        name = judge.name + OTHER
        scores += [_score(dialogue, turn.index, name, part, swapped[part], repeat) for part in judge.reward]
    return scores


async def _repeat(judge: Judge, subject: Any, repeat: int) -> Mapping[str, Verdict]:
    if repeat:
        subject = replace(subject, key=f"{subject.key}#{repeat}")
    return await judge_subject(judge, subject)


def _score(dialogue: Dialogue, turn: int | None, judge: str, part: str, verdict: Verdict, repeat: int) -> Score:
    v = verdict
    return Score(
        dialogue.candidate,
        dialogue.case,
        dialogue.seed,
        turn,
        judge,
        part,
        v.value,
        v.status,
        v.reason,
        v.raw,
        repeat,
    )
