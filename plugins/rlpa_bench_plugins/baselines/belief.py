"""A belief about a user: which known personas fit what was heard, and what an answer would tell.

The population is a pool of profiles. What was heard weighs each of them (a mixture); a slot's values are predicted by
the weighted profiles, smoothed by the pool's own frequencies, so that no value of the pool is ever impossible.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from math import log2

from rlpa_bench.ontology import Ontology
from rlpa_bench.types import Item

RELATED = 0.5
"""Likelihood of a heard value under a profile that holds a broader or narrower one."""
UNLIKE = 0.1
"""The same under a profile that holds nothing of the kind: people differ from every profile in the pool."""
SMOOTHING = 1.0
"""Weight of the whole pool beside that of the profiles that fit."""

Heard = Mapping[str, int]
"""Value id -> 1, or -1 for a dislike or a denial."""


class Population:
    """The profiles of a pool, and what they predict."""

    def __init__(self, profiles: Sequence[Sequence[Item]], ontology: Ontology) -> None:
        """``profiles`` holds the facts of each; at least one profile."""
        self._ontology = ontology
        self._profiles = [{item.key: item for item in items if not item.is_trait} for items in profiles]
        self.items = {key: item for profile in reversed(self._profiles) for key, item in profile.items()}
        self._counts = [Counter(item.slot for item in profile.values()) for profile in self._profiles]
        self._likelihood = lru_cache(4096)(self._likelihood_of)
        self._closed = lru_cache(65536)(self._closes)

    @cached_property
    def slots(self) -> list[str]:
        """Every slot of the pool, in alphabetical order."""
        return sorted({item.slot for item in self.items.values()})

    def weights(self, heard: Heard) -> list[float]:
        """The weight of each profile given what was heard; they sum to 1."""
        worth = [1.0] * len(self._profiles)
        for value, sign in heard.items():
            worth = [w * likelihood for w, likelihood in zip(worth, self._likelihood(value, sign), strict=True)]
        total = sum(worth)
        return [w / total for w in worth]

    def predicted(self, heard: Heard) -> dict[str, float]:
        """Item key -> probability that it holds; what was heard, and what it rules out, is left out."""
        weights = self.weights(heard)
        share = [(w + SMOOTHING / len(weights)) / (1 + SMOOTHING) for w in weights]
        found: dict[str, float] = {}
        for weight, profile in zip(share, self._profiles, strict=True):
            for key in profile:
                found[key] = found.get(key, 0.0) + weight
        return {key: p for key, p in sorted(found.items()) if self._open(self.items[key], heard)}

    def information(self, heard: Heard) -> dict[str, float]:
        """Slot -> bits expected from an answer to a question for it.

        The entropy of which open value would be told, times the probability that there is one left to tell.
        """
        weights = self.weights(heard)
        by_slot: dict[str, list[float]] = {slot: [] for slot in self.slots}
        for key, p in self.predicted(heard).items():
            by_slot[self.items[key].slot].append(p)
        return {slot: self._left(slot, heard, weights) * _entropy(open_) for slot, open_ in by_slot.items()}

    def _left(self, slot: str, heard: Heard, weights: Sequence[float]) -> float:
        """Probability that the user has a value of this slot that was not heard yet."""
        values = self._ontology.values
        had = sum(value in values and values[value].slot == slot for value in heard)
        more = sum(w for w, n in zip(weights, self._counts, strict=True) if n[slot] > had)
        return (more + SMOOTHING / 10) / (1 + SMOOTHING / 5)

    def _open(self, item: Item, heard: Heard) -> bool:
        """Whether nothing heard states, implies or rules out an item."""
        if not item.id:
            return False
        closed = self._closed
        return not any(closed(value, item.id, sign > 0) for value, sign in heard.items())

    def _closes(self, value: str, key: str, holds: bool) -> bool:
        return bool(self._ontology.relation(value, key)) or (holds and self._ontology.conflict(value, key))

    def _likelihood_of(self, value: str, sign: int) -> tuple[float, ...]:
        return tuple(self._fit(value, sign, profile.values()) for profile in self._profiles)

    def _fit(self, value: str, sign: int, profile: Iterable[Item]) -> float:
        worth = {"same": 1.0, "parent": RELATED, "child": RELATED, "": UNLIKE}
        return max(
            (worth[self._ontology.relation(item.id, value)] for item in profile if item.polarity == sign),
            default=UNLIKE,
        )


def _entropy(weights: Sequence[float]) -> float:
    """Bits, of weights that need not sum to 1."""
    total = sum(weights)
    return -sum(w / total * log2(w / total) for w in weights if w) if total else 0.0
