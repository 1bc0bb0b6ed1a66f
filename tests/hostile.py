"""What a plugin may do instead of answering, and what is said of it; for the tests of hostile plugins."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from toyruns import lines_of

import rlpa_bench


def exits() -> None:
    sys.exit(0)


def blocks() -> None:
    time.sleep(3600)


def spins() -> None:
    while True:
        pass


def swallows() -> None:
    for _ in range(100):
        try:
            time.sleep(3600)
        except Exception:
            continue


FAULTS = {
    exits: "exit: {who} called sys.exit(0)",
    blocks: "blocked: {who} has blocked everything for 1.5 s",
    spins: "blocked: {who} has blocked everything for 1.5 s",
    swallows: "blocked: {who} has blocked everything for 1.5 s",
}


async def for_ever(*_: Any) -> Any:
    await asyncio.Event().wait()


def once(method: Any) -> Any:
    """The method for the second call, ``for_ever`` for the first."""
    calls = []

    async def either(self: Any, argument: Any) -> Any:
        calls.append(argument)
        return await (for_ever() if len(calls) == 1 else method(self, argument))

    return either


def others_unharmed(out: Path, whole: rlpa_bench.Run) -> None:
    for name in ("dialogues.jsonl", "scores.jsonl"):
        assert lines_of(out / name, candidate="counter") == lines_of(whole.path / name, candidate="counter")
