"""Options that commands share; every flag is also ``RLPA_BENCH_<FLAG>``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def flag(name: str, *more: str, **settings: Any) -> Callable[[F], F]:
    """A click option that also reads its environment variable."""
    variable = "RLPA_BENCH_" + name.lstrip("-").partition("/")[0].replace("-", "_").upper()
    return click.option(name, *more, envvar=variable, **settings)


def plugin_flags(command: F) -> F:
    """Adds ``--plugin-path`` and ``--no-plugins`` to a command that uses plugins.

    They are set in the environment while the command runs, so that worker processes see the same plugins.
    """
    path = flag(
        "--plugin-path", multiple=True, type=click.Path(path_type=Path), expose_value=False, is_eager=True,
        callback=_plugin_path, metavar="FILE.py", help="Also use the plugin in this file; may be repeated.",
    )  # fmt: skip
    bundled = flag(
        "--no-plugins", is_flag=True, expose_value=False, is_eager=True, callback=_no_plugins,
        help="Leave out all installed plugins but the bundled ones.",
    )  # fmt: skip
    return path(bundled(command))


def _plugin_path(context: click.Context, _: click.Parameter, paths: Sequence[Path]) -> None:
    if paths:
        files = os.pathsep.join(str(path.absolute()) for path in paths)
        context.with_resource(_environment("RLPA_BENCH_PLUGIN_PATH", files))


def _no_plugins(context: click.Context, _: click.Parameter, given: bool) -> None:
    if given:
        context.with_resource(_environment("RLPA_BENCH_NO_PLUGINS", "1"))


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
