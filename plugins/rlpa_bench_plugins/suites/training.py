"""Personas to train and to develop instruments on, apart from every evaluation suite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from rlpa_bench.errors import UsageError
from rlpa_bench_plugins.suites.persona_files import Entry
from rlpa_bench_plugins.suites.personas import Pairs, PersonaOptions, PersonaSuite, rotated


class TrainingSuite(PersonaSuite):
    """The training pool: each profile once, personalities in rotation."""

    name = "training"
    protocol = "training/1"
    folders: ClassVar[tuple[str, ...]] = ("training",)
    templates = "training"

    def pair(self, profiles: Sequence[Entry], personalities: Sequence[Entry]) -> Pairs:
        return rotated(profiles, personalities)


class TrainingFullOptions(PersonaOptions):
    """Adds how many cases a profile gives."""

    per_profile: int = Field(1, ge=1, description="Personalities that each profile meets; 10 give ALOE's 3,000 cases.")


class TrainingFullSuite(TrainingSuite):
    """The whole training pool, that of `training` and 270 profiles and 44 personalities more."""

    name = "training-full"
    protocol = "training-full/1"
    folders = ("training", "training-full")
    Options: ClassVar[type[Any]] = TrainingFullOptions

    def pair(self, profiles: Sequence[Entry], personalities: Sequence[Entry]) -> Pairs:
        """Raises UsageError if a profile would meet a personality twice."""
        times: int = self.options.per_profile
        if times > len(personalities):
            raise UsageError(
                f"suite.per_profile={times}, but there are {len(personalities)} personalities; ask for no more"
            )
        return rotated(profiles, personalities, times)
