"""R: does it take up what was said, and draw on what the user has told?"""

from __future__ import annotations

import re

from .scene import Finding, Scene
from .words import words

POINTS = words("pointers")
"""Words that point back to what was said."""

_GREETING = words("greeting")
_ANSWER = re.compile(
    r"\b(?:yes|yeah|yep|yup|no|nope|nah|sure|of course|absolutely|definitely|not (?:really|yet|at all|much)|both"
    r"|neither|depends|a bit|a little|sometimes|mostly|mainly|rarely|honestly"
    r"|same here|me too|i(?:'m|'ve|'d|'ll)?|my|mine|we|our)\b"
)
_ASIDE = 2
"""An utterance with fewer content words than this gives no topic of its own."""


def relevant(scene: Scene) -> Finding:
    """Shares the topic of what was just said; once facts are known, draws on one of them; answers a question."""
    if scene.opening:
        return _opening(scene)
    if scene.usable and scene.drawn is None:
        return False, "uses no disclosed fact"
    if not _takes_up(scene):
        return False, "does not take up what was just said"
    if scene.user.questions and not _answers(scene):
        return False, "leaves the user's question open"
    return True, f"draws on: {scene.drawn.value}" if scene.drawn else "takes up what was said"


def _opening(scene: Scene) -> Finding:
    reply = scene.reply
    if reply.vocabulary & _GREETING or any({"you", "your"} & set(question.tokens) for question in reply.questions):
        return True, "a fitting opening"
    return False, "neither greets back nor opens a topic"


def _takes_up(scene: Scene) -> bool:
    """This turn's facts, or a content word of the user's, or a field they evoke; small talk asks for nothing."""
    if scene.now and scene.topics.draws(scene.reply, scene.now, scene.now):
        return True
    if scene.reply.content & scene.user.content:
        return True
    if scene.now:
        return _refers(scene)
    return len(scene.user.content) < _ASIDE or scene.drawn is not None


def _refers(scene: Scene) -> bool:
    """Points back with its first sentence, or speaks of the slot of what was told."""
    first = scene.reply.sentences[0].tokens if scene.reply.sentences else ()
    if not POINTS.isdisjoint(first):
        return True
    return any(not scene.topics.topic(item).slot.isdisjoint(scene.reply.grams) for item in scene.now)


def _answers(scene: Scene) -> bool:
    asked = frozenset().union(*(question.content for question in scene.user.questions))
    if asked & scene.reply.content:
        return True
    return any(_ANSWER.search(sentence.text) for sentence in scene.reply.sentences if not sentence.question)
