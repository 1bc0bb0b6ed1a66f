"""From the text of one item to items of the ontology."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from rlpa_bench.ontology._clauses import (
    AND,
    COMMA,
    TASTE,
    clauses,
    clean,
    is_empty,
    key_value,
    opening,
    parity,
    plain,
    split,
    without_past,
)
from rlpa_bench.ontology._numbers import DECADES, in_digits, numbers_in
from rlpa_bench.ontology._phrases import Entry, fold, word_set, words
from rlpa_bench.ontology._values import DENIED, EXCLUSIVE, Value
from rlpa_bench.types import SLOTS, Item

if TYPE_CHECKING:
    from rlpa_bench.ontology import Mention

_KIN = word_set(
    "mother father mom mum dad parents parent brother brothers sister sisters wife husband son sons daughter "
    "daughters uncle aunt cousin grandmother grandfather grandma grandpa"
)
_LONGEST = 5
"""Words that a part of a list may have, else commas and "and" belong to a sentence."""
_DECADE = re.compile(rf"\b(?:(\d0)'?s|({'|'.join(DECADES.values())}))\b")
_RANGE = re.compile(r"\b(\d{2})\s*(?:-|–|to|or|and)\s*(\d{2})\b")
_YEARS = re.compile(r"\b\d{1,3}\b")


class Reader:
    """Reads one line of a profile."""

    def __init__(
        self,
        values: Mapping[str, Value],
        lineages: Mapping[str, tuple[str, ...]],
        entry: Callable[[list[str]], Entry | None],
        mentions: Callable[[str], Iterable[Mention]],
    ) -> None:
        self._values, self._lineages, self._entry, self._mentions = values, lineages, entry, mentions
        self._find = lru_cache(8192)(self._named)

    def read(self, slot: str, value: str, polarity: int) -> tuple[Item, ...]:
        """The items a value names, their polarity times ``polarity``; none for "unknown" and the like."""
        text = clean(value)
        if not slot:
            slot, sign, text = key_value(text)
            polarity *= sign
        if is_empty(text):
            return ()
        if slot == "Age":
            return (self._age(fold(text), polarity),)
        if exact := self._find(text, slot):
            return (self._item(exact[0], polarity * exact[1]),)
        items = [
            item
            for clause in clauses(without_past(text))
            for atom, carried in self._signed(clause, slot)
            for item in self._atom(atom, slot, polarity * carried)
        ]
        return tuple(dict.fromkeys(self._narrowest(items) if slot in EXCLUSIVE else items))

    def _age(self, text: str, polarity: int) -> Item:
        digits = in_digits(text)
        polarity *= parity(words(text))
        key = ""
        if decade := _DECADE.search(text):
            named = next((ten for ten, word in DECADES.items() if word == decade[2]), decade[1])
            key = f"age/{named}s"
        elif span := _RANGE.search(digits):
            low, high = (int(year) // 10 * 10 for year in span.groups())
            key = f"age/{low}s" if low == high else ""
        elif years := _YEARS.search(digits):
            key = f"age/{int(years[0])}"
        if key in self._values:
            return Item("Age", self._values[key].label, polarity, key)
        return Item("Age", digits, polarity)

    def _signed(self, clause: str, slot: str) -> Iterator[tuple[str, int]]:
        """Parts of a list, each with the sign that an earlier part hands on ("hates running and tennis")."""
        handed = last = 1
        for joiner, atom in self._list(clause, slot):
            lead = opening(words(atom))
            sign, taste = parity(lead), bool(TASTE.intersection(lead))
            if sign < 0 or taste:
                handed, last = (sign if taste else 1), sign
                yield atom, 1
            else:
                last = last if joiner in ("or", "nor") else handed
                yield atom, last

    def _list(self, text: str, slot: str) -> list[tuple[str, str]]:
        parts: list[tuple[str, str]] = []
        for comma, piece in self._split(COMMA, "", text, slot):
            parts += self._split(AND, comma, piece, slot)
        return parts

    def _split(self, separator: re.Pattern[str], joiner: str, text: str, slot: str) -> list[tuple[str, str]]:
        """The parts of a list, or the whole if it is a value itself or reads like a sentence."""
        whole = [(joiner, text)]
        parts = split(separator, text)
        if len(parts) < 2 or self._find(text, slot):
            return whole
        parts = list(self._joined(parts, slot))
        known = [self._find(part, slot) is not None for _, part in parts]
        short = all(len(words(part)) <= _LONGEST for _, part in parts)
        if all(known) or (slot not in EXCLUSIVE and (short or any(known))):
            return [(joiner, parts[0][1]), *parts[1:]]
        return whole

    def _joined(self, parts: list[tuple[str, str]], slot: str) -> Iterator[tuple[str, str]]:
        """The parts, with two or three in a row as one if they name a value together ("arts and crafts")."""
        while parts:
            for count in (3, 2, 1):
                text = parts[0][1] + "".join(f" {joiner} {part}" for joiner, part in parts[1:count])
                if count == 1 or (count <= len(parts) and self._find(text, slot)):
                    yield parts[0][0], text
                    parts = parts[count:]
                    break

    def _atom(self, text: str, slot: str, sign: int) -> list[Item]:
        if exact := self._find(text, slot):
            return [self._item(exact[0], sign * exact[1])]
        inside = self._inside(text, slot)
        if not inside and numbers_in(text, words(text)):
            inside = self._inside(in_digits(text), slot)
        if inside:
            return self._narrowest([self._item(key, sign * own) for key, own in inside])
        if slot in SLOTS and slot != "Family Background" and (exact := self._find(text, "")):
            return [self._item(exact[0], sign * exact[1])]
        normal, own = plain(text)
        return [Item(slot, normal, sign * own)] if normal else []

    def _item(self, key: str, polarity: int) -> Item:
        if polarity < 0 and DENIED.get(key) in self._values:
            key, polarity = DENIED[key], 1
        value = self._values[key]
        return Item(value.slot, value.label, polarity, key)

    def _named(self, text: str, slot: str) -> tuple[str, int] | None:
        """Id and polarity if the text is a name of a value, apart from words that introduce or deny."""
        for variant in _spellings(text):
            for place in range(len(opening(variant)) + 1):
                entry = self._entry(variant[place:])
                for key in entry.named if entry else ():
                    if slot not in SLOTS or self._values[key].slot == slot:
                        return key, parity(variant[:place])
        return None

    def _inside(self, text: str, slot: str) -> list[tuple[str, int]]:
        """Ids and polarities of the values of the slot that are named within the text."""
        if slot not in SLOTS and _KIN.intersection(words(text)):
            slot = "Family Background"
        return [
            (mention.value.id, parity(words(text[: mention.start])))
            for mention in self._mentions(text)
            if slot not in SLOTS or mention.value.slot == slot
        ]

    def _narrowest(self, items: list[Item]) -> list[Item]:
        """Without values that a narrower one of the same polarity implies."""
        implied = {(parent, item.polarity) for item in items for parent in self._lineages.get(item.id, ())}
        return [item for item in items if not item.id or (item.id, item.polarity) not in implied]


def _spellings(text: str) -> Iterator[list[str]]:
    """The words; with numbers in digits; with the last one in the plural instead of the singular, or vice versa."""
    parts = words(text)
    yield parts
    if numbers_in(text, parts):
        yield words(in_digits(text))
    if parts:
        last = parts[-1]
        yield [*parts[:-1], last.removesuffix("s") if last.endswith("s") else f"{last}s"]
