"""Controls that know the public personas by heart: the most frequent values, and the nearest persona."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rlpa_bench.interfaces import Context
from rlpa_bench.types import JSON, Item, Output, View
from rlpa_bench_plugins.baselines.common import Control
from rlpa_bench_plugins.baselines.talk import Memory, Talk, new_memory

if TYPE_CHECKING:
    from rlpa_bench_plugins.suites.persona_files import Entry


class Pool:
    """Bundled personas of one or more suites. Raises DataError if their files are missing or malformed."""

    def __init__(self, known: Collection[str], *folders: str) -> None:
        from rlpa_bench_plugins.suites.persona_files import BUNDLED, digest, read_personalities, read_profiles

        self.profiles: list[Entry] = []
        self.personalities: list[Entry] = []
        self.digests: dict[str, str] = {}
        for folder in folders:
            self.profiles += read_profiles(BUNDLED / folder / "profiles.jsonl", known)
            self.personalities += read_personalities(BUNDLED / folder / "personalities.jsonl", known)
            for path in sorted((BUNDLED / folder).glob("*.jsonl")):
                self.digests[f"{folder}/{path.name}"] = digest(path)


class _Memoriser(Control):
    """Base: replies speak of the facts it takes for true."""

    texts = ("statements",)
    folders: tuple[str, ...] = ("training",)

    def __init__(self, options: Any, context: Context, argument: str = "", model: None = None) -> None:
        super().__init__(options, context, argument, model)
        self._pool = Pool(context.ontology.values, *self.folders)
        self._talk = Talk(context.ontology.values)

    def describe(self) -> Mapping[str, JSON]:
        digests = {"personas": self._pool.digests, "ontology": self.context.ontology.digest}
        return {**super().describe(), **digests}

    def talk_memory(self, view: View) -> Memory:
        return view.memory if view.memory else new_memory(self.context.random("talk", view.key).below(1000))


class Prior(_Memoriser):
    """The most frequent values of each slot in the training pool, whatever the user says."""

    name = "prior"

    def __init__(self, options: Any, context: Context, argument: str = "", model: None = None) -> None:
        super().__init__(options, context, argument, model)
        self._profile = (*frequent(self._pool.profiles), *frequent(self._pool.personalities))
        self._facts = tuple(item for item in self._profile if not item.is_trait)

    async def respond(self, view: View) -> Output:
        memory = self.talk_memory(view)
        return self.write(self._profile, self._talk.about(self._facts, memory, view.turn == 1), memory)


class Lookup(_Memoriser):
    """The public persona nearest to what the user has said so far; speaks only of what was said.

    It knows ``aloe`` and ``training`` by heart, and on purpose not ``aloe-unseen``: there it shows what such knowledge
    is worth with users whom nobody could have memorised, beside what it is worth on ``aloe``.

    Nearness counts values: 1 for one that the user named, half for a broader or narrower one. Nothing is
    stated until something fits. Whether the user denied a value is not read.
    """

    name = "lookup"
    folders = ("aloe", "training")

    def __init__(self, options: Any, context: Context, argument: str = "", model: None = None) -> None:
        super().__init__(options, context, argument, model)
        self._fit = lru_cache(4096)(self._fit_of)

    async def respond(self, view: View) -> Output:
        memory = {"named": [], **self.talk_memory(view)}
        mentions = self.context.ontology.mentions(view.user)
        memory["named"] = named = list(dict.fromkeys((*memory["named"], *(m.value.id for m in mentions))))
        profile = self._nearest(named)
        spoken_of = tuple(item for item in profile if item.id in named)
        return self.write(profile, self._talk.about(spoken_of, memory, view.turn == 1), memory)

    def _nearest(self, named: Iterable[str]) -> tuple[Item, ...]:
        total: Counter[int] = Counter()
        for value in named:
            total.update(self._fit(value))
        if not total:
            return ()
        best = max(total.items(), key=lambda pair: (pair[1], -pair[0]))[0]
        return self._pool.profiles[best].items

    def _fit_of(self, value: str) -> Mapping[int, int]:
        """How well each persona fits one named value, in halves; personas that do not are left out."""
        relation = self.context.ontology.relation
        worth = {"same": 2, "parent": 1, "child": 1, "": 0}
        fits = {
            i: max(worth[relation(item.id, value)] for item in entry.items)
            for i, entry in enumerate(self._pool.profiles)
        }
        return {i: fit for i, fit in fits.items() if fit}


def frequent(entries: Sequence[Entry]) -> tuple[Item, ...]:
    """Per slot the most frequent items, as many as an entry has on average, at least one."""
    slots: dict[str, Counter[str]] = defaultdict(Counter)
    first: dict[str, Item] = {}
    for item in (item for entry in entries for item in entry.items):
        slots[item.slot][item.key] += 1
        first.setdefault(item.key, item)
    chosen = []
    for _, counts in sorted(slots.items()):
        number = max(1, round(counts.total() / len(entries)))
        ranked = sorted(counts, key=lambda key: (-counts[key], key))
        chosen += [first[key] for key in ranked[:number]]
    return tuple(chosen)
