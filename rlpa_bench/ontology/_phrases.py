"""Finding many phrases in a text in one pass: a trie of words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

_WORD = re.compile(r"([^\W_]+[+#]*)")
_BREAK = re.compile(r"[.,;:!?()\[\]\n]")
_END = ""
"""Key in a trie node for the phrase that ends there; never a word."""


def _base(code: int) -> str:
    letters = unicodedata.normalize("NFKD", chr(code))
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return bare if len(bare) == 1 else chr(code)


_FOLD = {code: _base(code) for code in range(0xA0, 0x250)}
_FOLD |= {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'}


def fold(text: str) -> str:
    """Lower case without accents and typographic quotes; as long as the text itself."""
    return text.lower() if text.isascii() else text.translate(_FOLD).lower()


def words(text: str) -> list[str]:
    """The words of a text, folded; hyphens, apostrophes and other signs separate."""
    return _WORD.findall(fold(text))


def word_set(text: str) -> frozenset[str]:
    """The words of a plain list."""
    return frozenset(text.split())


@dataclass(slots=True)
class Entry:
    """What a phrase stands for, as ids of values."""

    named: list[str] = field(default_factory=list)
    cued: list[str] = field(default_factory=list)


class Phrases:
    """A set of phrases, each a sequence of words."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}

    def entry(self, phrase: str) -> Entry | None:
        """The entry for a phrase, made if new; None if the phrase holds no word."""
        node = self._root
        parts = words(phrase)
        for word in parts:
            node = node.setdefault(word, {})
        found: Entry | None = node.setdefault(_END, Entry()) if parts else None
        return found

    def get(self, parts: list[str]) -> Entry | None:
        """The entry for exactly these words; none for an empty one, the singular of the last in "pottery's"."""
        node: dict[str, Any] | None = self._root
        for word in parts:
            node = node.get(word) if node and word else None
        return node.get(_END) if node else None

    def scan(self, text: str) -> Iterator[tuple[int, int, str, Entry]]:
        """All phrases in a text, overlapping ones too: start, end, the word that follows, entry.

        A phrase does not reach over punctuation, except after a word of one or two letters ("St. Louis").
        """
        parts = _WORD.split(fold(text))
        found = parts[1::2]
        count = len(found)
        offsets: list[int] | None = None
        for first, node in enumerate(map(self._root.get, found)):
            last = first
            while node:
                entry = node.get(_END)
                if entry is not None:
                    if offsets is None:
                        offsets = list(accumulate(map(len, parts)))
                    follows = found[last + 1] if last + 1 < count else ""
                    yield offsets[2 * first], offsets[2 * last + 1], follows, entry
                gap = parts[2 * last + 2]
                last += 1
                if last == count or (gap != " " and len(found[last - 1]) > 2 and _BREAK.search(gap)):
                    break
                node = node.get(found[last])
