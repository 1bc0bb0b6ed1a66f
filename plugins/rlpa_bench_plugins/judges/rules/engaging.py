"""G: does it invite going on, in a way that fits?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from .relevant import POINTS
from .scene import Finding, Scene
from .text import Sentence
from .words import lines, words

_QUESTIONS = 2
_ECHO = 0.6
_COPIED = 7
_SAME = 0.7
_ASKED = 4
_OFFER = re.compile(
    r"\b(?:want me to|shall (?:i|we)|let me know|tell me|i(?:'d| would) (?:love|like) to (?:hear|know|see|try|join)"
    r"|i could|we could|i can (?:send|share|show|bring|lend|look)|happy to|feel free"
    r"|you (?:should|could|might) (?:try|come|look|join)|let's|if you (?:like|want|ever|fancy)|come (?:by|over|along)"
    r"|try (?:it|one|the|a|an|some|adding)|curious (?:what|how|which|whether|about))\b"
)
_CLOSER = re.compile(
    r"how (?:can|may) i (?:help|assist)|anything else|does (?:that|this) help|what can i do for you|is there anything"
    r"|how may i|let me know if (?:you|i|there)|feel free to|any (?:other )?questions"
)
_TO_USER = frozenset(["you", "your", "you're", "you've", "you'd", "yours", "yourself"])
_PRAISE = words("praise")
_RUDE = re.compile(r"^whatever\b|\b(?:who cares|so what|not interested|boring)\b")
_YES_NO = re.compile(
    r"^(?:\W*(?:so|and|but|oh|well|then)\b,? )?(?:do|are|have|did) you (?:\w+ly |also |still |even )?(.*)$"
)
_TASTES = re.compile(r"^(?:like|love|enjoy|have|own|play|work as|live in|into|been|a|an|married)\b(.{0,24})")
_TOUCHY = ("Age", "Marital Status", "Gender")
_SINGLE = ("Age", "Gender", "Marital Status", "Occupation", "Location")
"""Slots that one answer settles."""


def engaging(scene: Scene) -> Finding:
    """One or two fitting questions, or an offer; no flattery, echo, brush-off or question asked or answered before."""
    questions = scene.reply.questions
    reason = _off_putting(scene)
    if not reason and len(questions) > _QUESTIONS:
        reason = f"{len(questions)} questions at once"
    for question in questions:
        reason = reason or _settled(scene, question) or _asked(scene, question)
    if reason:
        return False, reason
    fitting = _fitting(scene)
    return (True, f"invites: {fitting.text[:48]}") if fitting else (False, "no fitting question or offer")


def _off_putting(scene: Scene) -> str:
    reply, user = scene.reply, scene.user
    curt = len(reply.tokens) < 4 and not (scene.opening and reply.questions)
    if curt or any(_RUDE.search(s.text) for s in reply.sentences if len(s.tokens) < 5):
        return "brushes the user off"
    praise = sum(word in _PRAISE for word in reply.tokens)
    if praise >= 2 and praise >= 0.34 * (praise + len(reply.content)):
        return "flattery without content"
    if len(reply.content) >= 3 and len(reply.content & user.content) > _ECHO * len(reply.content):
        return "echoes the user"
    copied = {user.tokens[i : i + _COPIED] for i in range(len(user.tokens) - _COPIED + 1)}
    if any(reply.tokens[i : i + _COPIED] in copied for i in range(len(reply.tokens) - _COPIED + 1) if copied):
        return "copies the user's words"
    return ""


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    pairs = (line.split(" = ", 1) for line in lines("areas.txt"))
    return tuple((slot, re.compile(pattern)) for slot, pattern in pairs)


@cache
def _areas(text: str) -> tuple[str, ...]:
    return tuple(slot for slot, pattern in _patterns() if pattern.search(text))


def _settled(scene: Scene, question: Sentence) -> str:
    """Asks what the user has told already."""
    for slot in _areas(question.text):
        if slot in _SINGLE and any(item.slot == slot for item in scene.disclosed):
            return f"asks what was told already: {slot}"
    match = _YES_NO.match(question.text)
    tastes = _TASTES.match(match[1]) if match else None
    if tastes:
        ids = {item.id for item in scene.disclosed if item.id}
        for mention in scene.topics.ontology.mentions(tastes[1]):
            rest = tastes[1][mention.end :].strip(" ?!.")
            if mention.value.id in ids and len(rest) < 3:
                return f"asks what was told already: {mention.text}"
    return ""


def _asked(scene: Scene, question: Sentence) -> str:
    """Puts a question again."""
    areas = set(_areas(question.text)) & set(_SINGLE)
    mine = set(question.tokens)
    for past in _past_questions(scene):
        both = len(mine & set(past.tokens))
        if both >= 3 and both >= _SAME * (len(mine) + len(set(past.tokens)) - both):
            return "asks the same question again"
        if areas and areas & set(_areas(past.text)):
            return "asks the same question again"
    return ""


def invites(sentence: Sentence) -> bool:
    """A question or an offer, other than an assistant's closing formula."""
    return (sentence.question or bool(_OFFER.search(sentence.text))) and not _CLOSER.search(sentence.text)


def _past_questions(scene: Scene) -> Iterator[Sentence]:
    for past in scene.own:
        yield from past.questions


def _fitting(scene: Scene) -> Sentence | None:
    """The sentence that invites: about the topic, about the user, or about something not yet asked."""
    for sentence in reversed(scene.reply.sentences):
        if not invites(sentence):
            continue
        if scene.opening:
            if not set(_areas(sentence.text)) & set(_TOUCHY):
                return sentence
            continue
        tokens = set(sentence.tokens)
        at_hand = scene.related | scene.user.content
        tied = not sentence.content.isdisjoint(at_hand) or bool((tokens & POINTS or sentence.content) and scene.drawn)
        topical = scene.drawn or not scene.usable or sentence.content or _areas(sentence.text)
        if tied or (_TO_USER & tokens and len(sentence.tokens) >= _ASKED and topical):
            return sentence
    return None
