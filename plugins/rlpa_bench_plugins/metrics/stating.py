"""Which facts an inferred profile states and which a reply names; shared by the metrics of the stress suites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rlpa_bench.free_matching import matcher
from rlpa_bench.interfaces import Record
from rlpa_bench.ontology import Ontology
from rlpa_bench.types import Item, Turn


class Stating:
    """Reads the profiles of one dialogue against facts that hold, held or never did."""

    def __init__(self, record: Record, ontology: Ontology) -> None:
        self._ontology = ontology
        self._by = matcher(record.case.gold.items if record.case.gold else (), ontology)

    def states(self, turn: Turn, item: Item) -> bool:
        """Whether a line of the profile says exactly this, polarity included."""
        return bool(self.stated(turn, [item]))

    def stated(self, turn: Turn, items: Iterable[Item]) -> set[str]:
        """Keys of the items that the profile states."""
        lines = self._by.resolve(turn.inferred)
        return {item.key for item in items if self._among(lines, item)}

    def _among(self, lines: Sequence[Item], item: Item) -> bool:
        return any(self._by.weight(line, atom) == 1 for atom in self._by.resolve([item]) for line in lines)

    def contradicts(self, turn: Turn, item: Item) -> bool:
        """Whether a line of the profile cannot be true beside this item."""
        return bool(self._by.match(self._by.resolve(turn.inferred), self._by.resolve([item])).contradictions)

    def named(self, text: str, items: Iterable[Item]) -> set[str]:
        """Keys of the items whose value, or a narrower one, is named in a text."""
        found = [mention.value.id for mention in self._ontology.mentions(text)]
        return {item.key for item in items if self._names(text, found, item)}

    def _names(self, text: str, found: Sequence[str], item: Item) -> bool:
        if not item.id:
            return item.value.casefold() in text.casefold()
        return any(self._ontology.relation(key, item.id) in ("same", "child") for key in found)


def told_by(turns: Sequence[Turn]) -> dict[str, int]:
    """Key -> the last turn in which the user stated that fact; nothing of what is not known."""
    return {key: turn.index for turn in turns for key in turn.user.disclosed or ()}
