"""The evaluation suites of slot-value personas: RLPA's (arXiv 2505.15456, section 4.1), and one with more power."""

from __future__ import annotations

from collections.abc import Sequence

from rlpa_bench_plugins.suites.persona_files import Entry
from rlpa_bench_plugins.suites.personas import Pairs, PersonaSuite, rotated


class AloeSuite(PersonaSuite):
    """20 profiles x 5 personalities of ALOE's evaluation set (arXiv 2410.03642), as slot-value facts."""

    name = "aloe"
    protocol = "aloe/1"
    folders = ("aloe",)


class AloeUnseenSuite(PersonaSuite):
    """120 profiles of our own in ALOE's manner, one personality each: more clusters, so narrower intervals."""

    name = "aloe-unseen"
    protocol = "aloe-unseen/1"
    folders = ("aloe-unseen",)

    def pair(self, profiles: Sequence[Entry], personalities: Sequence[Entry]) -> Pairs:
        return rotated(profiles, personalities)
