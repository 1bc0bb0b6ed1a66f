"""Where plugins come from: entry points of installed distributions, and single files.

``RLPA_BENCH_NO_PLUGINS=1`` leaves only the bundled ones, ``RLPA_BENCH_DISABLE`` names entry points or distributions
to leave out, ``RLPA_BENCH_PLUGIN_PATH`` names files (separated as in ``PATH``). The command line sets them for the
time of a command, so that worker processes see the same plugins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from rlpa_bench.errors import PluginError

OWN = "rlpa-bench"
"""Distribution of the bundled plugins."""


@dataclass(frozen=True, slots=True)
class Source:
    """A plugin that is not loaded yet."""

    name: str
    distribution: str
    version: str
    load: Callable[[], object]
    demanded: bool = False
    """Whether somebody asked for it by its path, so that its failure is an error and not a remark."""


def sources(group: str | None) -> Iterator[Source]:
    """All plugins to load, entry points in the order of their names, then files as given."""
    disabled = {name.strip() for name in os.environ.get("RLPA_BENCH_DISABLE", "").split(",")}
    only_own = os.environ.get("RLPA_BENCH_NO_PLUGINS", "").casefold() not in ("", "0", "false", "no")
    found = entry_points(group=group) if group else ()
    for point in sorted(found, key=lambda p: (p.name, p.dist.name if p.dist else "")):
        source = _installed(point)
        if not disabled & {source.name, source.distribution} and not (only_own and source.distribution != OWN):
            yield source
    for path in filter(None, os.environ.get("RLPA_BENCH_PLUGIN_PATH", "").split(os.pathsep) if group else ()):
        yield from_file(Path(path))


def _installed(point: EntryPoint) -> Source:
    name, version = (point.dist.name, point.dist.version) if point.dist else ("unknown", "")
    return Source(point.name, name, version, point.load)


def from_file(path: Path) -> Source:
    """A plugin in one file; its version is the digest of its text. Raises PluginError if it cannot be read."""
    from hashlib import sha256

    try:
        digest = sha256(path.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise PluginError(f"cannot read plugin file {path}: {error.strerror}; check --plugin-path") from None
    return Source(path.stem, path.name, digest, partial(_load_file, path, digest), demanded=True)


def _load_file(path: Path, digest: str) -> object:
    from importlib.util import module_from_spec, spec_from_file_location

    name = f"_rlpa_bench_file_{digest}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look their module up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
