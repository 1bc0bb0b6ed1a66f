"""What a checkpoint was trained on travels: from the recipe into the checkpoint, from there into the runs of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from rlpa_bench_plugins.models._checkpoint import trained_on
from stock_openrlhf import needs_torch

import reference_trainer.provenance
import rlpa_bench
from rlpa_bench.errors import UsageError

from .test_executor import setting


def test_the_terms_of_training_are_complete_and_plain(tmp_path: Path) -> None:
    of = setting("users.limit=3")
    known = json.loads(json.dumps(reference_trainer.provenance.trained_on(of, "mine")))
    assert known["profiles"] == sorted({case.cluster for case in of.cases}) and known["users"] == 3
    assert known["judges"]["rules"]["version"] == "rules/1" and known["simulator"]["name"] == "agenda"
    assert (known["method"], known["recipe"], known["base_model"], known["credit"]) == ("rlpa", "mine", "none", "turn")
    other = reference_trainer.provenance.trained_on(setting("users.limit=3", "optimiser.kl=0.5"), "mine")
    assert other["recipe_digest"] != known["recipe_digest"]


def test_a_checkpoint_that_says_nothing_adds_nothing(tmp_path: Path) -> None:
    assert trained_on(str(tmp_path)) == trained_on("") == trained_on("owner/name") == {}
    (tmp_path / "trained_on.json").write_text('{"recipe": "mine"}')
    assert trained_on(str(tmp_path)) == {"trained_on": {"recipe": "mine"}}
    (tmp_path / "trained_on.json").write_text("{")
    with pytest.raises(UsageError, match=r"trained_on\.json is not JSON"):
        trained_on(str(tmp_path))


@needs_torch
def test_a_run_of_a_trained_checkpoint_carries_what_it_was_trained_on(tmp_path: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parent / "cpu"))
    import tiny_model

    tiny_model.write(tmp_path / "model")
    (tmp_path / "model" / "trained_on.json").write_text('{"recipe": "mine", "profiles": ["p1"]}')
    spec = f"hf:{tmp_path / 'model'}"
    options = ["model.max_tokens=8"]
    run = rlpa_bench.run(
        suite="aloe", model=spec, limit=1, turns=1, controls=False, options=options, out=tmp_path / "r"
    )
    component = run.info["identity"]["components"][f"models/{spec}"]
    assert component["trained_on"] == {"recipe": "mine", "profiles": ["p1"]}
