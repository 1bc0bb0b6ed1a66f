"""Plugins that come with rlpa-bench, registered by entry points exactly as a third party's would be.

The names below are for verifiers, to which a taskset's id is the name of a module; they are imported when asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["RlpaEnv", "RlpaHarness", "RlpaTaskset"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("rlpa_bench_plugins.adapters.verifiers_env"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
