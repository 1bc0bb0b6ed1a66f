"""rlpa-bench: does this model really get to know its user?

>>> import rlpa_bench
>>> run = rlpa_bench.run(suite="aloe", limit=4)  # doctest: +SKIP
>>> run.table()  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlpa_bench.environment import DialogueEnv
    from rlpa_bench.hookspecs import hookimpl, hookspec
    from rlpa_bench.pipeline import run
    from rlpa_bench.recompute import merge_runs
    from rlpa_bench.runs import Run, load_run

    api_version: str

__all__ = ["DialogueEnv", "Run", "__version__", "api_version", "hookimpl", "hookspec", "load_run", "merge_runs", "run"]

_HOME = {
    "DialogueEnv": "rlpa_bench.environment",
    "Run": "rlpa_bench.runs",
    "hookimpl": "rlpa_bench.hookspecs",
    "hookspec": "rlpa_bench.hookspecs",
    "load_run": "rlpa_bench.runs",
    "merge_runs": "rlpa_bench.recompute",
    "run": "rlpa_bench.pipeline",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("rlpa-bench")
    if name == "api_version":
        from rlpa_bench.api import API_VERSION

        return API_VERSION
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
