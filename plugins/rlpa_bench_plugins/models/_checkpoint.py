"""What identifies a Hugging Face checkpoint, local or from a hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from rlpa_bench.errors import UsageError

WEIGHTS = (".safetensors", ".bin", ".gguf")


def weights(source: str, revision: str | None = None) -> str:
    """``sha256 …`` over the weight files of a local checkpoint, ``commit …`` of one from a hub. Raises UsageError."""
    path = Path(source).expanduser()
    if not path.exists():
        return f"commit {_from_hub(source, 'config.json', revision).parent.name}"
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.suffix in WEIGHTS)
    digests = [_digest(file) for file in files]
    return f"sha256 {digests[0] if len(digests) == 1 else sha256(''.join(digests).encode()).hexdigest()}"


def template(source: str, revision: str | None = None) -> str:
    """The chat template of a checkpoint; empty if it has none. Raises UsageError."""
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        path = Path(source).expanduser() / name
        if not path.parent.exists():
            try:
                path = _from_hub(source, name, revision)
            except UsageError:
                continue
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            return text if path.suffix == ".jinja" else str(json.loads(text).get("chat_template") or "")
    return ""


def trained_on(source: str) -> Mapping[str, Any]:
    """``{"trained_on": …}`` of a local checkpoint that says what it was trained on; empty for others.

    Raises UsageError if what it says cannot be read.
    """
    path = Path(source).expanduser() / "trained_on.json"
    if not source or not path.is_file():
        return {}
    try:
        return {"trained_on": json.loads(path.read_bytes())}
    except ValueError as error:
        raise UsageError(f"{path} is not JSON ({error}); restore it from where the checkpoint was made") from None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _from_hub(source: str, name: str, revision: str | None) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(source, name, revision=revision))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"cannot find {name} of {source!r} ({reason}); check the path or the hub id") from None
