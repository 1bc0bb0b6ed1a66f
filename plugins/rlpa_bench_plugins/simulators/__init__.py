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
    from rlpa_bench_plugins.simulators.human import HumanSimulator

    return [AgendaSimulator, HumanSimulator]
