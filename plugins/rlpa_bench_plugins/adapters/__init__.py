"""What brings other ecosystems in: Inspect AI, verifiers, Hugging Face data sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rlpa_bench.hookspecs import hookimpl

if TYPE_CHECKING:
    from rlpa_bench.interfaces import Model, Suite


@hookimpl
def rlpa_bench_models() -> Iterable[type[Model]]:
    from rlpa_bench_plugins.adapters.inspect_model import Inspect

    return [Inspect]


@hookimpl
def rlpa_bench_suites() -> Iterable[type[Suite]]:
    from rlpa_bench_plugins.adapters.hf_personas import HfPersonas

    return [HfPersonas]
