"""Where the pinned OpenRLHF lies: its source is read to check arguments, and loaded by path in parity tests.

The engine itself lives in an environment of its own, since its pins (torch, vLLM, transformers, Ray, DeepSpeed) fit
no other. Nothing here imports it.
"""

from __future__ import annotations

import os
import zipfile
from importlib.util import find_spec
from pathlib import Path

from rlpa_bench.errors import UsageError

VERSION = "0.11.2"
"""The version of OpenRLHF whose public API the executor is written for."""
VARIABLE = "RLPA_BENCH_OPENRLHF"


def source(*environments: Path) -> Path | None:
    """The folder ``openrlhf`` of the pinned version, or None where there is none.

    Looked for in this order: ``RLPA_BENCH_OPENRLHF`` (the wheel, or a folder that holds it or the package), the given
    environments, this interpreter's own packages.

    Raises:
        UsageError: if the variable names something else, or another version.
    """
    if given := os.environ.get(VARIABLE):
        path = Path(given)
        wheels = [path] if path.is_file() else sorted(path.glob(f"openrlhf-{VERSION}-*.whl"))
        found = _unpacked(wheels[0]) if wheels else path / "openrlhf"
        if not (found / "cli" / "train_ppo_ray.py").is_file():
            raise UsageError(f"{VARIABLE}={given} holds no OpenRLHF; name the wheel of openrlhf {VERSION}")
        return found
    for environment in environments:
        for found in sorted(environment.glob("lib/python*/site-packages/openrlhf")):
            return found
    spec = find_spec("openrlhf")
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def _unpacked(wheel: Path) -> Path:
    """The package in a wheel, unpacked once beside the cache."""
    from rlpa_bench.cache import cache_dir

    if not wheel.name.startswith(f"openrlhf-{VERSION}-"):
        raise UsageError(f"{VARIABLE}={wheel} is not the wheel of openrlhf {VERSION}")
    folder = cache_dir() / "openrlhf" / wheel.stem
    if not folder.is_dir():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return next(folder.glob("**/cli/train_ppo_ray.py")).parent.parent
