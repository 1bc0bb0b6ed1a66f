"""Counter-based randomness: a hash of the key, never global state, equal on every machine and Python."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """A stream of draws named by its key; two streams with equal keys are equal."""

    __slots__ = ("_count", "_key")

    def __init__(self, *key: object) -> None:
        self._key = "\x1f".join(map(str, key)).encode()
        self._count = 0

    def integer(self) -> int:
        """The next draw, uniform in [0, 2**64)."""
        digest = blake2b(self._key, digest_size=8, salt=self._count.to_bytes(16, "little"))
        self._count += 1
        return int.from_bytes(digest.digest(), "little")

    def random(self) -> float:
        """Uniform in [0, 1)."""
        return (self.integer() >> 11) / (1 << 53)

    def below(self, n: int) -> int:
        """Uniform in [0, n). The bias of the remainder is below 2**-40 for any n used here."""
        return self.integer() % n

    def choice(self, values: Sequence[T]) -> T:
        return values[self.below(len(values))]

    def shuffled(self, values: Sequence[T]) -> list[T]:
        """A new list in random order (Fisher-Yates)."""
        out = list(values)
        for i in range(len(out) - 1, 0, -1):
            j = self.below(i + 1)
            out[i], out[j] = out[j], out[i]
        return out
