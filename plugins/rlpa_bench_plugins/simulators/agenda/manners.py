"""How the partner behaved in the last reply, and what that does to the user's mood."""

from __future__ import annotations

from collections.abc import Sequence

from rlpa_bench.types import Turn
from rlpa_bench_plugins.simulators.agenda.memory import Memory
from rlpa_bench_plugins.simulators.agenda.understanding import Reading

FAULTS = {
    "repeat": (-12, -2),
    "echo": (-10, -1),
    "flattery": (-12, -1),
    "interrogation": (-8, -1),
    "too_long": (-3, 0),
}
"""Fault -> what it costs in trust and patience; the first one found is the one complained of."""

WORDY = 90
"""Words of a reply that tire a user who likes it short."""

MANY_QUESTIONS = 3
"""Questions in one reply, or replies in a row that only ask, that feel like an interrogation."""


def faults(reading: Reading, turns: Sequence[Turn], memory: Memory, short: bool) -> list[str]:
    """The faults of the last reply, gravest first; keeps count of replies that only ask."""
    last = turns[-1]
    memory.streak = memory.streak + 1 if reading.only_questions else 0
    found = {
        "repeat": _repeats(reading, turns),
        "echo": _echoes(reading, last.response, last.user.text),
        "flattery": reading.flattery,
        "interrogation": reading.questions >= MANY_QUESTIONS or memory.streak >= MANY_QUESTIONS,
        "too_long": short and len(reading.words) > WORDY,
    }
    if found["interrogation"]:
        memory.streak = 0
    return [fault for fault in FAULTS if found[fault]]


def _repeats(reading: Reading, turns: Sequence[Turn]) -> bool:
    last = turns[-1].response
    if len(reading.words) < 3:
        return False
    if any(turn.response == last for turn in turns[:-1]):
        return True
    before = set(turns[-2].response.lower().split()) if len(turns) > 1 else set()
    now = set(last.lower().split())
    return len(now) > 4 and len(now & before) >= 0.85 * len(now | before)


def _echoes(reading: Reading, reply: str, said: str) -> bool:
    if reply.strip() == said and not reading.greeting:
        return True
    theirs = said.lower().replace("’", "'")
    words = [word for word in reading.words if len(word) > 2]
    if len(words) < 3:
        return False
    return sum(word in theirs for word in words) >= 0.75 * len(words)


def settle(memory: Memory, reading: Reading, found: Sequence[str], relevant: bool) -> None:
    """What a reply as a whole does to trust and patience."""
    for fault in found:
        memory.feel(*FAULTS[fault])
    if not found:
        memory.feel(1 + 3 * bool(reading.questions) + 2 * reading.warm + 5 * relevant, 1)
