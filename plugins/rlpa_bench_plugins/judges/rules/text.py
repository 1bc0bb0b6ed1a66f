"""What one text shows by itself, read in one pass and kept for the next turns of the same dialogue."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from .words import stem, stems, words

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e01ef]"
)
_TYPOGRAPHIC = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "…": "...", "‐": "-", "‑": "-"})
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*[\"')]*")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")

FUNCTION = words("function")
IDLE = stems("function") | stems("filler") | stems("praise") | stems("greeting")
"""Stems that carry no topic."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence: its text and words in lower case, and the stems that carry a topic."""

    text: str
    tokens: tuple[str, ...]
    content: frozenset[str]
    question: bool


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """The features of a text."""

    plain: str
    """NFKC, without invisible characters, straight quotes."""
    tokens: tuple[str, ...]
    """Words in lower case, in order."""
    vocabulary: frozenset[str]
    """The same without order."""
    stems: tuple[str, ...]
    content: frozenset[str]
    """Stems that are neither function words, fillers, praise nor greetings."""
    grams: frozenset[str]
    """Stems, and pairs of neighbouring stems joined by a space."""
    function: float
    """Share of function words."""
    frame: tuple[str, ...]
    """Its function words in order: what is left of a template when the slots are taken out."""
    sentences: tuple[Sentence, ...]

    @property
    def questions(self) -> tuple[Sentence, ...]:
        return tuple(sentence for sentence in self.sentences if sentence.question)


def clean(text: str) -> str:
    """One spelling for all look-alikes: NFKC, no invisible characters, straight quotes and hyphens."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).translate(_TYPOGRAPHIC)


@lru_cache(1024)
def read(text: str) -> Text:
    """The features of a text, user's or candidate's."""
    plain = clean(text)
    sentences = []
    tokens: list[str] = []
    roots: list[str] = []
    for match in _SENTENCE.finditer(plain.lower()):
        part = tuple(_WORD.findall(match[0]))
        if not part:
            continue
        bases = [stem(word) for word in part]
        content = frozenset(base for base in bases if base not in IDLE and len(base) > 1)
        sentences.append(Sentence(match[0].strip(), part, content, "?" in match[0][-4:]))
        tokens += part
        roots += bases
    frame = tuple(word for word in tokens if word in FUNCTION or word.split("'", 1)[0] in FUNCTION)
    return Text(
        plain,
        tuple(tokens),
        frozenset(tokens),
        tuple(roots),
        frozenset().union(*(sentence.content for sentence in sentences)),
        frozenset(roots).union(map(" ".join, pairwise(roots))),
        len(frame) / len(tokens) if tokens else 0.0,
        frame,
        tuple(sentences),
    )
