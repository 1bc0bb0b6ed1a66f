"""Trained checkpoints: where they lie, and on what they were trained.

A recipe writes ``trained_on.json`` beside the weights: an object that names the ``recipe`` (or the ``method``: sft,
dpo or rlpa), the ``base_model`` it started from, and whatever it saw: ``suite``, ``profiles``, ``templates``,
``simulator``, ``judges``, ``rewards``. A run carries all of it into run.json, so that tables and boards can say that a
candidate was trained on the very user or judge that measures it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rlpa_bench.errors import DataError, UsageError

FILE = "trained_on.json"
FOLDER = "RLPA_BENCH_CHECKPOINTS"
"""Environment variable: where checkpoints are looked for; ``trained`` in the working directory if unset."""
DEPTH = 4
"""Levels of folders that are searched below it."""
SEEN = ("suite", "simulator", "templates", "judge", "reward")
"""What may have been seen; a file may name one of a kind or, in the plural, several."""


def checkpoints_folder() -> Path:
    """The folder that holds trained checkpoints."""
    return Path(os.environ.get(FOLDER) or "trained")


def read_trained_on(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint was trained on.

    Raises:
        DataError: if the file is missing or is no object.
    """
    from rlpa_bench.runs import read_json

    path = checkpoint / FILE
    if not path.is_file():
        raise DataError(
            f"{checkpoint} does not say what it was trained on (there is no {FILE}); name a folder that a recipe "
            'wrote, or write {"method": ..., "base_model": ..., "suite": ..., "simulator": ..., "judges": [...]} there'
        )
    found = read_json(path)
    if not isinstance(found, dict):
        raise DataError(f"{path} is no JSON object; write what the checkpoint was trained on as one")
    return found


def method_of(trained_on: Mapping[str, Any]) -> str:
    """``sft``, ``dpo`` or ``rlpa``: as the file says, or by the name of its recipe."""
    named = str(trained_on.get("method") or trained_on.get("recipe") or "")
    return next((method for method in ("sft", "dpo") if named.split("-")[0] == method), "rlpa" if named else "")


def find_checkpoint(method: str, base: str, folder: Path | None = None) -> Path:
    """The one checkpoint of a method that was trained from a model; of a run's checkpoints, its ``final``.

    Raises:
        UsageError: if there is none, saying the command that trains one, or if there are several.
        DataError: if a file that says what a checkpoint was trained on cannot be read.
    """
    folder = folder or checkpoints_folder()
    found = [path for path in _candidates(folder) if _is(read_trained_on(path), method, base)]
    found = [path for path in found if path.name == "final"] or found
    if len(found) == 1:
        return found[0]
    how = f"name one with -o baseline.{method}.checkpoint=FOLDER"
    if found:
        names = ", ".join(str(path) for path in found)
        raise UsageError(f"{len(found)} {method} checkpoints were trained from {base!r} ({names}); {how}")
    train = f"train it with `{train_command(method, base)}`"
    raise UsageError(f"there is no {method} checkpoint of {base!r} in {folder}; {train}, or {how}")


def train_command(method: str, base: str) -> str:
    """The command that would train it."""
    recipe = "qwen-rlpa" if method == "rlpa" else f"{method} --data {method}.jsonl"
    return f"rlpa-bench train {recipe} --set model={base.partition(':')[2] or base}"


def served_by(checkpoint: Path, base: str) -> str:
    """The model specification that serves a checkpoint, by the engine of its base where that can read it.

    Raises:
        DataError: if the folder holds neither a GGUF file nor a Hugging Face checkpoint.
    """
    if weights := sorted(checkpoint.glob("*.gguf")):
        return f"llamacpp:{weights[0]}"
    if (checkpoint / "config.json").is_file():
        engine = base.partition(":")[0]
        return f"{engine if engine in ('hf', 'vllm') else 'hf'}:{checkpoint}"
    raise DataError(f"{checkpoint} holds no weights (neither config.json nor a .gguf file); name another folder")


def seen(trained_on: Mapping[str, Any], kind: str) -> list[str]:
    """The names of what was seen of a kind (``SEEN``), however the file writes them."""
    found: list[str] = []
    for key in (kind, f"{kind}s"):
        value = trained_on.get(key) or ()
        if isinstance(value, Mapping) and isinstance(value.get("name"), str):
            value = value["name"]
        found += [value] if isinstance(value, str) else map(str, value)
    return list(dict.fromkeys(found))


def trained_on_words(trained_on: Mapping[str, Any]) -> str:
    """What was seen in training, in one phrase."""
    parts = [f"{kind} {', '.join(names)}" for kind in SEEN if (names := seen(trained_on, kind))]
    return "; ".join(parts) or "what its recipe does not say"


def _is(trained_on: Mapping[str, Any], method: str, base: str) -> bool:
    from_ = str(trained_on.get("base_model") or trained_on.get("base") or "")
    return method_of(trained_on) == method and from_ in (base, base.partition(":")[2])


def _candidates(folder: Path) -> Iterator[Path]:
    """Folders with weights that say what they were trained on."""
    for depth in range(DEPTH):
        for path in sorted(folder.glob("*/" * depth + FILE)):
            if (path.parent / "config.json").is_file() or any(path.parent.glob("*.gguf")):
                yield path.parent
