"""Style: does the reply suit the personality? Outside the gate."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rlpa_bench.types import Verdict

from .scene import Scene
from .text import Text
from .words import words

_WIDTH = 4.0
"""From -2 to 2."""
_FORMAL, _SLANG = words("formal"), words("slang")


def _clip(value: float) -> float:
    return max(-2.0, min(2.0, value))


@lru_cache(1024)
def measure(reply: Text) -> Mapping[str, float]:
    """The six dimensions of a reply, each from -2 to 2, by simple counts.

    length: 25 words are 0, 15 more or less are one step. warmth, humour: listed words and signs (``!``, ``:)``,
    emoji), none is -1, each a step. directness: hedges off, imperatives and short sentences on. formality: formal
    and long words on, contractions, slang and emoji off. questions: none -1, one 0, two 1, more 2.
    """
    tokens, plain = reply.tokens, reply.plain
    count = max(len(tokens), 1)
    smiles = sum(ord(char) >= 0x2600 for char in plain) + plain.count(":)") + plain.count(";)")
    warm = sum(word in words("warm") for word in tokens) + 0.5 * plain.count("!") + smiles
    fun = sum(word in words("humour") for word in tokens) + smiles
    hedges = sum(word in words("hedges") for word in tokens)
    short = sum("'" in word for word in tokens)
    lengthy = sum(len(word) > 8 for word in tokens) / count
    per_sentence = count / max(len(reply.sentences), 1)
    slang = sum(word in _SLANG for word in tokens) + smiles
    return {
        "length": _clip((count - 25) / 15),
        "warmth": _clip(warm - 1),
        "humour": _clip(2 * fun - 1),
        "directness": _clip(1.0 - hedges - (per_sentence - 10) / 10),
        "formality": _clip(sum(word in _FORMAL for word in tokens) + 10 * lengthy - 0.5 * short - slang),
        "questions": _clip(len(reply.questions) - 1.0),
    }


def style(scene: Scene) -> Verdict:
    """1 minus the mean absolute mismatch over the dimensions that the traits ask for, as a share of the range."""
    asked = scene.topics.ontology.style(scene.subject.gold.traits)
    wanted = {name: weight for name, weight in asked.items() if weight}
    if not wanted:
        return Verdict(None, "unscored", "the personality asks for no style")
    shown = measure(scene.reply)
    gaps = {name: abs(weight - shown[name]) / _WIDTH for name, weight in wanted.items()}
    worst = max(gaps, key=lambda name: (gaps[name], name))
    return Verdict(1 - sum(gaps.values()) / len(gaps), reason=f"furthest off: {worst}")
