"""Suites that come with rlpa-bench."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rlpa_bench.hookspecs import hookimpl

if TYPE_CHECKING:
    from rlpa_bench.interfaces import Suite


@hookimpl
def rlpa_bench_suites() -> Iterable[type[Suite]]:
    from rlpa_bench_plugins.suites.aloe import AloeSuite, AloeUnseenSuite
    from rlpa_bench_plugins.suites.aloe_original import AloeOriginalSuite
    from rlpa_bench_plugins.suites.extended import AloeExtendedSuite
    from rlpa_bench_plugins.suites.people import PeopleSuite
    from rlpa_bench_plugins.suites.stress import ConflictSuite, LongSuite, RestraintSuite, SessionsSuite
    from rlpa_bench_plugins.suites.training import TrainingFullSuite, TrainingSuite

    plain = [AloeSuite, AloeExtendedSuite, AloeOriginalSuite, AloeUnseenSuite, TrainingSuite, TrainingFullSuite]
    return [*plain, LongSuite, ConflictSuite, SessionsSuite, RestraintSuite, PeopleSuite]
