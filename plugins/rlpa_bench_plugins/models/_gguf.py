"""Reads the metadata of a GGUF file (ggml-org/ggml, docs/gguf.md) without any engine."""

from __future__ import annotations

from pathlib import Path
from struct import calcsize, unpack
from struct import error as StructError  # noqa: N812
from typing import Any, BinaryIO

from rlpa_bench.errors import UsageError

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


def _number(file: BinaryIO, code: str) -> Any:
    return unpack(f"<{code}", file.read(calcsize(f"<{code}")))[0]


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return file.read(_number(file, "Q")).decode("utf-8", "replace")
    if kind == _ARRAY:
        of, count = _number(file, "I"), _number(file, "Q")
        if of in _SCALARS:
            file.seek(count * calcsize(f"<{_SCALARS[of]}"), 1)
            return None
        for _ in range(count):
            _value(file, of)
        return None
    return _number(file, _SCALARS[kind])


def metadata(path: Path) -> dict[str, Any]:
    """The scalar and string entries of the header; arrays read as None. Raises UsageError if it is no GGUF file."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise UsageError(f"{path} is not a GGUF file; give the path of a .gguf file")
            _number(file, "I")
            _number(file, "Q")
            return {_value(file, _STRING): _value(file, _number(file, "I")) for _ in range(_number(file, "Q"))}
    except OSError as error:
        raise UsageError(f"cannot read {path} ({error.strerror}); give the path of a .gguf file") from None
    except (KeyError, ValueError, ArithmeticError, MemoryError, StructError) as error:
        raise UsageError(f"{path} is cut off or corrupt ({error}); download it again") from None
