"""The questions of rlpa_offline, read from the file beside this one; lm-eval calls it, and nothing is fetched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def load(**_: Any) -> Any:
    from datasets import Dataset

    rows = Path(__file__).with_name("questions.jsonl").read_text(encoding="utf-8").splitlines()
    return {"test": Dataset.from_list([json.loads(row) for row in rows])}
