"""F: does it add something of its own?"""

from __future__ import annotations

from collections.abc import Iterable

from .engaging import invites
from .scene import Finding, Scene
from .text import read

_OWN = 2
_OPENING = 2
_OPENER = 5
_TOPICAL = 2


def informative(scene: Scene) -> Finding:
    """Own content words, and among them a strong or two weak words of the topic at hand."""
    said = [*(text.grams for text in scene.heard), *(read(item.value).grams for item in scene.disclosed)]
    own = _fresh(said, scene.reply.content)
    if scene.opening:
        if len(own) >= _OPENING or any(len(s.tokens) >= _OPENER for s in scene.reply.sentences if invites(s)):
            return True, "says more than a greeting"
        return False, "no more than a greeting"
    if len(own) < _OWN:
        return False, "adds nothing of its own"
    if not scene.usable:
        return True, "adds: " + ", ".join(sorted(own)[:3])
    topical = _fresh(said, scene.related)
    for item in scene.usable:
        topic = scene.topics.topic(item)
        if topic.weight(topical) >= _TOPICAL:
            return True, "adds: " + ", ".join(sorted(topic.every & topical)[:3])
    return False, "adds nothing about the topic"


def _fresh(said: Iterable[frozenset[str]], grams: frozenset[str]) -> frozenset[str]:
    """Words that the user has not said and that do not name a disclosed fact."""
    for old in said:
        grams -= old
    return grams
