"""SFT and DPO through the real TRL on a tiny random model: a loss that falls, a checkpoint that can be benchmarked."""

from __future__ import annotations

import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from reference_trainer.cli import command

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(find_spec("trl") is None, reason="needs the extra sft-dpo: tox -e sft-dpo"),
]
GOOD = "<profile>\n- Age: 30\n</profile>\n\n<response>\nHow was it?\n</response>"
ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "I am 30."}]
ROWS = {
    "sft": {"messages": [*ASKED, {"role": "assistant", "content": GOOD}]},
    "dpo": {
        "prompt": ASKED,
        "chosen": [{"role": "assistant", "content": GOOD}],
        "rejected": [{"role": "assistant", "content": "No."}],
    },
}


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_a_tiny_model_learns_from_rows_and_says_what_it_was_trained_on(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sys.path.insert(0, str(Path(__file__).parent / "cpu"))
    import tiny_model

    tiny_model.write(tmp_path / "model")
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(ROWS[kind]) + "\n" for _ in range(16)))
    (tmp_path / "trained_on.json").write_text(json.dumps({"suite": "training"}))
    small = ("batch=4", "micro_batch=2", "max_length=512", "lr=0.005", 'dtype="float32"', "epochs=4", "warmup=0.0")
    words = [kind, "--data", str(data), "--out", str(tmp_path / "out"), "--set", f"model={tmp_path / 'model'}"]
    for change in (*small, "gradient_checkpointing=false"):
        words += ["--set", change]
    result = CliRunner().invoke(command, words, catch_exceptions=False, standalone_mode=False)
    losses = [float(found) for found in re.findall(r"'loss': '?([\d.eE+-]+)", result.output)]
    assert len(losses) == 16 and losses[-1] < 0.8 * losses[0]
    known = json.loads((tmp_path / "out" / "final" / "trained_on.json").read_text())
    assert (known["method"], known["recipe"], known["suite"], known["data"]["rows"]) == (kind, kind, "training", 16)
    assert known["engine"].startswith("trl ") and (tmp_path / "out" / "final" / "config.json").is_file()
