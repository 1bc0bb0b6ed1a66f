"""The agent executor inside OpenRLHF: one instance in each vLLM engine, one dialogue store for all of them.

Ray and vLLM are imported here only, inside functions, when OpenRLHF has loaded the ``agent.py`` of a training folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from reference_trainer.executor import Policy, Sample, TrajectoryPlayer, TurnPlayer
from reference_trainer.folder import Folder, store
from reference_trainer.setting import Setting
from reference_trainer.store import Candidate, DialogueStore, Job

NAME = "rlpa-bench-dialogues"
SPARE = 64
"""Calls to the store beyond those that may wait for a turn, so that hand-ins never queue behind takers."""


class StoreActor:
    """The dialogue store in a process of its own. An asyncio actor: waiting takers block nobody."""

    def __init__(self, folder: str) -> None:
        home = Folder(Path(folder))
        self._setting, self._home = Setting(home.recipe), home
        self._store: DialogueStore | None = None

    def _dialogues(self) -> DialogueStore:
        if self._store is None:  # on the event loop that it will live on
            self._store = store(self._setting, self._home)
        return self._store

    async def take(self, ticket: int) -> Job:
        return await self._dialogues().take(ticket)

    async def push(self, job: Job, candidate: Candidate) -> None:
        await self._dialogues().push(job, candidate)


class RemoteStore:
    """The one dialogue store of the run, whichever engine asks first starts it."""

    def __init__(self, folder: str, waiting: int) -> None:
        import ray

        actor = ray.remote(StoreActor)
        self._actor = actor.options(
            name=NAME, get_if_exists=True, num_cpus=0, max_concurrency=2 * waiting + SPARE
        ).remote(folder)

    async def take(self, ticket: int) -> Job:
        job: Job = await self._actor.take.remote(ticket)
        return job

    async def push(self, job: Job, candidate: Candidate) -> None:
        await self._actor.push.remote(job, candidate)


class TicketAgent:
    """What ``agent.py`` makes OpenRLHF's ``AgentExecutor`` of; OpenRLHF calls it without arguments."""

    folder: ClassVar[str]

    def __init__(self) -> None:
        recipe = Folder(Path(self.folder)).recipe
        setting = Setting(recipe, shares=max(1, recipe.hardware.gpus))
        self._limits = setting.limits
        self._player: TurnPlayer | TrajectoryPlayer
        if recipe.credit == "turn":
            waiting = recipe.rollout.batch * recipe.rollout.samples
            self._player = TurnPlayer(RemoteStore(self.folder, waiting), setting.rewards, setting.dev)
        else:
            self._player = TrajectoryPlayer(setting.cases, setting.users, setting.rewards, setting.dev, setting.limits)

    async def execute(
        self,
        prompt: str,
        label: str,
        sampling_params: Any,
        max_length: int,
        hf_tokenizer: Any,
        llm_engine: Any,
        images: Any = None,
    ) -> Sample:
        """See OpenRLHF 0.11.2, ``openrlhf.utils.agent.AgentExecutorBase``."""
        policy = Policy(llm_engine, hf_tokenizer, sampling_params, self._limits)
        return await self._player.execute(prompt, label, policy)
