"""The values of the ontology as data: reading, checking, and the ages, which need no file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from rlpa_bench.errors import DataError
from rlpa_bench.ontology._numbers import DECADES, number_words
from rlpa_bench.types import SLOTS

DIMENSIONS = ("length", "warmth", "humour", "directness", "formality", "questions")
"""What a trait asks of a reply, each from -2 (little) to 2 (much)."""

EXCLUSIVE = frozenset({"Age", "Gender", "Marital Status", "Occupation", "Educational Background", "Location"})
"""Slots that hold one value at a time."""

BESIDE = frozenset(
    {
        *("location/city", "location/small-town", "location/countryside", "location/coast", "location/mountains"),
        *("location/abroad", "occupation/employer", "occupation/freelancer", "occupation/entrepreneur"),
        *("occupation/student", "education/self-taught", "education/currently-studying", "education/vocational"),
        *("education/associate-degree", "education/bachelor", "education/master", "education/doctorate"),
        *("education/university-dropout", "location/campus-dormitory"),
    }
)
"""Values that, with all narrower ones, can hold beside others of their exclusive slot: a setting beside a place."""

DENIED = {"family/children": "family/no-children", "family/siblings": "family/only-child"}
"""Values whose denial is a value too."""

OLDEST = 110


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the closed ontology."""

    id: str
    slot: str
    label: str
    aliases: tuple[str, ...] = ()
    """Other names; each of them, and the label, means this value wherever it is written."""
    cues: tuple[str, ...] = ()
    """Words that belong to its subject without naming it."""
    parent: str = ""
    """Id of the broader value; empty at the top."""
    count: int = 0
    """The number in the value, such as 2 in "two daughters"; 0 if it has none."""
    style: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Traits only: what it asks of a reply, by dimension, -2 to 2."""


def bundled() -> Traversable:
    """The folder of the values that come with the package."""
    return files("rlpa_bench.ontology").joinpath("values")


def read(folder: Traversable) -> tuple[list[Value], str]:
    """Values of all ``*.jsonl`` files of a folder, in order of file name and line, and their sha256.

    Raises:
        DataError: when there is no file, or a line is not a value.
    """
    import json
    from hashlib import sha256

    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".jsonl"))
    if not names:
        raise DataError(f"no ontology values (*.jsonl) in {folder}: name a folder that has some")
    values: list[Value] = []
    digest = sha256()
    for name in names:
        content = folder.joinpath(name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
        for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
            try:
                if line.strip():
                    values.append(_value(json.loads(line)))
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(f"{name}, line {number} of the ontology is not a value: {error}") from error
    return values, digest.hexdigest()


def _value(row: dict[str, Any]) -> Value:
    if row["slot"] not in SLOTS:
        raise ValueError(f"slot {row['slot']!r} is none of {', '.join(SLOTS)}")
    style = {str(name): float(weight) for name, weight in (row.get("style") or {}).items()}
    for name, weight in style.items():
        if name not in DIMENSIONS or not -2 <= weight <= 2:
            raise ValueError(f"style {name}: {weight} is not one of {', '.join(DIMENSIONS)} from -2 to 2")
    return Value(
        id=str(row["id"]),
        slot=row["slot"],
        label=str(row["label"]),
        aliases=tuple(map(str, row.get("aliases") or ())),
        cues=tuple(map(str, row.get("cues") or ())),
        parent=row.get("parent") or "",
        count=int(row.get("count") or 0),
        style=style,
    )


def ages() -> Iterator[Value]:
    """``age/10s`` … ``age/90s``, ``age/1`` … ``age/110``; a bare number is no alias: it counts anything."""
    for decade, word in DECADES.items():
        stems = (f"{decade}s", word)
        owners = ("my", "your", "his", "her", "their", "the")
        phrases = [f"in {owner} {stem}" for owner in owners for stem in stems]
        phrases += [f"{part} {stem}" for part in ("early", "mid", "late") for stem in stems]
        phrases += [f"in {owner} {phrase}" for owner in owners for phrase in phrases[-6:]]
        yield Value(f"age/{decade}s", "Age", f"{decade}s", aliases=(*phrases, word))
    for age in range(1, OLDEST + 1):
        frames = ("{} years old", "{} year old", "{} years of age", "{} yo", "aged {}", "age {}")
        speech = ("i am {}", "i'm {}", "you are {}", "you're {}", "turned {}", "turning {}")
        phrases = [frame.format(name) for name in (age, number_words(age)) for frame in frames]
        if age >= 10:
            phrases += [frame.format(name) for name in (age, number_words(age)) for frame in speech]
        parent = f"age/{age // 10 * 10}s" if age // 10 * 10 in DECADES else ""
        yield Value(f"age/{age}", "Age", str(age), aliases=tuple(phrases), parent=parent)


def lineages(values: Mapping[str, Value]) -> dict[str, tuple[str, ...]]:
    """All ancestors of each value that has one, nearest first.

    Raises:
        DataError: when a parent is unknown or a value is its own ancestor.
    """
    found: dict[str, tuple[str, ...]] = {}
    for value in values.values():
        line: list[str] = []
        parent = value.parent
        while parent:
            if parent not in values:
                raise DataError(f"ontology value {value.id} has the unknown parent {parent}: add or drop it")
            if parent == value.id or parent in line:
                raise DataError(f"ontology value {value.id} is its own ancestor through {parent}: change one")
            line.append(parent)
            parent = values[parent].parent
        if line:
            found[value.id] = tuple(line)
    return found


def index(values: Iterable[Value]) -> dict[str, Value]:
    """Values by id. Raises DataError for an id given twice."""
    by_id: dict[str, Value] = {}
    for value in values:
        if value.id in by_id:
            raise DataError(f"ontology value {value.id} is there twice: give one of them another id")
        by_id[value.id] = value
    return by_id
