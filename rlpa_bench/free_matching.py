"""Profile matching where slot keys are free: by normalised text and a table of synonyms, offline.

RLPA's Extended set has "no constraint on slot keys" (arXiv 2505.15456, appendix C.2), so that neither the ten slots nor
the closed ontology apply. Items are compared as key and value, in lower case, in the singular, without stop words,
with the synonyms of ``free_synonyms.txt``:

- equal value words, or a Jaccard index of 0.75 or more, with the same numbers: 1; one value's words within the other's
  (broader or narrower): 0.5;
- keys that mean the same, or where one is missing or says nothing ("Others"): that weight; other keys: half of it, and
  0 if the value is a single word, which two keys may hold by chance;
- opposite polarity: 0, and a contradiction where the rest agrees. So are other numbers, and another value under a key
  that holds one.

Every match is flagged ``free``: it is coarser than the closed vocabulary's, and its figures stand apart from those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from importlib.resources import files

from rlpa_bench._assignment import assign
from rlpa_bench.matching import CAP, STOP, ClosedMatcher, Lines, Match, Matcher, items_of, singular
from rlpa_bench.ontology import Ontology
from rlpa_bench.ontology._clauses import AND, COMMA, clauses, clean, is_empty, key_value, plain, split
from rlpa_bench.ontology._numbers import in_digits
from rlpa_bench.ontology._phrases import word_set, words
from rlpa_bench.types import SLOTS, Item

_OPEN = frozenset({"", "other", "other information", "persona", "fact", "about", "note"})
"""Keys that say nothing."""
_DEGREES = word_set("biggest greatest main current primary big major worst special")
"""Words of a key that say how much, not what."""
_UNITS = frozenset({"year", "old", "aged"})
"""Words beside a number that leave its meaning as it is."""
_NUMBERED = re.compile(r"([A-Za-z][^:;,.!?]{0,39}): *(\d.*)")
"""A key with a value that begins with a number, which the ontology's reader leaves alone ("at 5: 30")."""
_SIMILAR = 0.75
_LONGEST = 4
"""Words a part of a list may have, else commas and "and" belong to a sentence."""


def matcher(golden: Iterable[Item], ontology: Ontology, cap: int = CAP) -> Matcher:
    """The free matcher if any golden item has a key outside the ten slots, else the closed one."""
    free = any(item.slot and item.slot not in SLOTS for item in golden)
    return FreeMatcher(cap) if free else ClosedMatcher(ontology, cap)


class FreeMatcher:
    """Matches items whose keys are free."""

    def __init__(self, cap: int = CAP) -> None:
        self._cap = cap

    def resolve(self, lines: Lines) -> list[Item]:
        """Golden items as they are; lines a candidate wrote as one item per key and value."""
        return [part for item in items_of(lines) for part in ([item] if item.origin else _parts(item))]

    def weight(self, inferred: Item, golden: Item) -> float:
        """1, 0.5, 0.25 or 0: how well one item states another."""
        a, b = _signature(inferred), _signature(golden)
        return a.agrees(b) if a.polarity == b.polarity else 0.0

    def match(self, inferred: Sequence[Item], golden: Sequence[Item]) -> Match:
        """One-to-one pairs of maximum total weight. A pure function of the two sets."""
        left, right = _distinct(inferred), _distinct(golden)
        flags = ["free", *(["capped"] if len(left) > self._cap else [])]
        left = left[: self._cap]
        if not left or not right:
            same = float(not left and not right)
            return Match(same, same, same, unmatched=tuple(left), flags=("both_empty",) if same else tuple(flags))
        edges = [(i, j, w) for i, a in enumerate(left) for j, b in enumerate(right) if (w := self.weight(a, b))]
        pairs = tuple((left[i], right[j], w) for i, j, w in assign(edges))
        taken = {id(item) for pair in pairs for item in pair[:2]}
        unmatched = [item for item in left if id(item) not in taken]
        against = ((item, _conflict(item, right)) for item in unmatched)
        total = sum(w for _, _, w in pairs)
        return Match(
            precision=total / len(left),
            recall=total / len(right),
            f1=2 * total / (len(left) + len(right)),
            pairs=pairs,
            contradictions=tuple((item, other) for item, other in against if other is not None),
            unmatched=tuple(unmatched),
            flags=tuple(flags),
        )


@dataclass(frozen=True, slots=True)
class _Signature:
    key: str
    single: bool
    """Whether the key holds one value."""
    content: frozenset[str]
    numbers: frozenset[str]
    polarity: int

    def agrees(self, other: _Signature) -> float:
        """The weight, polarity aside."""
        value = self.value(other)
        if self.key == other.key or self.key in _OPEN or other.key in _OPEN:
            return value
        return value / 2 if min(len(self.content), len(other.content)) > 1 else 0.0

    def value(self, other: _Signature) -> float:
        common = self.content & other.content
        if self.numbers == other.numbers:
            if self.content == other.content or len(common) >= _SIMILAR * len(self.content | other.content):
                return 1.0
            return 0.5 if common and common in (self.content, other.content) else 0.0
        within = self.numbers <= other.numbers or other.numbers <= self.numbers
        return 0.5 if common and within and common in (self.content, other.content) else 0.0


@lru_cache(8192)
def _signature(item: Item) -> _Signature:
    text, sign = plain(clean(item.value))
    terms = _terms(text)
    numbers = frozenset(term for term in terms if term.isdigit())
    content = [term for term in terms if not (term.isdigit() or (numbers and term in _UNITS))]
    key = normal_key(item.slot)
    if key == "dislike":
        key, sign = "interest", -sign
    return _Signature(
        key,
        key in synonyms().single,
        frozenset(_replaced(content, synonyms().words)),
        numbers,
        item.polarity * sign,
    )


def normal_key(slot: str) -> str:
    """The name under which a key is compared: "Fave foods" -> "favourite food"."""
    every, table = _terms(slot), synonyms()
    terms = [term for term in every if term not in _DEGREES] or every
    text = " ".join(_replaced(terms, table.words))
    return table.keys.get(" ".join(terms)) or table.keys.get(text) or text


def _terms(text: str) -> list[str]:
    """Words in the singular, without stop words unless there is nothing else; number words as digits."""
    found = words(in_digits(text))
    return [singular(word) for word in [word for word in found if word not in STOP] or found]


def _replaced(terms: Sequence[str], table: Mapping[str, str]) -> Iterator[str]:
    """The terms with synonyms, the longest phrases first, in the one form that stands for all."""
    place = 0
    while place < len(terms):
        for size in (3, 2, 1):
            found = table.get(" ".join(terms[place : place + size])) if size <= len(terms) - place else None
            if found or size == 1:
                yield found or terms[place]
                place += size
                break


def _parts(item: Item) -> Iterator[Item]:
    """One item per value of a line such as "Pets: a dog, two cats"."""
    slot, polarity, text = item.slot, item.polarity, clean(item.value)
    if not slot:
        slot, sign, text = key_value(text)
        polarity *= sign
    if not slot and (number := _NUMBERED.fullmatch(text)):
        slot, text = number.groups()
    for clause in clauses(text):
        pieces = [piece for _, part in split(COMMA, clause) for _, piece in split(AND, part)]
        short = len(pieces) > 1 and all(len(words(piece)) <= _LONGEST for piece in pieces)
        for piece in pieces if short else [clause]:
            if not is_empty(clean(piece)):
                yield Item(slot, clean(piece), polarity)


def _distinct(items: Sequence[Item]) -> list[Item]:
    found: dict[_Signature, Item] = {}
    for item in sorted(items, key=lambda item: (item.key, item.slot)):
        found.setdefault(_signature(item), item)
    return list(found.values())


def _conflict(item: Item, golden: Sequence[Item]) -> Item | None:
    """The first golden item that an unmatched inferred one contradicts."""
    a = _signature(item)
    for other in golden:
        b = _signature(other)
        if a.polarity != b.polarity:
            if a.agrees(b) == 1:
                return other
        elif a.key == b.key and a.content == b.content and a.numbers and b.numbers and a.numbers != b.numbers:
            return other
    held = [other for other in golden if _signature(other).key == a.key]
    alone = a.single and a.polarity > 0 and bool(held) and not any(a.value(_signature(other)) for other in held)
    return held[0] if alone and _signature(held[0]).polarity > 0 else None


@dataclass(frozen=True)
class Synonyms:
    """The table of ``free_synonyms.txt``."""

    keys: dict[str, str]
    words: dict[str, str]
    single: frozenset[str]
    """Keys that hold one value."""
    digest: str


@cache
def synonyms() -> Synonyms:
    """The bundled table, read once."""
    content = files("rlpa_bench").joinpath("free_synonyms.txt").read_text(encoding="utf-8")
    tables: dict[str, dict[str, str]] = {"keys": {}, "words": {}}
    single, section = set(), ""
    for line in content.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            group = [" ".join(_terms(name)) for name in line.lstrip("!").split(",")]
            if line.startswith("!"):
                single.add(group[0])
            for name in group:
                tables[section].setdefault(name, group[0])
    return Synonyms(tables["keys"], tables["words"], frozenset(single), sha256(content.encode()).hexdigest())
