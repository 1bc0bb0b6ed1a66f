"""Reading profiles.jsonl and personalities.jsonl: one JSON object a line, checked field by field."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rlpa_bench.errors import DataError
from rlpa_bench.types import SLOTS, TRAIT_SLOT, Item

BUNDLED = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Entry:
    """A profile (its facts) or a personality (its traits), by id."""

    id: str
    items: tuple[Item, ...]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class _Item(_Strict):
    slot: str
    value: str = Field(min_length=1)
    polarity: Literal[1, -1] = 1
    id: str = ""
    origin: str = ""
    say: tuple[str, ...] = ()


class _Trait(_Item):
    slot: str = TRAIT_SLOT


class _Profile(_Strict):
    id: str = Field(min_length=1)
    facts: tuple[_Item, ...] = Field(min_length=1)


class _Personality(_Strict):
    id: str = Field(min_length=1)
    traits: tuple[_Trait, ...] = Field(min_length=1)
    used: bool = True


_Row = TypeVar("_Row", _Profile, _Personality)


def read_profiles(path: Path, known: Collection[str]) -> tuple[Entry, ...]:
    """The profiles of a file, in file order.

    Args:
        known: value ids of the ontology; an item with any other id is kept as free text, without id.

    Raises:
        DataError: if the file is missing, empty or malformed, or an id occurs twice.
    """
    facts = tuple(slot for slot in SLOTS if slot != TRAIT_SLOT)
    rows = _read(path, _Profile)
    return tuple(Entry(row.id, _items(path, line, row.facts, facts, known)) for line, row in rows)


def read_free_profiles(path: Path) -> tuple[Entry, ...]:
    """The profiles of a file whose slots are free keys; no item has an id. Errors as for :func:`read_profiles`."""
    rows = _read(path, _Profile)
    return tuple(Entry(row.id, _items(path, line, row.facts, None, ())) for line, row in rows)


def read_personalities(path: Path, known: Collection[str]) -> tuple[Entry, ...]:
    """The personalities of a file that are in use (``used`` is true or absent), in file order.

    Arguments and errors as for :func:`read_profiles`.
    """
    rows = [(line, row) for line, row in _read(path, _Personality) if row.used]
    if not rows:
        raise DataError(f'{path}: no personality is in use; set "used": true on at least one line')
    return tuple(Entry(row.id, _items(path, line, row.traits, (TRAIT_SLOT,), known)) for line, row in rows)


def digest(path: Path) -> str:
    """sha256 of a persona file. Raises DataError if it cannot be read."""
    return sha256(_bytes(path)).hexdigest()


def _read(path: Path, schema: type[_Row]) -> list[tuple[int, _Row]]:
    try:
        text = _bytes(path).decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise DataError(f"{path}: the file is empty; write one JSON object a line")
    rows = [(number, _row(path, number, line, schema)) for number, line in lines]
    _unique(path, rows, lambda row: row.id)
    return rows


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name a .jsonl file") from error


def _row(path: Path, number: int, line: str, schema: type[_Row]) -> _Row:
    try:
        return schema.model_validate(json.loads(line))
    except json.JSONDecodeError as error:
        what = f"not JSON ({error.msg} at column {error.colno})"
        raise DataError(f"{path}, line {number}: {what}; write one JSON object a line") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "the line"
        raise DataError(f"{path}, line {number}: {field}: {first['msg']}; correct that field") from error


def _items(
    path: Path, line: int, rows: Sequence[_Item], slots: Sequence[str] | None, known: Collection[str]
) -> tuple[Item, ...]:
    for row in rows:
        if slots is not None and row.slot not in slots:
            raise DataError(f"{path}, line {line}: unknown slot {row.slot!r}; use one of {', '.join(slots)}")
    items = tuple(
        Item(row.slot, row.value, row.polarity, row.id if row.id in known else "", row.origin, row.say) for row in rows
    )
    _unique(path, [(line, item) for item in items], lambda item: item.key)
    return items


_T = TypeVar("_T")


def _unique(path: Path, rows: Sequence[tuple[int, _T]], name: Callable[[_T], str]) -> None:
    seen: set[str] = set()
    for line, row in rows:
        if name(row) in seen:
            raise DataError(f"{path}, line {line}: {name(row)!r} occurs a second time; remove or rename it")
        seen.add(name(row))
