"""The folder of a training run: what is trained, the tickets, the dialogues of each checkpoint, the checkpoints.

recipe.json          every value in force, and what they were made of
tickets.jsonl        the data set: one row per turn (credit by turn) or dialogue, which says only its number
dev.jsonl            rows of users set apart
agent.py             what OpenRLHF loads in each engine
dialogues/           step-000010.json: the dialogues as they stood when that step's samples were in
checkpoints/         OpenRLHF's own, and an exported model every few steps
final/               the exported model at the end
train.log            everything the engine said
trained_on.json      also in every exported model
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reference_trainer.recipe import PpoRecipe, dumped
from reference_trainer.setting import Setting
from reference_trainer.store import DialogueStore
from rlpa_bench.errors import RunDirectoryError
from rlpa_bench.transcripts import dumps, replacing

AGENT = '''"""Written by rlpa-bench train; OpenRLHF loads it in each of its engines."""

from openrlhf.utils.agent import AgentExecutorBase

from reference_trainer.agent import TicketAgent


class AgentExecutor(TicketAgent, AgentExecutorBase):
    folder = {folder!r}
'''
TRAINED_ON = "trained_on.json"


class Folder:
    """A training run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def recipe(self) -> PpoRecipe:
        """The recipe in force. Raises RunDirectoryError if the folder holds no training run."""
        try:
            saved = json.loads((self.path / "recipe.json").read_bytes())
        except FileNotFoundError:
            raise RunDirectoryError(f"{self.path} holds no training run; start one: rlpa-bench train RECIPE") from None
        return PpoRecipe.model_validate(saved["recipe"])

    def prepare(self, setting: Setting, trained_on: Mapping[str, Any]) -> None:
        """Writes what the engine reads; does nothing where the same recipe was prepared before.

        Raises:
            RunDirectoryError: if the folder holds another run, naming the first difference.
        """
        recipe = json.loads(json.dumps(dumped(setting.recipe)))
        file = self.path / "recipe.json"
        if file.is_file():
            saved = json.loads(file.read_bytes())["recipe"]
            if difference := next(_differences(saved, recipe), ""):
                raise RunDirectoryError(
                    f"{self.path} trains by another recipe: {difference}; give --out another folder"
                )
        self.path.mkdir(parents=True, exist_ok=True)
        _write_lines(self.path / "tickets.jsonl", _rows("train", setting.tickets))
        _write_lines(self.path / "dev.jsonl", _rows("dev", len(setting.dev_cases)))
        (self.path / "agent.py").write_text(AGENT.format(folder=str(self.path.absolute())), encoding="utf-8")
        _write(self.path / TRAINED_ON, trained_on)
        _write(file, {"recipe": recipe, "engines": max(1, setting.recipe.hardware.gpus)})

    @property
    def step(self) -> int:
        """The step that the engine will resume from: that of its newest checkpoint; 0 is the beginning."""
        latest = self.path / "checkpoints" / "_actor" / "latest"
        return _number(latest.read_text(encoding="utf-8").strip()) if latest.is_file() else 0

    def snapshot(self, step: int) -> Path:
        return self.path / "dialogues" / f"step-{step:06d}.json"

    def restored(self) -> dict[str, Any] | None:
        """The dialogues of the step that the engine resumes from; None at the beginning.

        Raises:
            RunDirectoryError: if they are not there.
        """
        if (step := self.step) == 0:
            return None
        try:
            saved: dict[str, Any] = json.loads(self.snapshot(step).read_bytes())
        except FileNotFoundError:
            raise RunDirectoryError(
                f"{self.path} has a checkpoint of step {step} and no dialogues of that step; remove its checkpoints "
                "to begin again, or restore dialogues/"
            ) from None
        return saved

    def save(self, step: int, dialogues: Mapping[str, Any], keep: int) -> None:
        """Keeps the dialogues of a step, and of the ``keep`` steps before it."""
        self.snapshot(step).parent.mkdir(exist_ok=True)
        _write(self.snapshot(step), dialogues)
        for old in sorted(self.snapshot(step).parent.glob("step-*.json"))[: -keep - 1]:
            if _number(old.stem) < step:
                old.unlink()

    def agree(self) -> int:
        """Makes actor and critic resume from one step: a kill between their two checkpoints leaves them apart.

        Where only one of them ever got to a checkpoint, that one is set aside and training begins again.

        Returns that step. Raises RunDirectoryError if both have checkpoints and none in common.
        """
        halves = [self.path / "checkpoints" / name for name in ("_actor", "_critic")]
        named = [half for half in halves if (half / "latest").is_file()]
        if len(named) == 1:
            named[0].rename(named[0].with_name(f"{named[0].name}.alone"))
        if len(named) < 2:
            return 0
        newest = [(half / "latest").read_text(encoding="utf-8").strip() for half in halves]
        if newest[0] != newest[1]:
            both = set.intersection(*({path.name for path in half.glob("global_step*")} for half in halves))
            whole = [tag for tag in both if _number(tag) <= min(map(_number, newest))]
            if not whole:
                raise RunDirectoryError(
                    f"{self.path / 'checkpoints'} holds an actor of {newest[0]}, a critic of {newest[1]}, no step of "
                    "both; remove it to begin again"
                )
            for half in halves:
                (half / "latest").write_text(max(whole, key=_number), encoding="utf-8")
        return self.step

    def exported(self) -> list[Path]:
        """Exported models, the earlier steps first."""
        steps = sorted(self.path.glob("checkpoints/*_hf"), key=lambda path: _number(path.name.removesuffix("_hf")))
        return [path for path in [*steps, self.path / "final"] if (path / "config.json").is_file()]

    def stamp(self) -> None:
        """Writes into every exported model what it was trained on."""
        known = json.loads((self.path / TRAINED_ON).read_bytes())
        for model in self.exported():
            if not (model / TRAINED_ON).is_file():
                step = _number(model.name.removesuffix("_hf")) if model.name != "final" else None
                _write(model / TRAINED_ON, known | {"step": step})


def store(setting: Setting, folder: Folder) -> DialogueStore:
    """The dialogue store of a run, at the step that the engine resumes from; saves itself with every checkpoint."""
    recipe, batch = setting.recipe, setting.recipe.rollout.batch

    def settled(tickets: int) -> None:
        step, rest = divmod(tickets, batch)
        if rest == 0 and step % recipe.checkpoints.every == 0:
            folder.save(step, dialogues.snapshot(), recipe.checkpoints.keep)

    dialogues = DialogueStore(
        setting.cases,
        setting.users.start,
        setting.users.advance,
        open_at_once=batch,
        samples=recipe.rollout.samples,
        episodes=recipe.users.episodes,
        continuation=recipe.rollout.continuation,
        users_at_once=recipe.users.at_once,
        saved=folder.restored(),
        settled=settled,
    )
    return dialogues


def _rows(split: str, count: int) -> Iterator[dict[str, str]]:
    for ticket in range(count):
        label = json.dumps({"ticket": ticket, "split": split})
        yield {"input": f"{split} {ticket}", "label": label, "datasource": split}


def _write(path: Path, value: Any) -> None:
    with replacing(path) as file:
        file.write(dumps(value))


def _write_lines(path: Path, rows: Iterator[dict[str, str]]) -> None:
    with replacing(path) as file:
        for row in rows:
            file.write(dumps(row))


def _number(tag: str) -> int:
    """10 of ``global_step10`` or ``step-000010``."""
    digits = tag.removeprefix("global_step").removeprefix("step-")
    return int(digits) if digits.isdigit() else 0


def _differences(saved: Any, given: Any, place: str = "") -> Iterator[str]:
    if isinstance(saved, dict) and isinstance(given, dict):
        for key in saved | given:
            yield from _differences(saved.get(key), given.get(key), f"{place}.{key}".strip("."))
    elif saved != given:
        yield f"{place} is {saved!r} there and {given!r} here"
