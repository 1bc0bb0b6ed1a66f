"""What people did, in the order they did it: ``people.jsonl`` of a run.

Every line is on the disk before the person is told so. Lines name the pseudonym (``person``), never a name, an address
or the code that opens the person's data, of which only the SHA-256 is kept. Kinds:

- ``consent``: the place taken (``case``, ``seed``), digest of the text agreed to, whether the words may be published,
  hash of the code, and the facts of a person who plays themselves;
- ``reply``: what a candidate wrote, before it is shown, so that a resumed run shows the same;
- ``said``: what the person answered to it; ``rating``: their grade of it, the last one counts;
- ``profile``: what they said of the inferred profile at the end;
- ``withdrawn``: a place whose person took their data back; names nobody.

Taking data back is the one exception to appending: the file is written anew without the person's lines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlpa_bench.transcripts import drop_torn_tail, dumps, read_lines, replacing
from rlpa_bench.types import JSON

FILE = "people.jsonl"


class Journal:
    """The file, open for appending. A last line that a kill tore is dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists():
            drop_torn_tail(path)
        self._file = path.open("ab", buffering=0)

    def append(self, kind: str, **facts: JSON) -> None:
        """Writes a line and waits until the disk has it."""
        rest = memoryview(dumps({"kind": kind, **facts}))
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())

    def lines(self) -> Iterator[dict[str, Any]]:
        """Everything written so far. Raises DataError."""
        yield from read_lines(self.path)

    def forget(self, person: str) -> None:
        """Writes the file anew without a person's lines."""
        kept = [line for line in self.lines() if line.get("person") != person]
        self._file.close()
        with replacing(self.path) as file:
            file.writelines(map(dumps, kept))
        self._file = self.path.open("ab", buffering=0)

    def close(self) -> None:
        self._file.close()


def read(run: Path) -> Iterator[Mapping[str, Any]]:
    """The lines of a run's journal; none if people had no part in it. Raises DataError."""
    path = run / FILE
    if path.exists():
        yield from read_lines(path)


@dataclass
class Opinion:
    """What a person said of one dialogue."""

    person: str
    ratings: dict[int, int] = field(default_factory=dict)
    """Turn -> grade."""
    items: list[dict[str, Any]] | None = None
    """The inferred profile's items with ``answer`` and ``correction``; None if they did not look at it."""
    missing: str = ""


def opinions(run: Path) -> dict[tuple[str, str, int], Opinion]:
    """What people said, by (candidate, case, seed). Raises DataError."""
    places: dict[str, tuple[str, int]] = {}
    found: dict[tuple[str, str, int], Opinion] = {}
    for line in read(run):
        if line["kind"] == "consent":
            places[line["person"]] = (line["case"], line["seed"])
        elif line["kind"] in ("rating", "profile"):
            key = (line["candidate"], *places[line["person"]])
            opinion = found.setdefault(key, Opinion(line["person"]))
            if line["kind"] == "rating":
                opinion.ratings[line["turn"]] = line["rating"]
            else:
                opinion.items, opinion.missing = line["items"], line["missing"]
    return found


def withheld(run: Path) -> str:
    """Why the words of a run's people must not be published; empty if all agreed, or there are none."""
    agreed = [bool(line["publish"]) for line in read(run) if line["kind"] == "consent"]
    refused = len(agreed) - sum(agreed)
    return f"{refused} of {len(agreed)} people did not agree that their words are published" if refused else ""
