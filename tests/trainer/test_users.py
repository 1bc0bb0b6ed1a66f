"""Users that fail are asked again a few times, then training stops; what is wrong with the request stops it at once."""

from __future__ import annotations

import asyncio

import pytest
from toys import ToySimulator, case, reply

from reference_trainer.users import Users
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import ProviderError, SimulatorError, UsageError
from rlpa_bench.options import Options
from rlpa_bench.types import Output, State, Utterance


class Failing(ToySimulator):
    """Fails so many times, then answers."""

    left = 0
    error: type[Exception] = ProviderError

    async def reply(self, state: State) -> Utterance:
        if self.left:
            self.left -= 1
            raise self.error("busy")
        return Utterance("Well.")


def told(left: int, retries: int, error: type[Exception] = ProviderError) -> tuple[str, int]:
    user = Failing(Options(), None)  # type: ignore[arg-type]
    user.left, user.error = left, error

    async def run() -> str:
        users = Users(DialogueEnv(user), retries=retries, wait=0)
        return (await users.advance(await users.start(case(), 0), Output(reply("Hi")))).user.text

    return asyncio.run(run()), user.left


def test_a_user_that_fails_is_asked_again() -> None:
    assert told(left=2, retries=2) == ("Well.", 0)


def test_a_user_that_goes_on_failing_stops_training() -> None:
    with pytest.raises(SimulatorError, match=r"did not answer in 3 tries \(busy\); training stops: mend it and resume"):
        told(left=9, retries=2)


def test_a_wrong_request_is_not_repeated() -> None:
    with pytest.raises(UsageError, match="busy"):
        told(left=1, retries=5, error=UsageError)
