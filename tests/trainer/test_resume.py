"""Killed at any moment and resumed: as many finished dialogues, no ticket twice, no turn lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from training_driver import checkpoint, setting

from reference_trainer.folder import Folder
from reference_trainer.setting import Setting
from rlpa_bench.errors import RunDirectoryError

DRIVER = Path(__file__).parents[1] / "training_driver.py"
KILLS = [3, 4, 9, -2, -4]
"""Tickets after which it dies: inside a step, at its end, before and after a checkpoint; between the two halves."""


def test_killed_at_any_step_it_resumes_where_the_checkpoint_stands(tmp_path: Path) -> None:
    words = [sys.executable, str(DRIVER), str(tmp_path), *map(str, KILLS)]
    subprocess.run(words, check=True, timeout=280, env={**os.environ, "PYTHONPATH": str(DRIVER.parent)})
    for kill in KILLS:
        home = Folder(tmp_path / str(kill))
        assert int((home.path / "killed").read_text()) == signal.SIGKILL, "it was killed"
        assert int((home.path / "resumed").read_text()) == 0, "and resumed to the end"
        result = json.loads((home.path / "result.json").read_text())
        assert result["finished"][:5] == [0, 1, 2, 3, 4]
        assert result["done"] == list(range(result["tickets"]))
        lines = [json.loads(line) for line in (home.path / "turns.jsonl").read_text().splitlines()]
        kept: dict[int, list[int]] = {}
        for (
            step,
            ticket,
            *turn,
        ) in lines:  # a later run's turns take the place of an earlier one's
            kept[ticket] = [step, *turn]
        assert len(kept) == result["tickets"]
        turns = Counter((dialogue, turn) for _, dialogue, turn in kept.values())
        assert {turns[d, t] for d in range(5) for t in (1, 2, 3)} == {1}, "every planned turn once in what counts"


def prepared(path: Path) -> tuple[Folder, Setting]:
    home, of = Folder(path), setting()
    home.prepare(of, {"suite": "training"})
    return home, of


def test_the_tickets_name_nothing_but_their_number(tmp_path: Path) -> None:
    home, of = prepared(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "tickets.jsonl").read_text().splitlines()]
    assert len(rows) == of.tickets == 16, "15 turns, and one more so that the last batch is whole"
    assert json.loads(rows[7]["label"]) == {"ticket": 7, "split": "train"}
    assert len({row["input"] for row in rows}) == len(rows)
    assert "TicketAgent" in (tmp_path / "agent.py").read_text()
    assert home.recipe == of.recipe


def test_another_recipe_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    home, of = prepared(tmp_path)
    optimiser = of.recipe.optimiser.model_copy(update={"actor_lr": 1e-3})
    other = Setting(of.recipe.model_copy(update={"optimiser": optimiser}))
    with pytest.raises(RunDirectoryError, match=r"optimiser\.actor_lr is 5e-07 there and 0\.001 here; give --out"):
        home.prepare(other, {})
    home.prepare(of, {})


def test_checkpoints_of_no_common_step_are_refused(tmp_path: Path) -> None:
    home, _ = prepared(tmp_path)
    assert home.agree() == 0
    checkpoint(home, 2, killed_between=False)
    assert home.agree() == home.step == 2
    with pytest.raises(RunDirectoryError, match="a checkpoint of step 2 and no dialogues of that step"):
        home.restored()
    (tmp_path / "checkpoints" / "_critic" / "global_step2").rmdir()
    (tmp_path / "checkpoints" / "_critic" / "latest").write_text("global_step1")
    with pytest.raises(RunDirectoryError, match="an actor of global_step2, a critic of global_step1, no step of both"):
        home.agree()


def test_old_dialogues_are_removed_and_the_kept_ones_are_those_of_the_checkpoints(tmp_path: Path) -> None:
    home, _ = prepared(tmp_path)
    for step in (10, 20, 30, 40, 50):
        home.save(step, {"next": step}, keep=2)
    names = sorted(path.name for path in (tmp_path / "dialogues").iterdir())
    assert names == ["step-000030.json", "step-000040.json", "step-000050.json"]


def test_every_exported_model_says_what_it_was_trained_on(tmp_path: Path) -> None:
    home, _ = prepared(tmp_path)
    for name in ("checkpoints/global_step20_hf", "checkpoints/global_step10_hf", "final"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
    home.stamp()
    assert [path.name for path in home.exported()] == ["global_step10_hf", "global_step20_hf", "final"]
    steps = [json.loads((path / "trained_on.json").read_text()) for path in home.exported()]
    assert steps == [{"suite": "training", "step": step} for step in (10, 20, None)]
