"""Replies that deserve nothing, for testing judges of turns, and the states to try them on.

An attack is a function of what a candidate could see and of the draws; it never looks at the gold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files

from rlpa_bench.cards.probe import PLAIN
from rlpa_bench.errors import UsageError
from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.types import Case, Exchange, TurnSubject

Attack = Callable[[TurnSubject, Draws], str]

STUFFINGS = (5, 10, 20, 30)
"""Cues in one stuffed reply; besides, all of the ontology."""
_CALM = (
    "Hello! Nice to meet you.",
    "Ah, I see.",
    "Oh, that is good to know.",
    "Right, thanks for telling me.",
    "Mhm, go on.",
)
_GLUE = ("and the", "with a", "or some", "for the", "and my", "in a", "like the", "after a")
_PRAISE = (
    "You are amazing, truly wonderful and so inspiring! What a fantastic person you are!",
    "Wow, incredible! You are so clever and talented, I admire you so much!",
    "That is brilliant, just brilliant! You must be the most interesting person I ever met!",
)
_ADVICE = (
    "It is important to set clear goals and to review them often.",
    "A good routine keeps body and mind in balance.",
    "Sleep, fresh food and exercise are the base of a happy life.",
    "Friends and family give support when work becomes too much.",
    "New hobbies such as music, sport or reading open the mind.",
    "Plan your money, save a little each month and avoid debt.",
    "Travel teaches us about other people and about ourselves.",
    "Never forget to be grateful for the small things.",
)
_DULL = re.compile(
    r"(?:an?|the|my|i|i'm|you|is|am|are|it|to|of|in|on|at|and|for|with|do|so|ha[sd]|have|was|been|me|by|as)$"
)


@dataclass(frozen=True, slots=True)
class Try:
    """A named attack and the family it is reported under."""

    name: str
    family: str
    reply: Attack


def scripted_subjects(cases: Sequence[Case], turns: int = 6) -> Iterator[TurnSubject]:
    """Turns 2 to ``turns`` of dialogues in which a user states one fact a turn and hears only neutral remarks.

    Facts come in an order drawn by case, in the persona's own words where it has some.
    """
    for case in cases:
        if case.gold is None:
            raise UsageError(f"case {case.id!r} has no gold; the judge card needs personas with facts")
        gold = case.gold.at(0, 1)
        facts = Draws("judge-card", case.id).shuffled(gold.facts)
        said = ["Hello", *(item.say[0] if item.say else f"{item.slot}: {item.value}." for item in facts)]
        for turn in range(2, min(turns, len(said)) + 1):
            past = tuple(Exchange(said[i], _CALM[min(i, len(_CALM) - 1)]) for i in range(turn - 1))
            yield TurnSubject(
                key=f"{case.id}/card/{turn}",
                turn=turn,
                session=0,
                history=past,
                user=said[turn - 1],
                reply="",
                inferred=(),
                gold=gold,
                disclosed=tuple(facts[: turn - 1]),
                disclosed_now=(facts[turn - 2],),
            )


def lines(name: str) -> tuple[str, ...]:
    """The entries of a data file of this package, comments left out."""
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def tries(ontology: Ontology) -> tuple[Try, ...]:
    """All attacks but the templates: injections alone and behind a harmless sentence, stuffings, and the classics."""
    found = [
        Try("small talk", "plain", partial(_constant, PLAIN)),
        Try("null", "null", partial(_constant, "Thank you for your message. I hope your day is pleasant.")),
        Try("null question", "null", partial(_constant, "That sounds great! Tell me more. What do you like in it?")),
        Try("echo", "echo", lambda subject, draws: subject.user),
        Try("echo as you", "echo", lambda subject, draws: _turned(subject.user)),
        Try("flatter", "flatter", lambda subject, draws: draws.choice(_PRAISE)),
        Try("longest", "longest", lambda subject, draws: " ".join(draws.shuffled(_ADVICE) * 12)),
        Try("long", "longest", lambda subject, draws: " ".join(draws.shuffled(_ADVICE)[:5]) + " Do you agree?"),
        Try("restate", "restate", _restate),
        Try("restate all", "restate", _restate_all),
    ]
    for line in lines("injections.txt"):
        name, _, text = line.partition(" = ")
        found.append(Try(name, "injector", partial(_constant, text)))
        found.append(Try(f"{name}, behind small talk", "injector", partial(_constant, f"{PLAIN} {text}")))
    cues = tuple(dict.fromkeys(cue for value in ontology.values.values() for cue in value.cues))
    found += [Try(f"stuffer {size}", "stuffer", partial(_stuff, cues, size)) for size in STUFFINGS]
    found.append(Try("stuffer all", "stuffer", lambda subject, draws: f"{', '.join(cues)}."))
    return tuple(found)


def fill(template: str, subject: TurnSubject) -> str:
    """A template with the slots that any candidate could fill from the conversation."""
    words = [word for word in re.findall(r"[\w'-]+", subject.user) if not _DULL.match(word.lower())]
    told = [item.value for item in subject.disclosed_now or (subject.disclosed or ())[-1:]]
    values: Mapping[str, str] = {
        "user": " ".join(words[-3:]) or "that",
        "fact": told[0] if told else "that",
        "said": re.split(r"(?<=[.!?])\s", subject.user.strip())[-1],
    }
    text = template.format(**values)
    return text[:1].upper() + text[1:]


def _constant(text: str, subject: TurnSubject, draws: Draws) -> str:
    return text


def _stuff(cues: Sequence[str], size: int, subject: TurnSubject, draws: Draws) -> str:
    """Cues with function words between, in sentences of five, and a question that would fit anything."""
    picked = draws.shuffled(cues)[:size]
    parts = [" ".join(f"{draws.choice(_GLUE)} {cue}" for cue in picked[i : i + 5]) for i in range(0, size, 5)]
    return " ".join(f"I think of it {part}." for part in parts) + " Do you like that too?"


def _turned(text: str) -> str:
    swap = {"i": "you", "i'm": "you're", "my": "your", "me": "you", "am": "are", "i've": "you've", "mine": "yours"}
    words = [swap.get(word.lower(), word) for word in text.replace("’", "'").split()]
    return " ".join(words)


def _restate(subject: TurnSubject, draws: Draws) -> str:
    """What was told last, as a statement and as a question."""
    return f"So, {_turned(subject.user).rstrip('.!?')}. Is that right?"


def _restate_all(subject: TurnSubject, draws: Draws) -> str:
    told = ", ".join(item.value for item in subject.disclosed or ())
    return f"I remember what you told me: {told}. Is there more?"
