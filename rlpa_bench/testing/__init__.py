"""Conformance checks for plugins, one function per kind.

>>> from rlpa_bench.testing import check_judge
>>> check_judge(MyJudge)  # doctest: +SKIP

Each builds the component in a context of its own, asks it the same things in two orders, with a model that works,
that fails and that talks nonsense, and watches what it does besides. ``pytest --rlpa-bench-plugin NAME`` and
``rlpa-bench plugins check DIST`` run the same checks on what is installed. Imports nothing until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlpa_bench.testing.checks import (
        check_baseline,
        check_judge,
        check_metric,
        check_model,
        check_simulator,
        check_suite,
        examine,
    )
    from rlpa_bench.testing.report import ConformanceError, Report, Result

__all__ = [
    "ConformanceError",
    "Report",
    "Result",
    "check_baseline",
    "check_judge",
    "check_metric",
    "check_model",
    "check_simulator",
    "check_suite",
    "examine",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "report" if name[0].isupper() else "checks"
    return getattr(import_module(f"{__name__}.{home}"), name)
