"""Texts as weighted character n-grams, and which values of the ontology a text retrieves by them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from hashlib import sha256
from importlib.resources import files

from rlpa_bench.ontology import Ontology
from rlpa_bench.types import TRAIT_SLOT

SIZE = 4
"""Characters of an n-gram; four serve best in European languages (McNamee and Mayfield 2004)."""
FOUND = 0.8
"""Share of a phrase's weight that a text must hold to retrieve it."""
LONGEST = 4000
"""Characters of a text that are looked at."""

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_QUOTES = str.maketrans({"’": "'", "‘": "'"})


@cache
def function_words() -> frozenset[str]:
    """Words that say nothing of a topic."""
    return frozenset(_source().split())


@cache
def digest() -> str:
    """sha256 of the word list."""
    return sha256(_source().encode()).hexdigest()


def _source() -> str:
    return files(__package__).joinpath("function_words.txt").read_text(encoding="utf-8")


@lru_cache(16384)
def content(text: str) -> tuple[str, ...]:
    """The lower-case words of a text that are no function words."""
    words = _WORD.findall(text[:LONGEST].translate(_QUOTES).casefold())
    return tuple(word for word in words if word not in function_words())


@lru_cache(16384)
def grams(text: str) -> frozenset[str]:
    """The character 4-grams of its content words, each word with a space on either side."""
    return frozenset(gram for word in content(text) for gram in _of_word(word))


@lru_cache(65536)
def _of_word(word: str) -> tuple[str, ...]:
    padded = f" {word} "
    return tuple(padded[i : i + SIZE] for i in range(max(1, len(padded) - SIZE + 1)))


class Collection:
    """The phrases of an ontology's facts, indexed by n-gram."""

    def __init__(self, ontology: Ontology) -> None:
        phrases = [
            (value.id, found)
            for value in ontology.values.values()
            if value.slot != TRAIT_SLOT
            for text in dict.fromkeys((value.label, *value.aliases))
            if (found := grams(text))
        ]
        counts = Counter(gram for _, found in phrases for gram in found)
        self._rarest = math.log(1 + len(phrases))
        self._weights = {gram: math.log(1 + len(phrases) / n) for gram, n in counts.items()}
        self._phrases = phrases
        self._needed = [FOUND * self.weight(found) for _, found in phrases]
        self._index: dict[str, list[int]] = {}
        for i, (_, found) in enumerate(phrases):
            for gram in found:
                self._index.setdefault(gram, []).append(i)
        self.retrieved = lru_cache(16384)(self._retrieved)

    def weight(self, found: Iterable[str]) -> float:
        """Sum of inverse document frequencies; what no phrase holds weighs most."""
        return math.fsum(self._weights.get(gram, self._rarest) for gram in found)

    def covered(self, phrase: str, text: str) -> float:
        """Share of a phrase's weight that the text holds; 0 for a phrase without content."""
        found = grams(phrase)
        return self.weight(found & grams(text)) / self.weight(found) if found else 0.0

    def _retrieved(self, found: frozenset[str]) -> Mapping[str, frozenset[str]]:
        """Ids of the values one of whose phrases these n-grams hold, with that phrase, in the order of the ontology."""
        held: dict[int, float] = {}
        for gram in sorted(found):
            weight = self._weights.get(gram, 0.0)
            for i in self._index.get(gram, ()):
                held[i] = held.get(i, 0.0) + weight
        return dict(self._phrases[i] for i in sorted(held) if held[i] >= self._needed[i] - 1e-9)
