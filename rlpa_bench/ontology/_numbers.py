"""Number words, digits and units in English text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from rlpa_bench.ontology._phrases import fold

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *(
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ),
)
_TENS = {2: "twenty", 3: "thirty", 4: "forty", 5: "fifty", 6: "sixty", 7: "seventy", 8: "eighty", 9: "ninety"}
DECADES = {10: "teens"} | {10 * ten: f"{word[:-1]}ies" for ten, word in _TENS.items()}

_VALUE = {word: number for number, word in enumerate(_UNITS)}
_VALUE |= {word: 10 * ten for ten, word in _TENS.items()}
_NUMBER = re.compile(
    rf"\b(?:({'|'.join(_TENS.values())})(?:[- ]({'|'.join(_UNITS[1:10])}))?|({'|'.join(reversed(_UNITS))}))\b"
)
_GLUED = re.compile(r"(?<![^\W\d])(\d+)(?=(?:kms?|kgs?|cm|mm|m|ft|lbs?|mph|hrs?|mins?|yrs?|years?)\b|%)")
_DIGIT = re.compile(r"\d")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_UNIT = {
    name: unit
    for unit, names in {
        "km": "kms kilometer kilometers kilometre kilometres",
        "m": "metre metres meter meters",
        "cm": "centimetre centimetres centimeter centimeters",
        "kg": "kgs kilo kilos kilogram kilograms",
        "lb": "lbs pound pounds",
        "ft": "foot feet",
        "hour": "hours hr hrs",
        "minute": "minutes min mins",
        "year": "years yr yrs",
        "percent": "%",
    }.items()
    for name in names.split()
}
_UNIT_WORD = re.compile(r"(?<=\d )(%|[a-z]+)")


def number_words(number: int) -> str:
    """A number below 200 in words, words apart by a space."""
    if number >= 100:
        rest = number_words(number - 100) if number > 100 else ""
        return f"one hundred {rest}".strip()
    if number < 20:
        return _UNITS[number]
    return f"{_TENS[number // 10]} {_UNITS[number % 10] if number % 10 else ''}".strip()


def numbers_in(text: str, parts: Iterable[str]) -> bool:
    """Whether :func:`in_digits` may change more than the case of a text with these words; dear to try, cheap to see."""
    if _DIGIT.search(text) or not _VALUE.keys().isdisjoint(parts):
        return True
    return ("+" in text or "#" in text) and any(part.rstrip("+#") in _VALUE for part in parts)


@lru_cache(4096)
def in_digits(text: str) -> str:
    """The text, folded, with number words below 100 as digits and units after a number in one spelling."""

    def digits(match: re.Match[str]) -> str:
        ten, one, other = match.groups()
        return str(_VALUE[other] if other else _VALUE[ten] + (_VALUE[one] if one else 0))

    text = _THOUSANDS.sub("", _NUMBER.sub(digits, fold(text)))
    return _UNIT_WORD.sub(lambda match: _UNIT.get(match[1], match[1]), _GLUED.sub(r"\1 ", text))
