"""``rlpa-bench train``: what it shows, checks and refuses, and how it follows an engine; the engine is a stand-in."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from reference_trainer.cli import command
from reference_trainer.launch import ENVIRONMENT
from rlpa_bench.errors import DataError, RlpaBenchError, RunDirectoryError, UsageError

from .test_executor import RECIPE

ENGINE = """#!{python}
import json, os, pathlib, sys
words = sys.argv[1:]
if words[0] == "-c":
    print(json.dumps([{gb} * 2**30] * {gpus})); sys.exit()
assert words[:2] == ["-m", "openrlhf.cli.train_ppo_ray"], words
home = pathlib.Path(words[words.index("--train.agent_func_path") + 1]).parent
assert (home / "agent.py").is_file() and (home / "tickets.jsonl").is_file()
assert "TicketAgent" in (home / "agent.py").read_text()
script = json.loads((home.parent / "script.json").read_text())
for line in script["lines"]:
    print(line, flush=True)
    if "Global step 2" in line:
        export = home / "checkpoints" / "global_step2_hf"
        export.mkdir(parents=True, exist_ok=True)
        (export / "config.json").write_text("{{}}")
sys.exit(script["code"])
"""
STEP = "(PPOTrainer pid=1) ✨ Global step {n}: {{'policy_loss': {loss}, 'reward': 0.5, 'distinct_tokens': 0.7}}"


def run(*words: str) -> str:
    """The output of ``rlpa-bench train``; raises what people would see as one sentence."""
    result = CliRunner().invoke(command, list(words), catch_exceptions=True, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE)
    return str(path)


def engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *lines: str, code: int = 0, gpus: int = 1, gb: int = 80
) -> None:
    """An environment whose interpreter answers as the real one would."""
    binary = tmp_path / "environment" / "bin" / "python"
    binary.parent.mkdir(parents=True, exist_ok=True)
    binary.write_text(ENGINE.format(python=sys.executable, gpus=gpus, gb=gb))
    binary.chmod(binary.stat().st_mode | stat.S_IEXEC)
    (tmp_path / "script.json").write_text(json.dumps({"lines": lines, "code": code}))
    monkeypatch.setenv("RLPA_BENCH_TRAINER_ENV", str(tmp_path / "environment"))


def test_a_dry_run_shows_everything_and_writes_nothing(tmp_path: Path, recipe: str) -> None:
    said = run(recipe, "--dry-run", "--out", str(tmp_path / "out"))
    for shown in (
        "4 users x 3 turns: 12 turns, 3 steps of 4 turns x 4 samples, 3 optimiser steps",
        "recipe, not yet run on GPUs",
        "no calls, no price",
        "disk: about",
        "GPU memory: of 80 GB about 40 GB",
        "-m openrlhf.cli.train_ppo_ray",
        "--algo.advantage.lambd 0.95",
        *(f"{name}={value}" for name, value in ENVIRONMENT.items()),
    ):
        assert shown in said
    assert not (tmp_path / "out").exists()


def test_the_list_and_the_table_of_flags() -> None:
    listed = run("--list")
    assert "qwen-rlpa" in listed and "recipe, not yet run on GPUs" in listed
    assert "| `--init_kl_coef` | `--algo.kl.init_coef` | 0.01 | released script |" in run("qwen-rlpa", "--flags")


def test_training_follows_the_engine_and_marks_what_it_exports(
    tmp_path: Path, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine(tmp_path, monkeypatch, *(STEP.format(n=n, loss=0.1) for n in (1, 2, 3)))
    said = run(recipe, "--out", str(tmp_path / "out"))
    assert "begins at step 0 of 3" in said and "step 3, reward 0.5, policy loss 0.1" in said
    export = tmp_path / "out" / "checkpoints" / "global_step2_hf"
    assert str(export) in said
    known = json.loads((export / "trained_on.json").read_text())
    assert known["step"] == 2 and known["protocol"] == "training/1" and known["simulator"]["name"] == "agenda"
    assert known["rewards"] == ["profile.f1", "rules.gate"] and set(known["judges"]) == {"profile", "rules"}
    assert known["profiles"] and not set(known["profiles"]) & set(known["dev_profiles"])
    assert known["templates"] == ["training"] and len(known["recipe_digest"]) == 64
    assert STEP.format(n=3, loss=0.1) in (tmp_path / "out" / "train.log").read_text()


@pytest.mark.parametrize(
    ("lines", "code", "message"),
    [
        ([STEP.format(n=1, loss="nan")], 0, r"policy_loss is nan in step 1; stopped"),
        (
            ["rlpa_bench.errors.JudgeError: judge 'x' gave no 'f1'"],
            1,
            r"judge 'x' gave no 'f1' \(after step 0; .*resumes",
        ),
        (["torch.OutOfMemoryError: CUDA out of memory"], 1, r"a GPU ran out of memory; lower hardware\.vllm_memory"),
        (["nothing of note"], 3, r"the engine ended with exit code 3"),
    ],
)
def test_an_engine_that_fails_is_one_sentence(
    tmp_path: Path, recipe: str, monkeypatch: pytest.MonkeyPatch, lines: list[str], code: int, message: str
) -> None:
    engine(tmp_path, monkeypatch, *lines, code=code)
    with pytest.raises(RlpaBenchError, match=message) as caught:
        run(recipe, "--out", str(tmp_path / "out"))
    assert caught.value.exit_code == 1 and "\n" not in str(caught.value)
    assert (tmp_path / "out" / "recipe.json").is_file(), "everything stays for the resume"


def test_what_is_missing_is_said_before_anything_starts(
    tmp_path: Path, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = ("--out", str(tmp_path / "out"))
    with pytest.raises(UsageError, match=r"environment is not at .*; build it with rlpa-bench train --setup"):
        run(recipe, *out)
    engine(tmp_path, monkeypatch, gpus=0)
    with pytest.raises(UsageError, match="needs 1 GPUs and there are 0 here"):
        run(recipe, *out)
    engine(tmp_path, monkeypatch, gb=16)
    with pytest.raises(UsageError, match="needs GPUs of 80 GB and the smallest here has 16 GB"):
        run(recipe, *out)
    with pytest.raises(UsageError, match="name a recipe: rlpa-bench train RECIPE; there are cpu-smoke"):
        run()
    with pytest.raises(UsageError, match="judge 'released-f1': option model: Field required"):
        run(recipe, *out, "--set", 'reward.judges=["released-f1"]')
    assert not (tmp_path / "out").exists()


def test_an_endpoint_that_nobody_answers_is_said_before_the_first_step(
    tmp_path: Path, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine(tmp_path, monkeypatch)
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    options = ("-o", "judge.released-f1.model=openai:x", "-o", "model.base_url=http://127.0.0.1:9/v1")
    with pytest.raises(UsageError, match="the judge's model openai:x does not answer"):
        run(recipe, "--out", str(tmp_path / "out"), "--set", 'reward.judges=["released-f1"]', *options)
    assert not (tmp_path / "out").exists()


def test_another_recipe_in_the_same_folder_is_refused(
    tmp_path: Path, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine(tmp_path, monkeypatch)
    run(recipe, "--out", str(tmp_path / "out"))
    with pytest.raises(RunDirectoryError, match=r"optimiser\.kl is 0\.01 there and 0\.5 here; give --out"):
        run(recipe, "--out", str(tmp_path / "out"), "--set", "optimiser.kl=0.5")


@pytest.mark.parametrize(
    ("kind", "row", "message"),
    [
        ("sft", '{"prompt": []}', r"line 1: a row of sft is an object with messages"),
        ("sft", '{"messages": [{"role": "user"}]}', r"messages is not a list of"),
        ("sft", '{"messages": [{"role": "user", "content": "x"}]}', r"by 'user', not by the assistant"),
        ("dpo", '{"prompt": [], "chosen": []}', r"line 1: a row of dpo is an object with prompt, chosen, rejected"),
        ("dpo", "", r"is empty; give --data FILE"),
    ],
)
def test_tuning_data_of_the_wrong_form_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, row: str, message: str
) -> None:
    monkeypatch.setattr("reference_trainer.tuning.find_spec", lambda name: object())
    data = tmp_path / "rows.jsonl"
    data.write_text(row)
    with pytest.raises(DataError, match=message):
        run(kind, "--data", str(data), "--out", str(tmp_path / "out"))
    with pytest.raises(DataError, match="there is no file"):
        run(kind, "--data", str(tmp_path / "absent.jsonl"), "--out", str(tmp_path / "out"))


def test_tuning_without_its_extra_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference_trainer.tuning.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"recipe sft needs trl, .*pip install 'rlpa-bench\[sft-dpo\]'"):
        run("sft", "--data", "x.jsonl", "--out", str(tmp_path / "out"))
