"""How many calls an endpoint gets at once: fewer when it asks for less, slowly more again when it is well."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType


class Throttle:
    """A semaphore whose limit is halved when the endpoint is overloaded and grows by one per round of successes.

    Additive increase, multiplicative decrease: a burst of refusals that were all sent under one limit counts once.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = most
        self._busy = 0
        self._good = 0
        self._cut = False
        """Whether nothing has succeeded since the last cut."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        while self._busy >= self.limit:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()
                raise
        self._busy += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._busy -= 1
        self._wake()

    def _wake(self) -> None:
        free = self.limit - self._busy
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1

    def succeeded(self) -> None:
        self._cut = False
        self._good += 1
        if self.limit < self.most and self._good >= self.limit:
            self.limit += 1
            self._good = 0
            self._wake()

    def overloaded(self) -> None:
        self._good = 0
        if not self._cut:
            self._cut = True
            self.limit = max(1, self.limit // 2)
