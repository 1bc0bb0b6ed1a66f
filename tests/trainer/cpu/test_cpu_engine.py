"""The recipe ``cpu-smoke`` through stock OpenRLHF, vLLM, DeepSpeed and Ray on a CPU, and a run of what came out."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ENVIRONMENT = os.environ.get("RLPA_BENCH_TRAINER_ENV", "")  # read here, before a fixture clears the environment
READY = [*Path(ENVIRONMENT or "none").glob("lib/python*/site-packages/openrlhf_cpu.pth")]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(5400),
    pytest.mark.skipif(not READY, reason="needs an environment as tests/trainer/cpu/README.md describes"),
]
SETTINGS = {
    "OPENRLHF_CPU": "1",
    "DS_ACCELERATOR": "cpu",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "RAY_worker_niceness": "0",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}


MAIN = ("-c", "import sys; from rlpa_bench.cli.main import main; main()")
WITHIN = 5000.0
"""Seconds for one start of the engine."""


def started(*words: str, **how: Any) -> subprocess.Popen[str]:
    """A command of the trainer's environment."""
    env = {**os.environ, **SETTINGS, "RLPA_BENCH_TRAINER_ENV": ENVIRONMENT, "PYTHONPATH": str(HERE)}
    return subprocess.Popen([f"{ENVIRONMENT}/bin/python", *words], env=env, text=True, **how)


def python(*words: str) -> str:
    """What a command of the trainer's environment says."""
    with started(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        said, complaint = process.communicate(timeout=WITHIN)
    assert process.returncode == 0, said[-2000:] + complaint[-2000:]
    return said


def killed_after_first_checkpoint(out: Path, *words: str) -> None:
    """Starts training and kills it with all its processes once both halves of step 1's checkpoint are there."""
    import psutil

    halves = [out / "checkpoints" / name / "latest" for name in ("_actor", "_critic")]
    with started(*words) as process:
        end = time.monotonic() + WITHIN
        while not all(half.is_file() for half in halves):
            assert process.poll() is None, "training ended by itself"
            assert time.monotonic() < end, "no checkpoint"
            time.sleep(0.5)
        top = psutil.Process(process.pid)
        family = [top, *top.children(recursive=True)]
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
    psutil.wait_procs(family, timeout=60)


def steps(out: Path) -> dict[int, dict[str, float]]:
    """What the engine said of each step; values of a later process take the place of an earlier one's."""
    found = re.findall(r"Global step (\d+): (\{.*?\})", (out / "train.log").read_text())
    return {int(number): ast.literal_eval(values) for number, values in found}


def test_killed_and_resumed_dialogues_finish_and_the_exported_checkpoint_is_benchmarked(tmp_path: Path) -> None:
    model, out = tmp_path / "model", tmp_path / "out"
    python("-c", f"import pathlib, tiny_model; tiny_model.write(pathlib.Path({str(model)!r}), steps=150)")
    train = (*MAIN, "train", "cpu-smoke", "--set", f"model={model}", "--out", str(out))
    killed_after_first_checkpoint(out, *train)
    assert not (out / "final").exists()
    said = python(*train)
    assert "resumes after step 1 of 2" in said and "step 2, reward" in said and "step 1," not in said
    saved = json.loads((out / "dialogues" / "step-000002.json").read_bytes())
    assert saved["done"] == list(range(8)), "each ticket once"
    assert sorted([*saved["finished"], *(entry["dialogue"] for entry in saved["open"])]) == [0, 1, 2, 3]
    assert all(entry["chosen"] and len(entry["state"]["turns"]) == 1 for entry in saved["open"]), (
        "of two turns each, nothing is left but the users' last answers"
    )
    for number, values in steps(out).items():
        assert values["turn"] == number and values["malformed"] < 0.5
        assert values["reward"] == pytest.approx(values["profile.f1"] + values["rules.gate"], abs=1e-3)
        assert values["reward"] > 0
    assert sorted(steps(out)) == [1, 2]
    assert re.search(r"eval_dev_pass1", (out / "train.log").read_text()), "users set apart were met"
    for export in (out / "checkpoints" / "global_step2_hf", out / "final"):
        assert json.loads((export / "trained_on.json").read_bytes())["recipe"] == "cpu-smoke"
    benchmarked(out / "final", tmp_path / "run")


def benchmarked(export: Path, out: Path) -> None:
    words = ("--suite", "aloe", "--model", f"hf:{export}", "--limit", "2", "-o", "model.max_tokens=48", "--no-controls")
    python(*MAIN, "run", *words, "--out", str(out))
    about = json.loads((out / "run.json").read_bytes())
    known = about["identity"]["components"][f"models/hf:{export}"]["trained_on"]
    assert known["rewards"] == ["profile.f1", "rules.gate"]
    (row,) = json.loads((out / "summary.json").read_bytes())["rows"].values()
    assert row["AVG[rules]"]["scored"] == 20 and row["malformed"]["mean"] < 50
