"""Profile matching: how much of a golden profile an inferred one states.

RLPA's profile reward counts the points of one text that another covers, by an LLM, and divides by lines
(arXiv 2505.15456, appendix; :func:`released_f1`). Here both sides are taken apart into items of the ontology and
paired one to one by maximum weight, so that 0 <= F1 <= 1 and no line is counted twice:

- same value and polarity: 1; broader or narrower value of the same polarity: 0.5;
- outside the ontology: the same text, the same content words, or word sets with Jaccard >= 0.75 and the same
  numbers, in slots that agree: 1, and the match carries the flag ``text``; no embeddings, which take a like
  for a dislike;
- opposite polarity, different numbers, or another value in a slot that holds one value: 0, and booked as a
  contradiction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from rlpa_bench._assignment import assign
from rlpa_bench.contract import Contract
from rlpa_bench.errors import UsageError
from rlpa_bench.ontology import Ontology
from rlpa_bench.ontology._numbers import in_digits
from rlpa_bench.ontology._phrases import word_set, words
from rlpa_bench.types import SLOTS, Item, Profile

Line = Item | str | tuple[str, str] | Mapping[str, object]
Lines = Profile | str | Iterable[Line]
"""A profile: items, ``Slot: value`` lines, (slot, value) pairs, dicts, or one text with an entry a line."""

CAP = 40
"""Inferred items that count: twice the largest golden profile."""

_SIMILAR = 0.75
STOP = word_set(
    "a an the and or of in on at to for with from by as is are am was were be been has have had do does did i me "
    "my he him his she her they them their it its we us our you your this that these those who which very really "
    "quite also often usually like likes love loves loved enjoy enjoys enjoying into fan keen fond interested "
    "prefers prefer user person s"
)


@dataclass(frozen=True, slots=True)
class Match:
    """How an inferred profile fits a golden one; all shares lie in [0, 1]."""

    precision: float
    recall: float
    f1: float
    pairs: tuple[tuple[Item, Item, float], ...] = ()
    """(inferred, golden, weight), one to one."""
    contradictions: tuple[tuple[Item, Item], ...] = ()
    """(inferred, golden item it is in conflict with), at most one for each inferred item."""
    unmatched: tuple[Item, ...] = ()
    """Inferred items without a partner, contradicting ones included."""
    flags: tuple[str, ...] = ()
    """``both_empty``, ``capped`` (inferred items left out), ``text`` (a pair outside the ontology)."""


class Matcher(Protocol):
    """Reads items and matches an inferred profile against a golden one."""

    def resolve(self, lines: Lines) -> list[Item]:
        """Items in the form that the other two methods take."""
        ...

    def match(self, inferred: Sequence[Item], golden: Sequence[Item]) -> Match:
        """One-to-one pairs and what follows from them."""
        ...

    def weight(self, inferred: Item, golden: Item) -> float:
        """From 0 to 1: how well one item states another."""
        ...


class ClosedMatcher:
    """The matcher of the ten slots and the closed ontology: the functions of this module."""

    def __init__(self, ontology: Ontology, cap: int = CAP) -> None:
        self._ontology, self._cap = ontology, cap

    def resolve(self, lines: Lines) -> list[Item]:
        """See :class:`Matcher`."""
        return resolve(lines, self._ontology)

    def match(self, inferred: Sequence[Item], golden: Sequence[Item]) -> Match:
        """See :class:`Matcher`."""
        return match_items(inferred, golden, self._ontology, cap=self._cap)

    def weight(self, inferred: Item, golden: Item) -> float:
        """See :class:`Matcher`."""
        return weight(inferred, golden, self._ontology)


def match_profiles(inferred: Lines, golden: Lines, ontology: Ontology | None = None, *, cap: int = CAP) -> Match:
    """Precision, recall, F1 and pairs of an inferred against a golden profile.

    Args:
        ontology: the bundled one if None.
        cap: at most this many inferred items count, the first by their keys, whatever their order.

    Raises:
        UsageError: when a line is in none of the accepted forms.
    """
    ontology = ontology or Ontology.load()
    return match_items(resolve(inferred, ontology), resolve(golden, ontology), ontology, cap=cap)


def resolve(lines: Lines, ontology: Ontology) -> list[Item]:
    """Normalised items of a profile in any accepted form. Raises UsageError for other forms."""
    return [atom for item in items_of(lines) for atom in ontology.resolve(item)]


def items_of(lines: Lines) -> Iterable[Item]:
    """The items of a profile in any accepted form, as they are written. Raises UsageError for other forms."""
    if isinstance(lines, Profile):
        lines = lines.items
    for line in (lines,) if isinstance(lines, (str, Mapping)) else lines:
        match line:
            case Item():
                yield line
            case str():
                yield from Contract.items(line)
            case (str(slot), str(value)):
                yield _item(slot, value)
            case {"slot": str(slot), "value": str(value), **rest} if rest.get("polarity", 1) in (1, -1):
                yield _item(slot, value, 1 if rest.get("polarity", 1) == 1 else -1)
            case _:
                raise UsageError(
                    f"profile entry {line!r} cannot be read: give an Item, 'Slot: value', (slot, value) or "
                    "{'slot': ..., 'value': ..., 'polarity': 1 or -1}"
                )


def _item(slot: str, value: str, polarity: int = 1) -> Item:
    known = Contract.items(f"{slot}: x")
    return Item(known[0].slot or slot if known else slot, value, polarity)


def match_items(inferred: Sequence[Item], golden: Sequence[Item], ontology: Ontology, *, cap: int = CAP) -> Match:
    """The same for items that :meth:`Ontology.resolve` returned. A pure function of the two sets."""
    left, right = _distinct(inferred), _prepared(tuple(golden))
    flags = ["capped"] if len(left) > cap else []
    left = left[:cap]
    if not left or not right.items:
        same = float(not left and not right.items)
        return Match(same, same, same, unmatched=tuple(left), flags=("both_empty",) if same else tuple(flags))
    pairs = _pairs(left, right, ontology)
    taken = {id(pair[0]) for pair in pairs}
    unmatched = [item for item in left if id(item) not in taken]
    against = ((item, _conflict(item, right.groups.get(_group(item), ()), ontology)) for item in unmatched)
    if any(not item.id for item, _, _ in pairs):
        flags.append("text")
    total = sum(pair[2] for pair in pairs)
    return Match(
        precision=total / len(left),
        recall=total / len(right.items),
        f1=2 * total / (len(left) + len(right.items)),
        pairs=tuple(pairs),
        contradictions=tuple((item, other) for item, other in against if other is not None),
        unmatched=tuple(unmatched),
        flags=tuple(flags),
    )


def match_weighted(
    inferred: Sequence[Item], golden: Sequence[Item], score: Callable[[Item, Item], float], *, cap: int = CAP
) -> Match:
    """The same where something else than the ontology scores a pair; the assignment stays here.

    Args:
        score: weight of an inferred and a golden item, 0 to 1.

    Raises:
        UsageError: for a weight outside of 0 to 1.
    """
    left, right = _distinct(inferred), _distinct(golden)
    flags = ("capped",) if len(left) > cap else ()
    left = left[:cap]
    if not left or not right:
        same = float(not left and not right)
        return Match(same, same, same, unmatched=tuple(left), flags=("both_empty",) if same else flags)
    edges = [(i, j, value) for i, a in enumerate(left) for j, b in enumerate(right) if (value := score(a, b))]
    if wrong := [value for _, _, value in edges if not 0 < value <= 1]:
        raise UsageError(f"a pair scores {wrong[0]!r}; a weight lies between 0 and 1")
    pairs = tuple((left[i], right[j], value) for i, j, value in assign(edges))
    taken = {id(item) for item, _, _ in pairs}
    total = sum(value for _, _, value in pairs)
    return Match(
        precision=total / len(left),
        recall=total / len(right),
        f1=2 * total / (len(left) + len(right)),
        pairs=pairs,
        unmatched=tuple(item for item in left if id(item) not in taken),
        flags=flags,
    )


def weight(inferred: Item, golden: Item, ontology: Ontology) -> float:
    """1, 0.5 or 0: how well one resolved item states another."""
    if inferred.polarity != golden.polarity:
        return 0.0
    if inferred.id or golden.id:
        relation = ontology.relation(inferred.id, golden.id)
        return 1.0 if relation == "same" else 0.5 if relation else 0.0
    return float(_same_text(inferred, golden))


def released_f1(
    inferred_lines: int | str | Sequence[str], golden_lines: int | str | Sequence[str], matched: int
) -> float:
    """Profile F1 as RLPA's released reward computes it (``multi_turn_rfn.py``), for comparison only.

    P = matched / lines(inferred), R = matched / lines(golden). A text counts ``split("\\n")`` parts, so that a
    closing line break is one line more and ten of ten give 0.952; ``matched`` is not held to the number of lines,
    so the result may exceed 1. 0 if nothing matched.
    """
    if matched == 0:
        return 0.0
    inferred, golden = _count(inferred_lines), _count(golden_lines)
    if not inferred or not golden:
        raise UsageError(f"{matched} matched entries cannot come from {inferred} inferred and {golden} golden lines")
    precision, recall = matched / inferred, matched / golden
    return 2 * precision * recall / (precision + recall)


def _count(lines: int | str | Sequence[str]) -> int:
    if isinstance(lines, int):
        return lines
    return len(lines.split("\n") if isinstance(lines, str) else lines)


def _distinct(items: Sequence[Item]) -> list[Item]:
    """Items with different meaning, ordered by key, so that nothing depends on the order given."""
    found: dict[object, Item] = {}
    for item in sorted(items, key=lambda item: (item.key, item.slot)):
        found.setdefault((item.id or (item.slot, _signature(item.value)), item.polarity), item)
    return list(found.values())


@lru_cache(8192)
def _signature(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Content words in the singular, and numbers."""
    parts = words(in_digits(text))
    content = [word for word in parts if word not in STOP] or parts or [text]
    numbers = frozenset(word for word in content if word.isdigit())
    return frozenset(singular(word) for word in content if word not in numbers), numbers


def singular(word: str) -> str:
    """An English noun in the singular, by its ending; anything else as it is."""
    if word.endswith("children"):
        return word[:-3]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _same_text(a: Item, b: Item) -> bool:
    (words_a, numbers_a), (words_b, numbers_b) = _signature(a.value), _signature(b.value)
    if numbers_a != numbers_b or not _compatible(a, b):
        return False
    return words_a == words_b or len(words_a & words_b) >= _SIMILAR * len(words_a | words_b)


def _compatible(a: Item, b: Item) -> bool:
    """Whether free text of two slots may mean the same: equal slots, or one that is open."""
    return a.slot == b.slot or any(item.slot not in SLOTS or item.slot == "Others" for item in (a, b))


@dataclass(frozen=True, slots=True)
class _Golden:
    """One side of a match, ready for many others: a golden profile is met at every turn."""

    items: tuple[Item, ...]
    by_id: Mapping[tuple[str, int], int]
    """Places of the items that have an id, by id and polarity."""
    groups: Mapping[str, list[Item]]


@lru_cache(4096)
def _prepared(golden: tuple[Item, ...]) -> _Golden:
    items = tuple(_distinct(golden))
    return _Golden(items, {(item.id, item.polarity): i for i, item in enumerate(items) if item.id}, _groups(items))


def _pairs(left: list[Item], right: _Golden, ontology: Ontology) -> list[tuple[Item, Item, float]]:
    """One-to-one pairs of maximum total weight.

    Equal ids pair first: an item has at most one such partner, and any other use of the two brings 0.5 each.
    """
    pairs, rest, taken = [], [], set()
    for item in left:
        place = right.by_id.get((item.id, item.polarity))
        if place is None:
            rest.append(item)
        else:
            taken.add(place)
            pairs.append((item, right.items[place], 1.0))
    if not rest:
        return pairs
    places = {id(other): j for j, other in enumerate(right.items) if j not in taken}
    edges = [
        (i, places[id(other)], value)
        for i, item in enumerate(rest)
        for other in right.groups.get(_group(item), ())
        if id(other) in places and (value := weight(item, other, ontology))
    ]
    return pairs + [(rest[i], right.items[j], value) for i, j, value in assign(edges)]


def _group(item: Item) -> str:
    """Only items of one group can match or contradict each other: values of a slot, or free text."""
    return item.slot if item.id else ""


def _groups(items: Iterable[Item]) -> dict[str, list[Item]]:
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(_group(item), []).append(item)
    return groups


def _conflict(item: Item, golden: Sequence[Item], ontology: Ontology) -> Item | None:
    """The first golden item of its group that an unmatched inferred one contradicts."""
    rival, related = None, False
    for other in golden:
        relation = ontology.relation(item.id, other.id)
        if item.polarity != other.polarity:
            # Denying the broader value denies the narrower one, not the other way round.
            broader = relation == ("parent" if item.polarity < 0 else "child")
            if relation == "same" or broader or (not item.id and _same_text(item, other)):
                return other
        elif _other_number(item, other):
            return other
        elif relation or (not item.id and _shares_words(item, other)):
            related = True
        elif rival is None and item.polarity > 0 and _rules_out(item, other, ontology):
            rival = other
    return None if related else rival


def _other_number(a: Item, b: Item) -> bool:
    """Whether two items differ in their numbers only, both having some."""
    (words_a, numbers_a), (words_b, numbers_b) = _signature(a.value), _signature(b.value)
    return bool(numbers_a and numbers_b and numbers_a != numbers_b) and words_a == words_b and _compatible(a, b)


def _shares_words(a: Item, b: Item) -> bool:
    return a.slot == b.slot and not _signature(a.value)[0].isdisjoint(_signature(b.value)[0])


def _rules_out(a: Item, b: Item, ontology: Ontology) -> bool:
    """Whether two different claims cannot both hold."""
    if a.id:
        return ontology.conflict(a.id, b.id)
    return a.slot == b.slot and ontology.exclusive(a.slot)
