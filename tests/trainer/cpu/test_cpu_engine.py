"""The recipe ``cpu-smoke`` through stock OpenRLHF, vLLM, DeepSpeed and Ray on a CPU, and a run of what came out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rlpa_bench

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
    "OMP_NUM_THREADS": "2",
    "RAY_worker_niceness": "0",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}


def python(*words: str) -> str:
    """What a command of the trainer's environment says."""
    env = {**os.environ, **SETTINGS, "RLPA_BENCH_TRAINER_ENV": ENVIRONMENT, "PYTHONPATH": str(HERE)}
    done = subprocess.run(
        [f"{ENVIRONMENT}/bin/python", *words], env=env, capture_output=True, text=True, timeout=5000, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_dialogues_finish_a_checkpoint_is_exported_and_can_be_benchmarked(tmp_path: Path) -> None:
    model, out = tmp_path / "model", tmp_path / "out"
    python("-c", f"import pathlib, tiny_model; tiny_model.write(pathlib.Path({str(model)!r}), steps=400)")
    main = "import sys; from rlpa_bench.cli.main import main; main()"
    train = ("-c", main, "train", "cpu-smoke", "--set", f"model={model}", "--out", str(out))
    said = python(*train)
    assert "step 1," in said and "step 2," in said and "reward" in said
    saved = json.loads((out / "dialogues" / "step-000002.json").read_bytes())
    assert sorted([*saved["finished"], *(entry["dialogue"] for entry in saved["open"])]) == [0, 1, 2, 3]
    assert all(entry["chosen"] for entry in saved["open"]), "nothing is left but users' last answers"
    assert saved["done"] == list(range(8))
    log = (out / "train.log").read_text()
    assert len(re.findall(r"Global step [12]: \{.*'profile\.f1'.*'turn'", log)) == 2
    assert re.search(r"eval_dev_pass1", log), "users set apart were met"
    for export in (out / "checkpoints" / "global_step1_hf", out / "final"):
        assert json.loads((export / "trained_on.json").read_bytes())["recipe"] == "cpu-smoke"
    again = python(*train)
    assert "resumes after step 2 of 2" in again
    run = rlpa_bench.run(suite="aloe", model=f"hf:{out / 'final'}", limit=1, turns=1, out=tmp_path / "run")
    known = run.info["identity"]["components"][f"models/hf:{out / 'final'}"]["trained_on"]
    assert known["rewards"] == ["profile.f1", "rules.gate"]
    assert sys.version_info >= (3, 11)
