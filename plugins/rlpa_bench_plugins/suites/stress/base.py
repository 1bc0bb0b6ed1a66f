"""What the stress suites share: whose personas, planned cases, even samples."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from rlpa_bench.randomness import Draws
from rlpa_bench.types import JSON, Case, Change, Gold, Item, Remark, Session
from rlpa_bench_plugins.suites.persona_files import BUNDLED, Entry, digest, read_personalities, read_profiles
from rlpa_bench_plugins.suites.personas import PersonaOptions, PersonaSuite, rotated
from rlpa_bench_plugins.suites.stress.words import TEXTS, Values


class StressOptions(PersonaOptions):
    """Adds which bundled personas."""

    pool: Literal["unseen", "training"] = Field(
        "unseen", description="120 personas of `aloe-unseen`, or those of `training` for developing on."
    )


class StressSuite(PersonaSuite):
    """Base: each profile with one personality, and planned turns. Profiles are the clusters."""

    Options: ClassVar[type[Any]] = StressOptions
    group: ClassVar[int] = 1
    """Consecutive cases that belong together, such as a case and its twin."""

    def cases(self) -> Sequence[Case]:
        """All cases, by profile. Raises DataError for malformed files."""
        known = self.context.ontology.values
        profiles = [entry for path in self._files("profiles") for entry in read_profiles(path, known)]
        styles = [entry for path in self._files("personalities") for entry in read_personalities(path, known)]
        values = Values(self.context.ontology, profiles)
        pairs = enumerate(rotated(profiles, styles))
        return [case for i, (profile, style) in pairs for case in self.plan(i, profile, style, profiles, values)]

    @abstractmethod
    def plan(self, number: int, profile: Entry, style: Entry, pool: Sequence[Entry], values: Values) -> Iterable[Case]:
        """The cases of one profile, ``group`` of them or a multiple."""

    def sample(self, limit: int) -> Sequence[Case]:
        """``limit`` cases in whole groups, seeded; a smaller sample is part of every larger one."""
        cases, size = self.cases(), self.group
        groups = [cases[i : i + size] for i in range(0, len(cases), size)]
        order = sorted(groups, key=lambda group: Draws("sample", self.protocol, group[0].id).integer())
        chosen = {case.id for case in [case for group in order for case in group][:limit]}
        return [case for case in cases if case.id in chosen]

    def describe(self) -> Mapping[str, JSON]:
        """sha256 of the persona files, of the planned remarks and of the ontology."""
        return {**super().describe(), "remarks": digest(TEXTS)}

    def _files(self, kind: str) -> Sequence[Path]:
        own: Path | None = getattr(self.options, kind)
        folder = "training" if self.options.pool == "training" else "aloe-unseen"
        return (own or BUNDLED / folder / f"{kind}.jsonl",)

    def draws(self, *key: object) -> Draws:
        """Randomness of this protocol's planning."""
        return Draws("plan", self.protocol, *key)

    def case(
        self,
        profile: Entry,
        style: Entry,
        label: str,
        sessions: Sequence[Session],
        *,
        extra: Sequence[Item] = (),
        changes: Sequence[Change] = (),
        remarks: Sequence[Remark] = (),
        factors: Mapping[str, str] | None = None,
    ) -> Case:
        """One planned case; remarks behind the last turn are left out."""
        turns = sum(session.turns for session in sessions)
        return Case(
            id=".".join(part for part in (profile.id, style.id, label) if part),
            gold=Gold((*profile.items, *extra, *style.items), tuple(changes)),
            cluster=profile.id,
            factors={"personality": style.id, **(factors or {})},
            sessions=tuple(sessions),
            templates="training" if self.options.pool == "training" else "evaluation",
            remarks=tuple(sorted((r for r in remarks if r.turn <= turns), key=lambda r: r.turn)),
        )
