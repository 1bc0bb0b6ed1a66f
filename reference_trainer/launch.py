"""Runs the engine in its own environment, follows what it says and leaves the folder resumable."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from reference_trainer import environment
from reference_trainer.flags import arguments
from reference_trainer.folder import Folder
from reference_trainer.monitor import Evaluated, Monitor, Step, StoppedError
from reference_trainer.recipe import PpoRecipe
from reference_trainer.setting import Setting
from rlpa_bench.aio import blocking
from rlpa_bench.errors import UsageError
from rlpa_bench.preflight import preflight

ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "true",
    "NCCL_DEBUG": "WARN",
    "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "WANDB_MODE": "disabled",
}
"""What the engine's processes get, unless the caller's environment says otherwise; none of them calls home."""
GRACE = 30.0
"""Seconds the engine has to end by itself once it was asked to."""


def command(recipe: PpoRecipe, folder: Path, interpreter: Path) -> list[str]:
    """The engine's whole command line."""
    return [str(interpreter), "-m", "openrlhf.cli.train_ppo_ray", *arguments(recipe, folder)]


def check_gpus(recipe: PpoRecipe, interpreter: Path) -> None:
    """Raises UsageError if there are fewer or smaller GPUs than the recipe needs."""
    if recipe.hardware.gpus == 0:
        return
    here = environment.gpus(interpreter)
    if len(here) < recipe.hardware.gpus:
        raise UsageError(
            f"this recipe needs {recipe.hardware.gpus} GPUs and there are {len(here)} here; "
            "--dry-run needs none, recipe one-gpu needs one"
        )
    if min(here) < 0.9 * recipe.hardware.gpu_gb:
        raise UsageError(
            f"this recipe needs GPUs of {recipe.hardware.gpu_gb} GB and the smallest here has {min(here):.0f} GB; set "
            "hardware.gpu_gb if its batches are small enough"
        )


def check_endpoints(setting: Setting) -> list[str]:
    """Asks every role once. Returns what is odd; raises UsageError where nobody answers."""

    async def ask() -> list[str]:
        try:
            notes: list[str] = (await preflight(setting.harness, setting.env, setting.cases[:1]))["notes"]
        finally:
            await setting.harness.aclose()
        return notes

    return blocking(ask)


def train(
    recipe: PpoRecipe,
    folder: Folder,
    interpreter: Path,
    tell: Callable[[Step | Evaluated], None],
) -> None:
    """Trains to the end, or resumes where the newest checkpoint stands.

    Args:
        tell: called after every step and evaluation.

    Raises:
        StoppedError: one sentence with the cause; the last checkpoint stays.
    """
    folder.agree()
    env = {**ENVIRONMENT, **os.environ, "PYTHONUNBUFFERED": "1"}
    monitor = Monitor(recipe.guards, steps=folder.step)
    with (folder.path / "train.log").open("a", encoding="utf-8") as log:
        engine = subprocess.Popen(
            command(recipe, folder.path.absolute(), interpreter),
            env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            start_new_session=True,
        )  # fmt: skip
        try:
            assert engine.stdout is not None
            for line in engine.stdout:
                log.write(line)
                log.flush()
                if event := monitor.read(line):
                    folder.stamp()
                    tell(event)
            code = engine.wait()
        finally:
            _end(engine)
    folder.stamp()
    if code:
        cause = monitor.cause or f"the engine ended with exit code {code}"
        raise StoppedError(
            f"{cause} (after step {monitor.steps}; checkpoint of step {folder.step} kept; all it said: "
            f"{folder.path / 'train.log'}); the same command resumes"
        )


def _end(engine: subprocess.Popen[str]) -> None:
    """Ends the engine and everything it started, if they still run."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(engine.pid, kind)
        except ProcessLookupError:
            break
        try:
            engine.wait(GRACE)
        except subprocess.TimeoutExpired:
            continue
    engine.wait()
    if engine.stdout:
        engine.stdout.close()
