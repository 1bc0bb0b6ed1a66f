"""The simulated users of a training run: asked again a few times where they fail, then the run stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import BoundaryError, SimulatorError
from rlpa_bench.types import Case, Output, State


class Users:
    """``start`` and ``advance`` of an environment with bounded retries.

    Args:
        retries: how often a failed call is repeated.
        wait: seconds before the first retry; doubles each time.
    """

    def __init__(self, env: DialogueEnv, *, retries: int = 4, wait: float = 1.0) -> None:
        self.env = env
        self._retries, self._wait = retries, wait

    async def start(self, case: Case, seed: int) -> State:
        """See :meth:`DialogueEnv.start`. Raises SimulatorError after all retries."""
        return await self._patiently(lambda: self.env.start(case, seed))

    async def advance(self, state: State, output: Output) -> State:
        """See :meth:`DialogueEnv.advance`. Raises SimulatorError after all retries."""
        return await self._patiently(lambda: self.env.advance(state, output))

    async def _patiently(self, ask: Callable[[], Awaitable[State]]) -> State:
        for attempt in range(self._retries + 1):
            try:
                return await ask()
            except BoundaryError as error:
                reason = str(error)
            if attempt < self._retries:
                await asyncio.sleep(self._wait * 2**attempt)
        raise SimulatorError(
            f"the user did not answer in {self._retries + 1} tries ({reason}); training stops: mend it and resume"
        )
