"""The English of a profile line: words that deny, words that only introduce, separators, empty claims."""

from __future__ import annotations

import re
import unicodedata

from rlpa_bench.ontology._numbers import in_digits, numbers_in
from rlpa_bench.ontology._phrases import fold, word_set, words

_DISLIKE = word_set(
    "dislike dislikes disliked disliking hate hates hated hating detest detests loathe loathes despise "
    "despises avoid avoids avoiding"
)
NEGATORS = _DISLIKE | word_set(
    "not no t never without lacks lacking lack cannot neither nor non dont doesnt isnt arent wasnt cant former formerly"
)
"""Each turns the polarity round; ``t`` is what is left of "don't"."""
TASTE = _DISLIKE | word_set(
    "like likes liked love loves loved loving enjoy enjoys enjoyed enjoying into fan interested interest "
    "keen fond stand prefer prefers"
)
"""A polarity stated with one of these holds for the whole list that follows."""
_LEAD = (
    TASTE
    | NEGATORS
    | word_set(
        "i he she they it we you user person someone who the a an this that is are am was were be "
        "been being s re m ve ll don doesn didn isn aren wasn weren hasn haven hadn can couldn won "
        "wouldn ain do does did will would has have having had got works working work as lives living "
        "live based from in on of about to at by with and or plus passionate currently now longer "
        "very really quite rather so also often sometimes regularly usually always seems seem appears "
        "likely probably maybe possibly perhaps his her their my your some any avid hobby hobbies "
        "include includes including such"
    )
)

MAX_CHARS = 2000
"""Characters of an item that are read; a profile line has about fifty."""

_BULLET = re.compile(r"^(?:[\s\-*•·–—>]+|\(?\d{1,2}[.)]\s+)+")
_EDGES = " \t\n*_\"'`“”‘’.,;:!"
_SAID = (
    "specified|mentioned|known|stated|provided|given|disclosed|available|information|info|data|clear|sure|shared|"
    "applicable|discussed|revealed|indicated|determined"
)
_EMPTY = re.compile(
    r"(?:unknown|n/?a|nil|null|unsure|unclear|undisclosed|unspecified|tbd|none"
    rf"|(?:not|no|none|nothing) (?:yet |been |clearly |explicitly )*(?:{_SAID})\b.*)?[\W_]*",
    re.DOTALL,
)
_KEY = re.compile(r"([^:;,.!?]{1,40}):\s*(?=[^\d\s])(.+)", re.DOTALL)
_USED_TO = re.compile(r"\bused to\b", re.IGNORECASE)
_CLAUSE = re.compile(r"\s*(?:[;\n|•·]|,?\s\bbut\b|(?<=\w\w\w)\.\s)\s*")
COMMA = re.compile(r"\s*(,)(?!\d{3}\b)\s*")
AND = re.compile(r"\s+(and|&|or|nor|plus|as well as)\s+")


def clean(text: str) -> str:
    """NFKC, without bullets, emphasis, quotes, closing signs and more than one space; at most 2,000 characters."""
    lines = (" ".join(line.split()) for line in unicodedata.normalize("NFKC", text[:MAX_CHARS]).splitlines())
    return _BULLET.sub("", "\n".join(lines)).strip(_EDGES)


def without_past(text: str) -> str:
    """The text with "used to" as the one word "formerly", which denies."""
    return _USED_TO.sub("formerly", text)


def is_empty(text: str) -> bool:
    """Whether a line claims nothing ("unknown", "not mentioned so far")."""
    return _EMPTY.fullmatch(fold(text)) is not None


def key_value(text: str) -> tuple[str, int, str]:
    """Slot, polarity and rest of a free line: ``Dislikes: noise`` has no slot and polarity -1."""
    match = _KEY.fullmatch(text)
    if match is None:
        return "", 1, text
    named = words(match[1])
    slot = "" if TASTE.intersection(named) else match[1].strip(_EDGES)
    return slot, parity(named), match[2].strip(_EDGES)


def clauses(text: str) -> list[str]:
    """The parts that strong separators (semicolon, line, "but", full stop) hold apart."""
    return [part for part in _CLAUSE.split(text) if part.strip(_EDGES)]


def split(separator: re.Pattern[str], text: str) -> list[tuple[str, str]]:
    """Parts with the separator in front of each, ``""`` for the first."""
    parts = separator.split(text)
    return [pair for pair in zip(["", *parts[1::2]], parts[::2], strict=True) if pair[1].strip(_EDGES)]


def parity(parts: list[str]) -> int:
    """-1 for an odd number of denials, else 1."""
    return -1 if sum(word in NEGATORS for word in parts) % 2 else 1


def opening(parts: list[str]) -> list[str]:
    """The words in front that only introduce or deny."""
    for place, word in enumerate(parts):
        if word not in _LEAD:
            return parts[:place]
    return parts


def plain(text: str) -> tuple[str, int]:
    """Free text in normal form, without introduction and denials, and its polarity."""
    parts = words(text)
    if numbers_in(text, parts):
        parts = words(in_digits(text))
    rest = parts[len(opening(parts)) :] or parts
    return " ".join(word for word in rest if word not in NEGATORS) or " ".join(rest), parity(parts)
