"""Invented names, one for each user, that cannot turn up by chance (after the canaries of arXiv 1802.08232)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from rlpa_bench.randomness import Draws
from rlpa_bench.types import Item
from rlpa_bench_plugins.suites.stress.words import variants

_FIRST = ("Bax", "Dro", "Fliv", "Gwon", "Jorb", "Klem", "Lurv", "Mib", "Nurb", "Plov", "Quen", "Rilv", "Skor", "Tulv")
_MIDDLE = ("ada", "emi", "ilo", "ona", "uri", "ave", "eso", "ibu", "oka", "uze")
_LAST = ("zop", "vunk", "quib")
_NAME = re.compile(rf"\b(?:{'|'.join(_FIRST)})(?:{'|'.join(_MIDDLE)})(?:{'|'.join(_LAST)})\b", re.IGNORECASE)


@lru_cache(1)
def _places() -> list[int]:
    return Draws("canaries").shuffled(range(len(_FIRST) * len(_MIDDLE) * len(_LAST)))


def canary(number: int) -> Item:
    """The nickname of user ``number``; the names of the first 420 users differ."""
    places = _places()
    place, last = divmod(places[number % len(places)], len(_LAST))
    first, middle = divmod(place, len(_MIDDLE))
    name = f"{_FIRST[first]}{_MIDDLE[middle]}{_LAST[last]}"
    return Item("Others", f"nickname {name}", 1, "", "written", variants("canary", "", name))


def canaries(text: str) -> Iterator[str]:
    """Every such name in a text, in lower case."""
    return (found[0].lower() for found in _NAME.finditer(text))
