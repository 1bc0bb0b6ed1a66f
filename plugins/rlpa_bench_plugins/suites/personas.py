"""Suites that cross profiles (facts) with personalities (traits)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from rlpa_bench.interfaces import Suite
from rlpa_bench.options import Options
from rlpa_bench.randomness import Draws
from rlpa_bench.types import JSON, Case, Gold, Session
from rlpa_bench_plugins.suites.persona_files import BUNDLED, Entry, digest, read_personalities, read_profiles

Pairs = Iterable[tuple[Entry, Entry]]


class PersonaOptions(Options):
    """Length of the dialogues and files of one's own."""

    turns: int = Field(10, ge=1, description="Turns per dialogue.")
    opening: str = Field("Hello", min_length=1, description="The user's first words in every dialogue.")
    profiles: Path | None = Field(None, description="A profiles.jsonl instead of the bundled one.")
    personalities: Path | None = Field(None, description="A personalities.jsonl instead of the bundled one.")


def rotated(profiles: Sequence[Entry], personalities: Sequence[Entry], times: int = 1) -> Pairs:
    """Each profile with ``times`` personalities in rotation, so that all are met equally often, give or take one."""
    for i, profile in enumerate(profiles):
        for j in range(times):
            yield profile, personalities[(i * times + j) % len(personalities)]


class PersonaSuite(Suite):
    """Base: each profile with each personality; profiles are the clusters, personality is the factor."""

    Options: ClassVar[type[Any]] = PersonaOptions
    folders: ClassVar[tuple[str, ...]]
    """Folders of the bundled files; personas of all of them, in this order."""
    templates: ClassVar[str] = "evaluation"

    def cases(self) -> Sequence[Case]:
        """All cases, by profile and then by personality. Raises DataError for malformed files."""
        known = self.context.ontology.values
        profiles = [entry for path in self._files("profiles") for entry in read_profiles(path, known)]
        personalities = [entry for path in self._files("personalities") for entry in read_personalities(path, known)]
        return [self._case(*pair) for pair in self.pair(profiles, personalities)]

    def pair(self, profiles: Sequence[Entry], personalities: Sequence[Entry]) -> Pairs:
        """Which profile meets which personality."""
        return product(profiles, personalities)

    def sample(self, limit: int) -> Sequence[Case]:
        """``limit`` cases with profiles as distinct and personalities as even as can be.

        The same on every machine; cases keep their order; a smaller sample is part of every larger one.
        """
        cases = self.cases()
        left = sorted(cases, key=lambda case: Draws("sample", self.protocol, case.id).integer())
        profiles: Counter[str] = Counter()
        personalities: Counter[str] = Counter()
        chosen = set()
        for _ in range(min(limit, len(cases))):
            best = min(left, key=lambda c: (profiles[c.cluster], personalities[c.factors["personality"]]))
            left.remove(best)
            chosen.add(best.id)
            profiles[best.cluster] += 1
            personalities[best.factors["personality"]] += 1
        return [case for case in cases if case.id in chosen]

    def describe(self) -> Mapping[str, JSON]:
        """sha256 of the persona files (one, or a list) and of the ontology."""
        digests: dict[str, JSON] = {}
        for kind in ("profiles", "personalities"):
            found = [digest(path) for path in self._files(kind)]
            digests[kind] = found[0] if len(found) == 1 else found
        return {**digests, "ontology": self.context.ontology.digest}

    def _files(self, kind: str) -> Sequence[Path]:
        """The files of ``profiles`` or ``personalities``."""
        own: Path | None = getattr(self.options, kind, None)
        return (own,) if own else tuple(BUNDLED / folder / f"{kind}.jsonl" for folder in self.folders)

    def _case(self, profile: Entry, personality: Entry) -> Case:
        return Case(
            id=f"{profile.id}.{personality.id}",
            gold=Gold(profile.items + personality.items),
            cluster=profile.id,
            factors={"personality": personality.id},
            sessions=(Session(self.options.turns, self.options.opening),),
            templates=self.templates,
        )
