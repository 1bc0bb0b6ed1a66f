"""F: does it add something of its own?"""

from __future__ import annotations

from .engaging import invites
from .scene import Finding, Scene
from .text import read

_OWN = 2
_OPENING = 2
_OPENER = 5
_TOPICAL = 2


def informative(scene: Scene) -> Finding:
    """Own content words, and among them a strong or two weak words of the topic at hand."""
    reply = scene.reply
    own = reply.content - scene.user.content
    if scene.opening:
        if len(own) >= _OPENING or any(len(s.tokens) >= _OPENER for s in reply.sentences if invites(s)):
            return True, "says more than a greeting"
        return False, "no more than a greeting"
    if len(own) < _OWN:
        return False, "adds nothing of its own"
    if not scene.usable:
        return True, "adds: " + ", ".join(sorted(own)[:3])
    grams = reply.grams - scene.user.grams
    weight: dict[str, int] = {}
    for item in scene.usable:
        topic, named = scene.topics.topic(item), read(item.value).grams
        for gram in (topic.strong | topic.weak | topic.slot) & grams - named:
            weight[gram] = 2 if gram in topic.strong else weight.get(gram, 1)
    if sum(weight.values()) >= _TOPICAL:
        return True, "adds: " + ", ".join(sorted(weight)[:3])
    return False, "adds nothing about the topic"
