"""The model-call cache: SQLite, keyed by all that decides an answer, shared by runs and processes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any


def cache_dir() -> Path:
    """``RLPA_BENCH_CACHE_DIR``, else ``XDG_CACHE_HOME/rlpa-bench``, else ``~/.cache/rlpa-bench``."""
    if named := os.environ.get("RLPA_BENCH_CACHE_DIR"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rlpa-bench"


class CallCache:
    """Answers by request. Errors and empty replies are never stored, nor is any key or credential."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        # Safe against a kill of this process, which is what a resume has to survive; not against a power cut.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS calls (key BLOB PRIMARY KEY, answer BLOB NOT NULL) WITHOUT ROWID")

    @staticmethod
    def key(request: Mapping[str, Any]) -> bytes:
        import orjson

        return sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).digest()

    def get(self, key: bytes) -> Any | None:
        import orjson

        row = self._db.execute("SELECT answer FROM calls WHERE key = ?", (key,)).fetchone()
        return orjson.loads(row[0]) if row else None

    def put(self, key: bytes, answer: Mapping[str, Any]) -> None:
        import orjson

        self._db.execute("INSERT OR REPLACE INTO calls VALUES (?, ?)", (key, orjson.dumps(answer)))

    def close(self) -> None:
        self._db.close()
