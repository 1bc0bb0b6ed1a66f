"""Which words belong to which value: the ontology's names and cues, widened by word fields.

A *strong* word names a value or is one of its own cues; a *weak* one belongs to its field, to a broader or a
narrower value, to the slot, or to more than ``_SHARED`` values. A text draws on a value by one strong or two weak
words; one weak word is enough right after the value, or at most two of them, were told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from rlpa_bench.ontology import Ontology
from rlpa_bench.types import TRAIT_SLOT, Item

from .text import IDLE, Text, read
from .words import lines, stem, stems

_SHARED = 12
_NEEDED = 2
_FEW = 2
"""With more values told at once, a single weak word would too often be chance."""
_BROAD = ("Age", "Location")
_FUNCTION = stems("function")
_EMPTY = _FUNCTION | stems("praise") | stems("greeting")


@dataclass(frozen=True, slots=True)
class Topic:
    """The words of one item, as stems or pairs of stems."""

    strong: frozenset[str]
    weak: frozenset[str]
    slot: frozenset[str]
    """Weak too, but shared by the whole slot."""

    every: frozenset[str]
    """All of them."""
    broad: bool = False
    """Whether the slot's words suffice, since its values have none of their own."""

    def weight(self, grams: frozenset[str]) -> int:
        """Twice the strong words found, plus the weak ones; words of the slot count beside another only."""
        if self.every.isdisjoint(grams):
            return 0
        own = 2 * len(self.strong & grams) + len(self.weak & grams)
        return own + len(self.slot & grams) if own or self.broad else 0

    def touches(self, grams: frozenset[str]) -> bool:
        """Whether one word is found, of those that are not shared by the slot."""
        return not (self.strong.isdisjoint(grams) and self.weak.isdisjoint(grams))


def _grams(phrase: str) -> tuple[set[str], set[str]]:
    """Whole phrase (one word, or pairs of neighbours) and, of a longer phrase, its single content words."""
    roots = read(phrase).stems
    single = {root for root in roots if root not in IDLE and len(root) > 1}
    if len(roots) <= 1:
        return single, set()
    return {f"{a} {b}" for a, b in pairwise(roots) if a not in _FUNCTION and b not in _FUNCTION}, single


class Topics:
    """Topics of items. Built once for an ontology; a pure function of its arguments afterwards."""

    def __init__(self, ontology: Ontology) -> None:
        self.ontology = ontology
        self._fields = _fields()
        self._kin = {line.split(" < ")[0]: line.split(" < ")[1].split() for line in lines("kin.txt")}
        self._cache: dict[tuple[str, str], Topic] = {}
        whole: dict[str, set[str]] = {}
        self._parts: dict[str, set[str]] = {}
        self._names: dict[str, set[str]] = {}
        self._children: dict[str, list[str]] = defaultdict(list)
        for value in ontology.values.values():
            whole[value.id], self._parts[value.id] = set(), set()
            for phrase in (value.label, *value.aliases, *value.cues):
                found = _grams(phrase)
                whole[value.id] |= found[0]
                self._parts[value.id] |= found[1]
            named = _grams(value.label)
            self._names[value.id] = named[0] | named[1]
            if value.parent:
                self._children[value.parent].append(value.id)
        counts = Counter(gram for key, grams in whole.items() for gram in grams if not key.startswith("age/"))
        self._whole = {
            key: ({gram for gram in grams if counts[gram] <= _SHARED}, {g for g in grams if counts[g] > _SHARED})
            for key, grams in whole.items()
        }
        self._root_of = self._roots()
        self._areas = self._evocative(counts)
        self._evoked = lru_cache(1024)(self._evocations)

    def _roots(self) -> dict[str, str]:
        roots = {}
        for value in self.ontology.values.values():
            top = value
            while top.parent:
                top = self.ontology.values[top.parent]
            roots[value.id] = top.id
        return roots

    def _evocative(self, counts: Counter[str]) -> dict[str, frozenset[str]]:
        """Word -> the areas (topmost values) it evokes, for words of at most two areas."""
        areas: dict[str, set[str]] = defaultdict(set)
        for value in self.ontology.values.values():
            if value.slot not in (TRAIT_SLOT, "Age"):
                for gram in self._whole[value.id][0]:
                    areas[gram].add(self._root_of[value.id])
        return {gram: frozenset(found) for gram, found in areas.items() if len(found) <= 2}

    def topic(self, item: Item) -> Topic:
        """The words of an item; those of its text if it is not in the ontology."""
        key = (item.id, "" if item.id else f"{item.slot}\0{item.value}")
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) > 8192:
                self._cache.clear()
            found = self._cache[key] = self._topic(item)
        return found

    def _topic(self, item: Item) -> Topic:
        ids = [part.id for part in self.ontology.resolve(item) if part.id in self.ontology.values]
        strong, weak, slot = set(), set(), self._fields.get(item.slot, set())
        if not ids:
            whole, parts = _grams(item.value)
            strong |= whole | parts
        for key in ids:
            strong |= self._whole[key][0] | self._names[key]
            weak |= ((self._whole[key][1] | self._parts[key]) - IDLE) | self._fields.get(key, set())
            for other in self._kin.get(key, ()):
                weak |= (self._whole[other][0] | self._names[other]) - IDLE
            for child in self._children[key]:
                strong |= self._names[child]
                weak |= self._whole[child][0] - IDLE
            parent = self.ontology.values[key].parent
            while parent:
                weak |= ((self._whole[parent][0] | self._names[parent]) - IDLE) | self._fields.get(parent, set())
                parent = self.ontology.values[parent].parent
        strong -= IDLE
        weak -= strong | _EMPTY
        slot = slot - strong - weak
        every = frozenset(strong | weak | slot)
        return Topic(frozenset(strong), frozenset(weak), frozenset(slot), every, item.slot in _BROAD)

    def draws(self, text: Text, items: Iterable[Item], fresh: Iterable[Item] = ()) -> Item | None:
        """The first item that the text draws on; ``fresh`` ones, told just now, come first."""
        grams = text.grams
        fresh = tuple(fresh)
        for item in fresh if len(fresh) <= _FEW else ():
            if self.topic(item).touches(grams):
                return item
        for item in (*fresh, *items):
            if self.topic(item).weight(grams) >= _NEEDED:
                return item
        return None

    def related(self, text: Text, items: Iterable[Item]) -> frozenset[str]:
        """The words of the text that belong to one of the items."""
        words = (self.topic(item).every for item in items)
        return frozenset().union(*(every & text.grams for every in words if not every.isdisjoint(text.grams)))

    def areas(self, text: Text, known: frozenset[str]) -> int:
        """How many areas, unrelated among themselves, the text touches by words outside ``known``."""
        seen: set[str] = set()
        count = 0
        for gram, areas in self._evoked(text):
            if gram not in known:
                count += areas.isdisjoint(seen)
                seen |= areas
        return count

    def _evocations(self, text: Text) -> tuple[tuple[str, frozenset[str]], ...]:
        """The words of a text that evoke areas, with these; words of fewer areas first."""
        found = [(gram, self._areas[gram]) for gram in text.grams if gram in self._areas]
        return tuple(sorted(found, key=lambda pair: (len(pair[1]), sorted(pair[1]))))


def _fields() -> dict[str, set[str]]:
    """Value id or slot -> the stems of its word field."""
    fields: dict[str, set[str]] = defaultdict(set)
    for line in lines("themes.txt"):
        targets, _, words = line.partition("=")
        found = {stem(part) for word in words.split() for part in word.split("-")} - IDLE
        slots = ("Marital Status", "Family Background", "Educational Background")
        names = [targets.strip()] if targets.strip() in slots else targets.split()
        for name in names:
            fields[name] |= found
    return fields
