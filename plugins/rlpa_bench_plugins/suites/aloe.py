"""The evaluation suite of RLPA (arXiv 2505.15456, section 4.1), which plays ALOE's personas."""

from __future__ import annotations

from rlpa_bench_plugins.suites.personas import PersonaSuite


class AloeSuite(PersonaSuite):
    """20 profiles x 5 personalities of ALOE's evaluation set (arXiv 2410.03642), as slot-value facts."""

    name = "aloe"
    protocol = "aloe/1"
    folder = "aloe"
