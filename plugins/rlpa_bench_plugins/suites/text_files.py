"""Reading ALOE's released files: one JSON string a line, each the text of a profile or a personality."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rlpa_bench.errors import DataError


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one file, in file order, and what was odd about it."""

    entries: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_texts(path: Path) -> Texts:
    """All texts of a file. A line may hold several JSON strings, as one line of ALOE's profile.jsonl does.

    Raises:
        DataError: if the file cannot be read, is empty, or a line holds anything but JSON strings.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name a .jsonl file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    entries: list[str] = []
    notes: list[str] = []
    for number, line in enumerate(lines, 1):
        found = list(_strings(path, number, line))
        entries += found
        if len(found) > 1:
            notes.append(f"{path.name}, line {number}: {len(found)} texts on one line, read as {len(found)} entries")
    if not entries:
        raise DataError(f"{path}: the file is empty; write one JSON string a line")
    return Texts(tuple(entries), tuple(notes))


def _strings(path: Path, number: int, line: str) -> Iterator[str]:
    decoder = json.JSONDecoder()
    rest = line.strip()
    while rest:
        try:
            text, end = decoder.raw_decode(rest)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: not JSON ({error.msg}); write one JSON string a line") from error
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{path}, line {number}: holds no text; write one JSON string a line")
        yield text.strip()
        rest = rest[end:].lstrip()
