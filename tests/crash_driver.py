"""Plays one toy run in child processes that kill themselves (SIGKILL), one after the other; run by test_runner.py.

Arguments: the run's directory, its number of seeds, then points such as ``turn:7``, ``model:3`` or ``judge:12`` (the
n-th of its kind in that child), or ``no``. Prints one JSON line per child: how it ended (a signal, or minus its exit
code), the log's size and digest, and how many calls its model began to answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from toyruns import play
from toys import ToyJudge, ToyModel

from rlpa_bench import hookimpl
from rlpa_bench.interfaces import KINDS, Generation, Guide, Sampling
from rlpa_bench.plugins import Plugins
from rlpa_bench.types import Message, Turn, TurnSubject, Verdict

TERMS = {"baseline": "plain", "turns": 12}
CONNECTIONS = 3
left = {"turn": 0, "model": 0, "judge": 0}
"""How many more of a kind this child survives; 0 is all."""
calls: list[Path] = []
"""The file that gets a byte for every call of the model."""


def pass_by(kind: str) -> None:
    left[kind] -= 1
    if left[kind] == 0:
        os.kill(os.getpid(), signal.SIGKILL)


class MortalModel(ToyModel):
    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        with calls[0].open("ab") as file:
            file.write(b".")
        await asyncio.sleep(random.random() / 1000)  # lets dialogues overtake each other
        pass_by("model")
        return await super().generate(messages, sampling, guide)


class MortalJudge(ToyJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        pass_by("judge")
        return await super().judge(subject)


class Assassin:
    """Observes turns."""

    @hookimpl
    def rlpa_bench_turn_end(self, turn: Turn) -> None:
        pass_by("turn")


def child(out: Path, seeds: int, point: str) -> int:
    """Plays in a fork; returns the signal that ended it, or minus its exit code."""
    pid = os.fork()
    if not pid:
        kind, _, count = point.partition(":")
        if count:
            left[kind] = int(count)
        play(out, MortalModel, MortalJudge, watchers=[Assassin()], seeds=seeds, max_connections=CONNECTIONS, **TERMS)
        os._exit(0)
    return -os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(out: Path, seeds: int, points: list[str]) -> None:
    calls.append(out.with_suffix(".calls"))
    loaded = Plugins()
    for kind in KINDS:  # once for all children
        loaded.offers(kind)
    for point in points:
        calls[0].write_bytes(b"")
        died = child(out, seeds, point)
        log = b"".join(path.read_bytes() for path in sorted((out / "log").glob("*.jsonl")))
        seen = {"signal": died, "size": len(log), "sha256": sha256(log).hexdigest(), "calls": calls[0].stat().st_size}
        print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
