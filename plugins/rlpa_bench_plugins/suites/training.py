"""Personas to train and to develop instruments on, apart from every evaluation suite."""

from __future__ import annotations

from collections.abc import Sequence

from rlpa_bench_plugins.suites.persona_files import Entry
from rlpa_bench_plugins.suites.personas import Pairs, PersonaSuite


class TrainingSuite(PersonaSuite):
    """The training pool: each profile once, personalities in rotation."""

    name = "training"
    protocol = "training/1"
    folder = "training"
    templates = "training"

    def pair(self, profiles: Sequence[Entry], personalities: Sequence[Entry]) -> Pairs:
        return ((profile, personalities[i % len(personalities)]) for i, profile in enumerate(profiles))
