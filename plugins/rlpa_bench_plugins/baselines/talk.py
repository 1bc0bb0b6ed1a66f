"""Replies made of templates about facts that are known; no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlpa_bench.ontology import Value
from rlpa_bench.types import Item
from rlpa_bench_plugins.baselines.common import sections

Memory = dict[str, Any]
"""``start`` (where each list begins), ``used`` (lines taken per list), ``spoken`` (per fact: times, last when)."""


def new_memory(start: int) -> Memory:
    return {"start": start, "spoken": {}, "used": {}}


def pick(lists: Mapping[str, Sequence[str]], heading: str, memory: Memory) -> str:
    """The next line under a heading, in rotation; books it in the memory."""
    used: int = memory["used"].get(heading, 0)
    memory["used"][heading] = used + 1
    start: int = memory["start"]
    return lists[heading][(start + used) % len(lists[heading])]


class Talk:
    """Speaks of facts with the cues that the ontology has for them."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values
        lists = sections("statements")
        self._plain = {name: [line for line in lines if "{a}" not in line] for name, lines in lists.items()}
        cued = {name: [line for line in lines if "{a}" in line] for name, lines in lists.items()}
        self._cued = {f"{name} with cues": lines for name, lines in cued.items() if lines}

    def about(self, items: Sequence[Item], memory: Memory, first: bool, most: int = 2) -> str:
        """A reply that speaks of up to ``most`` facts: new ones, then those not spoken of for longest.

        Args:
            memory: changed in place.
            first: whether this is the first turn, so that a greeting fits while nothing is known.
        """
        if not items:
            return pick(self._plain, "Greeting" if first else "Filler", memory)
        order = sorted(range(len(items)), key=lambda i: (memory["spoken"].get(items[i].key, (0, 0))[1], -i))
        return " ".join(self._sentence(items[i], memory) for i in order[:most])

    def _sentence(self, item: Item, memory: Memory) -> str:
        known = self._values.get(item.id)
        times: int = memory["spoken"].get(item.key, (0, 0))[0]
        memory["spoken"][item.key] = [times + 1, sum(spoken[0] for spoken in memory["spoken"].values()) + 1]
        slot = item.slot if item.slot in self._plain else "Others"
        heading = slot if item.polarity > 0 else "Dislike"
        cues = known.cues if known else ()
        name = known.label if known else item.value
        words = {"v": name, "V": name[:1].upper() + name[1:]}
        if len(cues) < 2 or f"{heading} with cues" not in self._cued:
            return pick(self._plain, heading, memory).format(**words)
        words |= {letter: cues[(2 * times + i) % len(cues)] for i, letter in enumerate("ab")}
        return pick(self._cued, f"{heading} with cues", memory).format(**words)
