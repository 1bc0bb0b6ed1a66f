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
_TOLD = 4
"""With so many own content words one weak topical word is enough."""


def informative(scene: Scene) -> Finding:
    """Own content words, and among them a strong or two weak words of the topic at hand."""
    own = _fresh(scene, scene.reply.content)
    if scene.opening:
        if len(own) >= _OPENING or any(len(s.tokens) >= _OPENER for s in scene.reply.sentences if invites(s)):
            return True, "says more than a greeting"
        return False, "no more than a greeting"
    if len(own) < _OWN:
        return False, "adds nothing of its own"
    if not scene.usable:
        return True, "adds: " + ", ".join(sorted(own)[:3])
    topical = _fresh(scene, scene.related)
    strong = {gram for item in scene.usable for gram in scene.topics.topic(item).strong & topical}
    if len(topical) + len(strong) >= _TOPICAL or (topical and len(own) >= _TOLD):
        return True, "adds: " + ", ".join(sorted(topical)[:3])
    return False, "adds nothing about the topic"


def _fresh(scene: Scene, grams: Iterable[str]) -> set[str]:
    """Words that the user has not said and that do not name a disclosed fact."""
    said = [*(text.grams for text in scene.heard), *(read(item.value).grams for item in scene.disclosed)]
    return {gram for gram in grams if not any(gram in old for old in said)}
