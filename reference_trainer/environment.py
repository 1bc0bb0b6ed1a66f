"""The trainer's own Python environment: where it is, how it is built, what it can do.

OpenRLHF pins torch, vLLM, transformers, Ray and DeepSpeed to versions that no other tool shares, so it never enters the
environment of the benchmark. ``environments/openrlhf.lock`` holds every version.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from reference_trainer.engine import VERSION
from rlpa_bench.cache import cache_dir
from rlpa_bench.errors import UsageError

VARIABLE = "RLPA_BENCH_TRAINER_ENV"
FLASH_ATTENTION = "flash-attn==2.8.3"
PYTHONS = ((3, 11), (3, 12))
"""OpenRLHF has wheels for these only."""
_GPUS = (
    "import json, torch; c = torch.cuda; "
    "print(json.dumps([c.get_device_properties(i).total_memory for i in range(c.device_count())]))"
)


def place() -> Path:
    """Where the environment is, or will be: ``RLPA_BENCH_TRAINER_ENV``, else in the cache."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else cache_dir() / "trainer" / f"openrlhf-{VERSION}"


def python() -> Path:
    """The environment's interpreter. Raises UsageError if it has not been set up."""
    found = place() / "bin" / "python"
    if not found.is_file():
        raise UsageError(
            f"the trainer's environment is not at {place()}; build it with rlpa-bench train --setup, or name one in "
            f"{VARIABLE}"
        )
    return found


def steps(folder: Path) -> list[list[str]]:
    """The commands that build the environment.

    The lock names everything; asked for what its packages depend on, pip would build flash-attn before torch is there.
    """
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install"]
    lock = str(files("reference_trainer").joinpath("environments", "openrlhf.lock"))
    return [
        [sys.executable, "-m", "venv", str(folder)],
        [*pip, "--upgrade", "pip", "setuptools", "wheel", "ninja", "packaging"],
        [*pip, "--no-deps", "-r", lock],
        [*pip, "--no-build-isolation", "--no-deps", FLASH_ATTENTION],
        [*pip, "--no-deps", _ourselves()],
    ]


def build(folder: Path, tell: Callable[[str], None]) -> None:
    """Builds the environment; what is there already is kept.

    Raises:
        UsageError: for a Python without wheels, or naming the command that failed.
    """
    if sys.version_info[:2] not in PYTHONS:
        raise UsageError(
            f"OpenRLHF {VERSION} has no wheels for Python {sys.version_info[0]}.{sys.version_info[1]}; use 3.11 or 3.12"
        )
    for command in steps(folder):
        tell(" ".join(command))
        if subprocess.run(command, check=False).returncode:
            raise UsageError(f"the environment is not complete, this failed: {' '.join(command)}")


def gpus(interpreter: Path) -> list[float]:
    """Memory in GB of each GPU that the environment's torch sees. Raises UsageError if it has no torch."""
    asked = subprocess.run([str(interpreter), "-c", _GPUS], capture_output=True, text=True, check=False)
    if asked.returncode:
        reason = asked.stderr.strip().rpartition("\n")[2]
        raise UsageError(f"{interpreter} cannot say which GPUs it has ({reason}); build it: rlpa-bench train --setup")
    return [memory / 2**30 for memory in json.loads(asked.stdout)]


def _ourselves() -> str:
    """What pip installs to get this very version: the source tree of an editable install, else the pinned release."""
    ours = distribution("rlpa-bench")
    origin: Any = json.loads(ours.read_text("direct_url.json") or "{}")
    url = urlsplit(origin.get("url", ""))
    return url2pathname(url.path) if url.scheme == "file" else f"rlpa-bench=={ours.version}"
