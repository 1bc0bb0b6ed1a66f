"""Supervised and preference tuning by TRL: checked here, run in a process of its own.

The data are the standard rows of TRL, which ``rlpa-bench`` builds from dialogues and anybody can write by hand.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from reference_trainer.folder import TRAINED_ON
from reference_trainer.monitor import StoppedError
from reference_trainer.recipe import DpoRecipe, SftRecipe
from rlpa_bench.errors import DataError, UsageError
from rlpa_bench.manifest import digest
from rlpa_bench.transcripts import dumps, read_lines, replacing

NEEDS = ("trl", "datasets", "torch", "transformers")


def check(recipe: SftRecipe | DpoRecipe, name: str, folder: Path) -> list[str]:
    """The command that tunes, after everything that can be checked without starting it was.

    Raises:
        UsageError: for a missing extra.
        DataError: for data that are not there or not of TRL's form, naming the first wrong line.
    """
    if missing := [module for module in NEEDS if find_spec(module) is None]:
        raise UsageError(f"recipe {name} needs {', '.join(missing)}; install: pip install 'rlpa-bench[sft-dpo]'")
    rows = check_rows(recipe)
    folder.mkdir(parents=True, exist_ok=True)
    known = {
        **_data_seen(Path(recipe.data)),
        "method": recipe.kind,
        "recipe": name,
        "title": recipe.title,
        "base_model": recipe.model,
        "engine": f"trl {version('trl')}",
        "version": version("rlpa-bench"),
        "data": {"rows": rows, "sha256": digest(Path(recipe.data).read_bytes())},
    }
    given = {"recipe": recipe.model_dump(mode="json"), "out": str(folder.absolute()), "trained_on": known}
    with replacing(folder / "recipe.json") as file:
        file.write(dumps(given))
    return [sys.executable, "-m", "reference_trainer.tune", str(folder / "recipe.json")]


def _data_seen(data: Path) -> Mapping[str, Any]:
    """What the dialogues of the data met, as the file beside them says."""
    beside = data.with_name(TRAINED_ON)
    return dict(json.loads(beside.read_bytes())) if beside.is_file() else {}


def check_rows(recipe: SftRecipe | DpoRecipe) -> int:
    """The number of rows of the recipe's data. Raises DataError."""
    path, count = Path(recipe.data), 0
    if not path.is_file():
        raise DataError(f"there is no file {path}; give --data FILE with JSON lines of {recipe.kind} rows")
    for count, row in enumerate(read_lines(path), 1):
        if problem := _problem(recipe, row):
            raise DataError(f"{path}, line {count}: {problem}")
    if not count:
        raise DataError(f"{path} is empty; give --data FILE with JSON lines of {recipe.kind} rows")
    return count


def _problem(recipe: SftRecipe | DpoRecipe, row: Any) -> str:
    keys = ("messages",) if isinstance(recipe, SftRecipe) else ("prompt", "chosen", "rejected")
    if not isinstance(row, Mapping) or (missing := [key for key in keys if key not in row]):
        return f"a row of {recipe.kind} is an object with {', '.join(keys)}"
    del missing
    for key in keys:
        chat = row[key]
        if not isinstance(chat, list) or not chat or not all(_is_message(message) for message in chat):
            return f'{key} is not a list of {{"role": …, "content": …}} messages'
    last = "messages" if isinstance(recipe, SftRecipe) else "chosen"
    if row[last][-1]["role"] != "assistant":
        return f"the last message of {last} is by {row[last][-1]['role']!r}, not by the assistant, who is to learn it"
    return ""


def _is_message(message: Any) -> bool:
    return isinstance(message, Mapping) and all(isinstance(message.get(key), str) for key in ("role", "content"))


def run(recipe: SftRecipe | DpoRecipe, command: list[str], folder: Path) -> None:
    """Tunes; its words go to this terminal and to ``train.log``. Raises StoppedError with the last thing it said."""
    last = ""
    with (
        (folder / "train.log").open("a", encoding="utf-8") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            log.write(line)
            last = line.strip() or last
    if process.returncode:
        raise StoppedError(f"{recipe.kind} ended with exit code {process.returncode}: {last[:300]}")


def load(path: Path) -> tuple[SftRecipe | DpoRecipe, dict[str, Any]]:
    """What :func:`check` wrote."""
    given = json.loads(path.read_bytes())
    kind = SftRecipe if given["recipe"]["kind"] == "sft" else DpoRecipe
    return kind.model_validate(given["recipe"]), given
