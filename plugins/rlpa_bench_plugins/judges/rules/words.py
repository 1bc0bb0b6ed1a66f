"""The word lists beside the code, read once, and the stemmer that every comparison goes through."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from hashlib import sha256
from importlib.resources import files

_ENDINGS = ("ing", "ed")
_VOWEL = re.compile(r"[aeiouy]")
_SHORT = re.compile(r"[^aeiou]*[aeiouy][^aeiouwxy]")
"""One syllable with one vowel: hik, plan; whether an e follows makes another word of it."""


@lru_cache(32768)
def stem(word: str) -> str:
    """A crude stem, equal for the inflected forms of an English word: hiking, hikes, hiked -> hike."""
    word = word.split("'", 1)[0]
    if len(word) < 4 or not word.isalpha():
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in _ENDINGS:
        if word.endswith(ending) and _VOWEL.search(word[: -len(ending)]) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "sl":
                word = word[:-1]
            elif _SHORT.fullmatch(word):
                word += "e"
            break
    if len(word) > 3 and word[-1] == "e" and not _SHORT.fullmatch(word[:-1]):
        word = word[:-1]
    return word[:-1] + "i" if word[-1] == "y" else word


@cache
def text(name: str) -> str:
    """A file of this package."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def lines(name: str) -> tuple[str, ...]:
    """The lines of a file, without comments and blank ones."""
    return tuple(line for line in text(name).splitlines() if line.strip() and not line.startswith("# "))


@cache
def words(name: str) -> frozenset[str]:
    """The words of a list, as written."""
    return frozenset(text(f"words/{name}.txt").split())


@cache
def stems(name: str) -> frozenset[str]:
    """The stems of a list."""
    return frozenset(map(stem, words(name)))


@cache
def patterns(name: str) -> tuple[re.Pattern[str], ...]:
    """The regular expressions of a file, one a line."""
    return tuple(re.compile(line, re.IGNORECASE | re.MULTILINE) for line in lines(name))


def digest() -> str:
    """sha256 of all lists: whatever decides the verdicts besides the code and the ontology."""
    folder = files(__package__)
    parts = [folder, folder.joinpath("words")]
    names = sorted((entry.name, entry) for part in parts for entry in part.iterdir() if entry.name.endswith(".txt"))
    joined = sha256()
    for name, entry in names:
        joined.update(f"{name}\0".encode() + entry.read_bytes())
    return joined.hexdigest()
