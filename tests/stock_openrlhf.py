"""Stock OpenRLHF for tests without GPU: its modules run as they are; the engines under them are stand-ins.

The wheel is not a dependency, since its own pins fit no other environment. ``tox -e trainer`` fetches it; by hand:
``pip download --no-deps openrlhf==0.11.2`` and ``RLPA_BENCH_OPENRLHF=<the wheel>``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from reference_trainer.engine import VERSION, source
from rlpa_bench.errors import UsageError

try:
    SOURCE = source()  # read here, before a fixture clears the environment
except UsageError:  # a folder into which nothing could be downloaded
    SOURCE = None
needs_openrlhf = pytest.mark.skipif(
    SOURCE is None, reason=f"openrlhf {VERSION} is not at hand: tox -e trainer, or RLPA_BENCH_OPENRLHF=<its wheel>"
)
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed: tox -e trainer")
ENGINES = ("ray", "vllm", "deepspeed", "peft", "flash_attn", "torchdata", "wandb", "datasets", "bitsandbytes")


class StandIn(ModuleType):
    """A module that has every attribute, and a package of every submodule."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock()


class _Finder(MetaPathFinder, Loader):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in ENGINES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = StandIn(spec.name)
        if spec.name == "ray":
            vars(module).update(remote=lambda thing: thing, get=lambda ref: ref)
        if spec.name == "vllm":
            vars(module).update(SamplingParams=SimpleNamespace)
        return module

    def exec_module(self, module: ModuleType) -> None:
        return


@contextmanager
def stock() -> Iterator[Any]:
    """Gives ``load("trainer.ppo_utils.samples_generator")`` and the like; after it ``sys.modules`` is as before.

    Packages are bare: their ``__init__`` is not executed, so that a module brings only what it names itself.
    """
    assert SOURCE is not None
    before = dict(sys.modules)
    for name in before:
        if name.partition(".")[0] in (*ENGINES, "openrlhf"):
            del sys.modules[name]
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    for folder in [SOURCE, *(path for path in SOURCE.rglob("*") if path.is_dir())]:
        name = ".".join(["openrlhf", *folder.relative_to(SOURCE).parts])
        package = StandIn(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    try:
        yield lambda name: import_module(f"openrlhf.{name}")
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] in (*ENGINES, "openrlhf")]:
            del sys.modules[name]
        sys.modules.update({k: v for k, v in before.items() if k not in sys.modules})
