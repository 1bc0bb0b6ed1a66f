"""Options that commands share; every flag is also ``RLPA_BENCH_<FLAG>``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def flag(name: str, *more: str, **settings: Any) -> Callable[[F], F]:
    """A click option that also reads its environment variable."""
    variable = "RLPA_BENCH_" + name.lstrip("-").partition("/")[0].replace("-", "_").upper()
    return click.option(name, *more, envvar=variable, **settings)
