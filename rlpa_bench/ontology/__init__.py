"""The closed ontology: what may hold of a user, under which names, and how values relate.

It backs the agenda simulator, the rule judge and exact profile matching. Values come from the folder
``values``; ages 1 to 110 and their decades are made in code. Slots are the ten of RLPA (arXiv 2505.15456,
appendix C.2). English only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from importlib.resources.abc import Traversable
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from rlpa_bench.ontology._numbers import in_digits
from rlpa_bench.ontology._phrases import Phrases, fold, word_set
from rlpa_bench.ontology._reader import Reader
from rlpa_bench.ontology._values import (
    BESIDE,
    DENIED,
    DIMENSIONS,
    EXCLUSIVE,
    Value,
    ages,
    bundled,
    index,
    lineages,
    read,
)
from rlpa_bench.types import SLOTS, Item

__all__ = ["DIMENSIONS", "EXCLUSIVE", "Mention", "Ontology", "Value"]

_COUNTED = word_set("day days week weeks month months hour hours minute minutes km miles percent times")
"""After "I'm 33 …" these words show that no age is meant."""


class Mention(NamedTuple):
    """A value named in a text, at characters ``start`` to ``end``."""

    value: Value
    start: int
    end: int
    text: str


class Ontology:
    """A closed set of values. Immutable; every method is a pure function of its arguments."""

    def __init__(self, values: Iterable[Value], digest: str = "") -> None:
        """Ages are added to the values given. Raises DataError for double ids and broken parents."""
        self._values = index(chain(ages(), values))
        self._lineages = lineages(self._values)
        self.digest = digest
        """sha256 of the files that the values come from."""
        self._scan = lru_cache(4096)(self._scan_text)
        self._atoms = lru_cache(8192)(self._resolve_text)
        self._styles = lru_cache(1024)(self._style_of)

    @staticmethod
    def load(folder: Traversable | None = None) -> Ontology:
        """The bundled ontology (read once), or the one in a folder of ``*.jsonl`` files, such as a ``Path``.

        Raises:
            DataError: when a file is missing or malformed.
        """
        return _load_bundled() if folder is None else Ontology(*read(folder))

    @property
    def values(self) -> Mapping[str, Value]:
        """All values by id."""
        return MappingProxyType(self._values)

    def slot(self, name: str) -> tuple[Value, ...]:
        """The values of a slot, in file order; none for an unknown slot."""
        return self._by_slot.get(name, ())

    @cached_property
    def _by_slot(self) -> dict[str, tuple[Value, ...]]:
        return {slot: tuple(value for value in self._values.values() if value.slot == slot) for slot in SLOTS}

    @cached_property
    def _phrases(self) -> Phrases:
        phrases = Phrases()
        for value in self._values.values():
            names = set(map(fold, value.aliases))
            if value.slot != "Age":
                names |= {fold(value.label), *map(in_digits, (value.label, *value.aliases))}
            for kind, texts in (("named", names), ("cued", value.cues)):
                for text in texts:
                    entry = phrases.entry(text)
                    if entry is not None and value.id not in (ids := getattr(entry, kind)):
                        ids.append(value.id)
        return phrases

    def mentions(self, text: str) -> tuple[Mention, ...]:
        """Every value whose label or alias occurs in the text, in order of place.

        Whole words, without regard to case, accents and hyphens; a longer phrase hides those that overlap
        it; a phrase that names several values gives a mention of each. Denials are not read here.
        """
        return self._scan(text)[0]

    def cued(self, text: str) -> Mapping[str, int]:
        """How many different cues of each value occur in the text; values without any are left out."""
        return self._scan(text)[1]

    def _scan_text(self, text: str) -> tuple[tuple[Mention, ...], Mapping[str, int]]:
        named: list[tuple[int, int, int, list[str]]] = []
        cues: dict[int, list[str]] = {}
        for start, end, follows, entry in self._phrases.scan(text):
            if entry.named and not (follows in _COUNTED and entry.named[0].startswith("age/")):
                named.append((start - end, start, end, entry.named))
            if entry.cued:
                cues[id(entry)] = entry.cued
        counts: dict[str, int] = {}
        for ids in cues.values():
            for key in ids:
                counts[key] = counts.get(key, 0) + 1
        return self._longest(text, named), MappingProxyType(counts)

    def _longest(self, text: str, named: list[tuple[int, int, int, list[str]]]) -> tuple[Mention, ...]:
        kept: list[tuple[int, int, list[str]]] = []
        taken = bytearray(len(text))
        for _, start, end, ids in sorted(named):
            if taken.find(1, start, end) < 0:
                taken[start:end] = b"\1" * (end - start)
                kept.append((start, end, ids))
        kept.sort()
        return tuple(Mention(self._values[key], s, e, text[s:e]) for s, e, ids in kept for key in ids)

    def relation(self, a_id: str, b_id: str) -> str:
        """What a is to b: ``same``, ``parent`` (broader, at any distance), ``child`` or ``""``."""
        if a_id == b_id:
            return "same" if a_id else ""
        if b_id in self._lineages.get(a_id, ()):
            return "child"
        return "parent" if a_id in self._lineages.get(b_id, ()) else ""

    @staticmethod
    def exclusive(slot: str) -> bool:
        """Whether the slot holds one value at a time, so that two different ones are in conflict."""
        return slot in EXCLUSIVE

    def conflict(self, a_id: str, b_id: str) -> bool:
        """Whether two different values cannot both hold: one-value slots, and children beside "no children"."""
        a, b = self._values.get(a_id), self._values.get(b_id)
        if a is None or b is None or a.slot != b.slot:
            return False
        families = ({a_id, *self._lineages.get(a_id, ())}, {b_id, *self._lineages.get(b_id, ())})
        for one, other in (families, families[::-1]):
            if any(value in one and denied in other and value not in other for value, denied in DENIED.items()):
                return True
        if a.slot not in EXCLUSIVE or self.relation(a_id, b_id):
            return False
        return BESIDE.isdisjoint(families[0] | families[1])

    def style(self, traits: Iterable[Item]) -> dict[str, float]:
        """What the traits ask of a reply: per dimension the mean over the traits that speak of it, -2 to 2.

        Dimensions no trait speaks of are 0; a denied trait counts with the opposite sign.
        """
        return dict(self._styles(tuple(traits)))

    def _style_of(self, traits: tuple[Item, ...]) -> dict[str, float]:
        asked: dict[str, list[float]] = {name: [] for name in DIMENSIONS}
        for item in traits:
            for atom in self.resolve(item):
                value = self._values.get(atom.id)
                for name, weight in value.style.items() if value else ():
                    asked[name].append(weight * atom.polarity)
        return {name: sum(weights) / len(weights) if weights else 0.0 for name, weights in asked.items()}

    def resolve(self, item: Item) -> tuple[Item, ...]:
        """One inferred or golden item as separate, normalised items with ``id`` and ``polarity``.

        Lists are split, bullets stripped, number words read, negation and dislike turned into polarity -1. A
        value is looked for in the item's own slot first, then in any; what the ontology does not know stays
        free text (``id`` empty, text normalised); "unknown" and the like give nothing. Duplicates collapse.
        An item that has an id already is returned as it is.
        """
        if item.id:
            return (item,)
        atoms = self._atoms(item.slot, item.value, item.polarity)
        if item.origin or item.say:
            return tuple(replace(atom, origin=item.origin, say=item.say) for atom in atoms)
        return atoms

    def _resolve_text(self, slot: str, value: str, polarity: int) -> tuple[Item, ...]:
        return self._reader.read(slot, value, polarity)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._values, self._lineages, self._phrases.get, self.mentions)


@lru_cache(1)
def _load_bundled() -> Ontology:
    return Ontology(*read(bundled()))
