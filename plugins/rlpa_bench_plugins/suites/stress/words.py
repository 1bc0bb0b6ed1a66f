"""What the protocol has the user say, and values that take the place of others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.types import Item, Remark
from rlpa_bench_plugins.suites.persona_files import BUNDLED, Entry

TEXTS: Path = BUNDLED / "stress" / "remarks.json"

SWAPPED = ("Occupation", "Location")
"""Slots that hold one value, in which another value takes the place of the old one."""

_UNFIT = frozenset({"occupation/student", "occupation/retired", "occupation/unemployed", "location/us-south"})
"""Values that the sentences do not fit."""


@lru_cache(1)
def texts() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """What is said -> slot (or "") -> its variants."""
    read: Mapping[str, Mapping[str, Sequence[str]]] = json.loads(TEXTS.read_text(encoding="utf-8"))
    return read


def variants(what: str, slot: str = "", value: str = "") -> tuple[str, ...]:
    """All that may be said, with the value in its place."""
    article = "an" if value[:1].lower() in tuple("aeiou") else "a"
    return tuple(text.format(value=value, a=f"{article} {value}") for text in texts()[what][slot])


def remark(turn: int, kind: str, text: str, *disclosed: str, alone: bool = True) -> Remark:
    return Remark(turn, text, disclosed, alone, kind)


class Values:
    """The values that the personas of a pool have in the slots that can be swapped."""

    def __init__(self, ontology: Ontology, pool: Sequence[Entry]) -> None:
        self._ontology = ontology
        ids = dict.fromkeys(item.id for entry in pool for item in entry.items if item.id)
        self._found: dict[str, list[str]] = {}
        self._ids = {slot: [key for key in ids if self._fits(key, slot)] for slot in SWAPPED}

    def _fits(self, key: str, slot: str) -> bool:
        value = self._ontology.values[key]
        return value.slot == slot and key not in _UNFIT and (slot == "Occupation" or value.label[:1].isupper())

    def swappable(self, item: Item) -> bool:
        """Whether another value can take the place of this one."""
        return item.id in self._ids.get(item.slot, ()) and bool(self._rivals(item))

    def _rivals(self, old: Item) -> list[str]:
        if old.id not in self._found:
            self._found[old.id] = [key for key in self._ids[old.slot] if self._ontology.conflict(key, old.id)]
        return self._found[old.id]

    def rival(self, old: Item, draws: Draws) -> Item:
        """Another value that cannot hold beside the old, swappable one; a dislike in place of a liking."""
        if old.slot not in SWAPPED:
            return Item(old.slot, old.value, -old.polarity, old.id, "written", variants("say", "Dislike", old.value))
        value = self._ontology.values[draws.choice(self._rivals(old))]
        return Item(old.slot, value.label, 1, value.id, "written", variants("say", old.slot, value.label))


def heading(item: Item) -> str:
    """Under which slot the texts speak of an item."""
    return item.slot if item.polarity > 0 else "Dislike"
