"""Turns that people labelled, from CSV or JSON Lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rlpa_bench.errors import DataError
from rlpa_bench.types import JSON, Exchange, Item, Profile, TurnSubject


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled reply, or a pair of replies whose label says how far the first is better."""

    subject: TurnSubject
    label: float
    other: TurnSubject | None = None


def read_labels(path: Path, *, pairs: bool = False) -> list[Labelled]:
    """Labelled turns: ``history``, ``reply``, ``persona``, ``label``, and optionally ``user``.

    ``label`` is 0 or 1, or a grade on the judge's own scale; for pairs, whose second reply is ``other``, 1 if the first
    is better and 0 if the second. ``user`` is the message replied to (else the last of ``history``). ``history`` is a
    list of [user, reply] pairs, ``persona`` a list of {slot, value, polarity?, disclosed?} (JSON inside a CSV cell);
    ``disclosed`` defaults to true.

    Raises:
        DataError: for a file that cannot be read, or a row that is no labelled turn.
    """
    return [_row(path, number, row, pairs) for number, row in labelled_rows(path)]


def _row(path: Path, number: int, row: Mapping[str, Any], pairs: bool) -> Labelled:
    try:
        subject = labelled_turn(f"label-{number}", row)
        other = replace(subject, reply=str(row["other"])) if pairs else None
        return Labelled(subject, float(row["label"]), other)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"row {number} of {path} is no labelled turn: {error!r}; see read_labels") from error


def labelled_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file of labels, numbered from 1. Raises DataError."""
    try:
        content = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            rows = [{k: _cell(k, v) for k, v in row.items()} for row in csv.DictReader(content.splitlines())]
        else:
            rows = [json.loads(line) for line in content.splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the labels {path}: {error}") from error
    if not rows:
        raise DataError(f"{path} holds no labelled turn")
    yield from enumerate(rows, 1)


def _cell(name: str, value: str) -> JSON:
    if name in ("history", "persona") or (name == "label" and value[:1] == "["):
        return json.loads(value or "[]")
    return value


def labelled_turn(key: str, row: Mapping[str, JSON]) -> TurnSubject:
    """The turn that a row describes. Raises KeyError, TypeError or ValueError."""
    pairs = [tuple(map(str, pair)) for pair in row.get("history") or ()]
    user = row.get("user") or (pairs.pop()[0] if pairs else "Hello")
    rows = row["persona"]
    items = tuple(Item(str(part["slot"]), str(part["value"]), int(part.get("polarity", 1))) for part in rows)
    told = tuple(i for i, part in zip(items, rows, strict=True) if part.get("disclosed", True) and not i.is_trait)
    past = tuple(Exchange(pair[0], pair[1]) for pair in pairs)
    return TurnSubject(key, len(past) + 1, 0, past, str(user), str(row["reply"]), (), Profile(items), (), told, ())
