"""Suites that put one thing to the test: length, change, absence, restraint."""

from rlpa_bench_plugins.suites.stress.conflict import ConflictSuite
from rlpa_bench_plugins.suites.stress.long import LongSuite
from rlpa_bench_plugins.suites.stress.restraint import RestraintSuite
from rlpa_bench_plugins.suites.stress.sessions import SessionsSuite

__all__ = ["ConflictSuite", "LongSuite", "RestraintSuite", "SessionsSuite"]
