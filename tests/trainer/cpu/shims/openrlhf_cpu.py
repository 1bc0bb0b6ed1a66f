"""Lets stock OpenRLHF 0.11.2 run its PPO on a CPU. For tests: it shows that the parts fit, and is no way to train.

Imported at the start of every interpreter of the test's environment (a ``.pth`` file names it) and active only with
``OPENRLHF_CPU=1``. OpenRLHF's own files stay as they are: after certain modules are imported, what they ask of a GPU
is answered by the CPU.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

PRETENDED = 8
"""GPUs that Ray believes to have: one per model, and room for an engine."""


class Device(str):
    """The device ``cpu`` that also passes for a number where a CUDA index is written out."""

    __slots__ = ()

    def __new__(cls) -> Device:
        return super().__new__(cls, "cpu")

    def __format__(self, spec: str) -> str:
        return "0"

    def __reduce__(self) -> Any:
        return Device, ()


def torch(module: Any) -> None:
    """Calls on CUDA do nothing; tensors and meshes for it are made on the CPU."""
    import torch.distributed.device_mesh as meshes

    module.cuda.current_device = Device
    for name in ("set_device", "synchronize", "empty_cache", "current_stream"):
        setattr(module.cuda, name, lambda *given, **named: None)
    make, mesh = module.empty, meshes.init_device_mesh

    def empty(*given: Any, **named: Any) -> Any:
        if named.get("device") == "cuda":
            named["device"] = "cpu"
        return make(*given, **named)

    def init_device_mesh(kind: str, *given: Any, **named: Any) -> Any:
        return mesh("cpu" if kind == "cuda" else kind, *given, **named)

    module.empty, meshes.init_device_mesh = empty, init_device_mesh


class Gloo:
    """What the NCCL communicator of the weight update is asked for."""

    def __init__(self, group: Any) -> None:
        self.group = group

    def broadcast(self, tensor: Any, src: int = 0, stream: Any = None) -> None:
        import torch

        plain = tensor.view(torch.uint8) if tensor.dtype == torch.bfloat16 else tensor  # gloo knows no bfloat16
        self.group.broadcast(plain, src).wait()


def weight_updates(module: Any) -> None:
    def group(master_address: str, master_port: int, rank: int, world_size: int, device: Any) -> Gloo:
        from vllm.distributed.utils import stateless_init_torch_distributed_process_group as process_group

        made = process_group(
            host=master_address, port=int(master_port), rank=rank, world_size=world_size, backend="gloo"
        )
        return Gloo(made)

    module.stateless_init_process_group = group


def engine_layers(module: Any) -> None:
    """The engine keeps plain weights, so that an update reaches what it computes with."""
    import torch

    def dispatch(layer: Any, remove_weight: bool) -> None:
        layer.cpu_linear = torch.nn.functional.linear

    module.dispatch_cpu_unquantized_gemm = dispatch


def pretended_gpus(module: Any) -> None:
    start = module.init

    def init(*given: Any, **named: Any) -> Any:
        kept = ("OPENRLHF_CPU", "VLLM_", "DS_", "HF_", "OMP_", "RLPA_BENCH_")
        passed = {name: value for name, value in os.environ.items() if name.startswith(kept)}
        runtime = named.setdefault("runtime_env", {})
        runtime["env_vars"] = {**runtime.get("env_vars", {}), **passed}
        here = {"num_cpus": PRETENDED, "num_gpus": PRETENDED, "include_dashboard": False}
        return start(*given, **{**here, "object_store_memory": 512 * 2**20, **named})

    module.init = init


HOOKS: dict[str, Callable[[Any], None]] = {
    "torch": torch,
    "ray": pretended_gpus,
    "openrlhf.utils.distributed_util": weight_updates,
    "vllm.model_executor.layers.utils": engine_layers,
}


class Loader(importlib.abc.Loader):
    """Loads a module as its own loader does, then applies its hook."""

    def __init__(self, inner: Any, hook: Callable[[Any], None]) -> None:
        self.inner, self.hook = inner, hook

    def create_module(self, spec: Any) -> Any:
        return self.inner.create_module(spec)

    def exec_module(self, module: Any) -> None:
        self.inner.exec_module(module)
        self.hook(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Finder(importlib.abc.MetaPathFinder):
    def __init__(self) -> None:
        self.looking: set[str] = set()

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> Any:
        if name not in HOOKS or name in self.looking:
            return None
        self.looking.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.looking.discard(name)
        if spec is not None:
            spec.loader = Loader(spec.loader, HOOKS[name])
        return spec


if os.environ.get("OPENRLHF_CPU") == "1":
    sys.meta_path.insert(0, Finder())
