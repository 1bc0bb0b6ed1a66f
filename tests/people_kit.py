"""Visitors of `rlpa-bench serve-human`: a study in this process or in one of its own, and people with a script."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from rlpa_bench.people import begin
from rlpa_bench.people.flow import PeopleFlow
from rlpa_bench.people.study import Study
from rlpa_bench.people.web import serving
from rlpa_bench.plugins import Plugins
from rlpa_bench.runs import locked

SMALL: dict[str, Any] = {"suite": "training", "model": "scripted", "baseline": "base,echo", "turns": 3, "limit": 2}
"""Two partners x two places x three turns."""


@dataclass
class Held:
    """A study that is being held in this process."""

    study: Study
    address: str
    over: asyncio.Event
    work: asyncio.Task[Any]

    async def complete(self) -> None:
        """Waits until the run is complete, then ends the study."""
        self.over.set()
        await self.work


@asynccontextmanager
async def held(
    out: Path, *, persona: str | None = None, plugins: Sequence[object] = (), retry_errors: bool = False, **config: Any
) -> AsyncIterator[Held]:
    """Serves a study on a free port until the block ends, as if it were interrupted then."""
    begun = begin.from_config({**SMALL, **config}, out=out, persona=persona, plugins=plugins)
    ready: asyncio.Future[tuple[Study, str, asyncio.Event]] = asyncio.get_running_loop().create_future()
    addresses: list[str] = []

    @asynccontextmanager
    async def front(study: Study) -> AsyncIterator[asyncio.Event]:
        async with serving(study, "127.0.0.1", 0, addresses.append) as over:
            ready.set_result((study, addresses[0].rstrip("/"), over))
            yield over

    from dataclasses import replace

    limits = replace(begun.limits, retry_errors=retry_errors)
    with locked(out):
        flow = PeopleFlow(begun.request, limits, out, Plugins(plugins), begun.terms, front)
        work = asyncio.create_task(flow.run())
        await asyncio.wait({work, ready}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        try:
            yield Held(*ready.result(), work)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


class Visitor:
    """A person with a browser of their own, who follows a script."""

    def __init__(self, address: str, name: str = "somebody", *, code: str = "") -> None:
        self.address, self.name, self.code = address, name, code
        self.state: dict[str, Any] = {}
        self.seen: list[str] = []
        """Every answer of the server, as text."""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(240))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def ask(self, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """Status and content of an answer."""
        headers = {"Authorization": f"Bearer {self.code}"} if self.code else {}
        headers |= more.pop("headers", {})
        method = "GET" if body is None else "POST"
        address = f"{self.address}{path}"
        async with self._http.request(method, address, json=body, headers=headers, **more) as answer:
            self.seen.append(await answer.text())
            return answer.status, await answer.json()

    async def act(self, name: str, **body: Any) -> dict[str, Any]:
        status, answer = await self.ask(f"/api/{name}", body)
        assert status == 200, (name, body, status, answer)
        self.state = answer
        return self.state

    async def look(self, *, news: bool = False) -> dict[str, Any]:
        status, answer = await self.ask(f"/api/state?since={self.state['version']}" if news else "/api/state")
        assert status == 200, answer
        self.state = answer
        return self.state

    async def join(self, publish: bool = True, **more: Any) -> None:
        self.code = (await self.act("join", agreed=True, publish=publish, **more))["code"]

    def words(self) -> str:
        """What the person says next: their name, the turn, and something of the card."""
        card = self.state["card"]
        fact = card[self.state["turn"] % len(card)] if card else {"slot": "Age", "value": "44"}
        return f"{self.name} to {self.state['partner']}: my {fact['slot'].lower()} is {fact['value']}."

    async def step(self) -> None:
        """Whatever comes next."""
        state = self.state
        if state["phase"] == "wait":
            await self.look(news=True)
        elif not state["rated"]:
            await self.act("rate", turn=state["turn"], rating=1 + (len(self.name) + state["turn"]) % 5)
        elif state["phase"] == "chat":
            await self.act("say", text=self.words())
        else:
            answers = ["right", "wrong", "unsure"]
            items = [{"answer": answers[i % 3], "correction": ""} for i in range(len(state["profile"]))]
            await self.act("confirm", items=items, missing=f"{self.name} missed something")

    async def until(self, reached: Callable[[dict[str, Any]], bool]) -> None:
        while not reached(self.state):
            await self.step()

    async def visit(self) -> None:
        """The whole visit, from consent to the last partner."""
        await self.join()
        await self.until(lambda state: state["phase"] == "done")


async def all_visit(address: str, names: Sequence[str]) -> list[Visitor]:
    """All of them at once."""

    async def one(name: str) -> Visitor:
        async with Visitor(address, name) as visitor:
            await visitor.visit()
            return visitor

    return await asyncio.gather(*map(one, names))


async def eventually(holds: Callable[[], bool]) -> None:
    """Waits until something holds."""
    for _ in range(10_000):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came")


class Server:
    """`rlpa-bench serve-human` in a process of its own."""

    def __init__(self, *arguments: str, port: str = "0") -> None:
        command = [sys.executable, "-m", "rlpa_bench", "serve-human", *arguments, "--port", port]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "http://" in line, (line, self.process.stderr.read() if self.process.stderr else "")
        self.address = line.split("http://")[1].split()[0].join(("http://", "")).rstrip("/")

    def kill(self) -> None:
        """As a power cut would."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def stop(self) -> tuple[int, str, str]:
        """Exit code, output and messages after Ctrl+C."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=240)
        return self.process.returncode, out, err

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill()


def toml(path: Path, **settings: Any) -> Path:
    """A configuration file."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in {**SMALL, **settings}.items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
