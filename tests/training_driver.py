"""A stand-in for OpenRLHF's loop that can be killed: ``python training_driver.py FOLDER KILL_AT …``.

It plays the tickets of a training folder with a fake engine, in the shuffled order of a seeded loader, writes actor and
critic checkpoints every two steps, resumes where they stand, and is killed with SIGKILL at the given ticket (or between
the two checkpoints of a step, for a negative number). Every turn that was played is a line of ``turns.jsonl``.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from fake_engine import FakeEngine, Sampling
from toys import reply

from reference_trainer.executor import Policy, TurnPlayer
from reference_trainer.folder import Folder, store
from reference_trainer.recipe import PpoRecipe, parse
from reference_trainer.setting import Setting
from reference_trainer.store import Candidate, Job

RECIPE = """
kind = "ppo"
title = "killed"
model = "none"
[users]
suite = "training"
limit = 5
turns = 3
dev_profiles = 1
[reward]
judges = ["profile", "rules"]
[rollout]
batch = 2
micro_batch = 4
samples = 4
max_length = 8000
max_new_tokens = 400
[optimiser]
batch = 8
micro_batch = 4
[hardware]
parameters = 0.001
[checkpoints]
every = 2
keep = 2
"""


def setting() -> Setting:
    recipe = parse(RECIPE, "killed")
    assert isinstance(recipe, PpoRecipe)
    return Setting(recipe)


class Counting:
    """A store that writes down what was played, and dies at a ticket."""

    def __init__(self, inner: Any, folder: Path, kill_at: int | None) -> None:
        self.inner, self.folder, self.kill_at, self.step = inner, folder, kill_at, 0

    async def take(self, ticket: int) -> Job:
        job: Job = await self.inner.take(ticket)
        return job

    async def push(self, job: Job, candidate: Candidate) -> None:
        await self.inner.push(job, candidate)
        if job.sample == 0:
            with (self.folder / "turns.jsonl").open("a") as file:
                file.write(json.dumps([self.step, job.ticket, job.dialogue, job.state.turn]) + "\n")
        if len(self.inner.done) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


async def loop(home: Folder, of: Setting, kill_at: int | None) -> dict[str, Any]:
    home.prepare(of, {})
    resumed = home.agree()
    dialogues = store(of, home)
    counting = Counting(dialogues, home.path, kill_at)
    player = TurnPlayer(counting, of.rewards, of.dev)
    engine = FakeEngine(lambda text, n: reply(f"I see. And you, {n}?", f"- Age: {n % 90}"))
    batch, every = of.recipe.rollout.batch, of.recipe.checkpoints.every
    tickets = list(range(of.tickets))
    random.Random(of.recipe.seed).shuffle(tickets)
    for step in range(resumed + 1, of.steps + 1):
        counting.step = step
        rows = [json.dumps({"ticket": t, "split": "train"}) for t in tickets[(step - 1) * batch : step * batch]]
        given = Policy(engine, engine.tokenizer, Sampling(), of.limits)
        await asyncio.gather(*(player.execute("", row, given) for row in rows for _ in range(4)))
        if step % every == 0:
            checkpoint(home, step, killed_between=kill_at == -step)
    await dialogues.settle()
    return {"finished": sorted(dialogues.finished), "done": sorted(dialogues.done), "tickets": of.tickets}


def checkpoint(home: Folder, step: int, *, killed_between: bool) -> None:
    """What DeepSpeed leaves: a folder per step and ``latest``, first the actor's, then the critic's."""
    for half in ("_actor", "_critic"):
        folder = home.path / "checkpoints" / half
        (folder / f"global_step{step}").mkdir(parents=True, exist_ok=True)
        (folder / "latest").write_text(f"global_step{step}")
        if killed_between and half == "_actor":
            os.kill(os.getpid(), signal.SIGKILL)


def main(root: Path, kills: list[int]) -> None:
    """For each kill: one run that dies and one that resumes; prints what the second one ended with."""
    of = setting()
    of.dev, of.rewards, of.tickets  # noqa: B018 - built here, once, and not in every child
    for kill_at in kills:
        home = Folder(root / str(kill_at))
        for name, at in (("killed", kill_at), ("resumed", None)):
            if (child := os.fork()) == 0:
                result = asyncio.run(loop(home, of, at))
                (home.path / "result.json").write_text(json.dumps(result))
                os._exit(0)
            _, status = os.waitpid(child, 0)
            (home.path / name).write_text(str(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(word) for word in sys.argv[2:]])
