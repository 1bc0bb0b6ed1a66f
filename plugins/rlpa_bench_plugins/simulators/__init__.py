"""Bundled simulated users."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import rlpa_bench

if TYPE_CHECKING:
    from rlpa_bench.interfaces import Simulator


@rlpa_bench.hookimpl
def rlpa_bench_simulators() -> Iterable[type[Simulator]]:
    from rlpa_bench_plugins.simulators.agenda import AgendaSimulator
    from rlpa_bench_plugins.simulators.aloe_roleplay import AloeRoleplaySimulator
    from rlpa_bench_plugins.simulators.guided import GuidedSimulator
    from rlpa_bench_plugins.simulators.human import HumanSimulator
    from rlpa_bench_plugins.simulators.reciprocal import ReciprocalSimulator
    from rlpa_bench_plugins.simulators.rlpa import RlpaSimulator

    return [
        AgendaSimulator,
        AloeRoleplaySimulator,
        GuidedSimulator,
        HumanSimulator,
        ReciprocalSimulator,
        RlpaSimulator,
    ]
