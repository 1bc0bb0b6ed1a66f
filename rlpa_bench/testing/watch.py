"""What a component does besides answering: network, sleeping and computing on the event loop, prints, global state."""

from __future__ import annotations

import asyncio
import io
import os
import random
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from rlpa_bench.guard import Stepped

CANARY = "sk-canary-4f1d9a7c2b8e"
"""Stands in the environment as every well-known key while a component is exercised."""
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "DEEPSEEK_API_KEY", "HF_TOKEN", "RLPA_BENCH_TEST_SECRET")
CPU_LIMIT = 1.0
"""Seconds of computing between two awaits above which the event loop counts as blocked."""
WALL_LIMIT = 5.0
"""The same by the clock, for what waits without computing; larger, since a busy machine makes everybody wait."""

_CONNECTS = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")
_MEMORY = ("gc.get_objects", "gc.get_referrers", "gc.get_referents")


class RefusedConnectionError(ConnectionRefusedError):
    """No network while a component is exercised."""


@dataclass
class Seen:
    """What was seen while a component was exercised."""

    hosts: Collection[str] = ()
    """Hosts that it may contact."""
    network: list[str] = field(default_factory=list)
    """Hosts that it tried to contact all the same."""
    memory_walks: list[str] = field(default_factory=list)
    blocking: list[str] = field(default_factory=list)
    printed: str = ""
    randomness: bool = False
    """Whether the global generators of ``random`` or numpy moved."""
    changed: list[str] = field(default_factory=list)
    """Other global state that changed: environment, working directory."""


_active: Seen | None = None
_hooked = False


def _audit(event: str, args: tuple[Any, ...]) -> None:
    seen = _active
    if seen is None:
        return
    if event in _CONNECTS:
        host = _host(event, args)
        if host and host not in seen.hosts:
            seen.network.append(host)
            raise RefusedConnectionError(f"no network here, but {host} was to be contacted")
    elif event in _MEMORY:
        seen.memory_walks.append(event)


def _host(event: str, args: tuple[Any, ...]) -> str:
    """Whom an event is about; empty for sockets of this machine's file system."""
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        return str(address[0]) if isinstance(address, tuple) else ""
    host = args[0]
    return host.decode() if isinstance(host, bytes) else str(host or "")


class _Timed(Stepped):
    """Steps of a coroutine, timed in the loop's own thread."""

    def __init__(self, work: Any, seen: Seen, what: str) -> None:
        super().__init__(work)
        self._seen = seen
        self._what = what

    def enter(self) -> None:
        self._cpu, self._wall = time.thread_time(), time.perf_counter()

    def leave(self) -> None:
        cpu, wall = time.thread_time() - self._cpu, time.perf_counter() - self._wall
        if cpu > CPU_LIMIT:
            self._seen.blocking.append(f"{self._what} computes for {cpu:.1f} s without an await")
        elif wall > WALL_LIMIT:
            self._seen.blocking.append(f"{self._what} waits for {wall:.1f} s without an await")


async def timed(seen: Seen, what: str, method: Any, *args: Any) -> Any:
    """Awaits ``method(*args)`` and notes stretches that block the event loop."""

    async def call() -> Any:
        return await method(*args)

    return await _Timed(call(), seen, what)


@contextmanager
def watched(*, hosts: Collection[str] = (), seed: int = 0, hasty: bool = True) -> Iterator[Seen]:
    """Watches everything done inside; network is refused but to ``hosts``.

    Args:
        seed: of the global generators, so that what draws from them differs between two watches.
        hasty: whether ``asyncio.sleep`` returns at once, so that retries with pauses are not waited for.
    """
    global _active, _hooked
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked = True
    seen, output = Seen(hosts), io.StringIO()
    folder, before = Path.cwd(), _generators()
    _seed(seed)
    seeded = _generators()
    _active = seen
    try:
        with (
            mock.patch.dict(os.environ, dict.fromkeys(KEYS, CANARY)),
            mock.patch.object(time, "sleep", _sleep(seen, time.sleep)),
            mock.patch.object(asyncio, "sleep", _hurry(asyncio.sleep) if hasty else asyncio.sleep),
            redirect_stdout(output),
            redirect_stderr(output),
        ):
            environment = dict(os.environ)
            yield seen
            seen.changed += sorted(k for k in {*environment, *os.environ} if environment.get(k) != os.environ.get(k))
    finally:
        _active = None
        seen.printed = output.getvalue()
        now = _generators()
        if seeded[1] is None:  # numpy was imported meanwhile: its generator has no state from before to compare
            now = (now[0], None)
        seen.randomness = repr(now) != repr(seeded)
        _restore(before)
        if Path.cwd() != folder:
            seen.changed.append("working directory")
            os.chdir(folder)


def _sleep(seen: Seen, real: Any) -> Any:
    def sleep(seconds: float) -> None:
        if asyncio._get_running_loop() is None:
            real(seconds)
        else:
            seen.blocking.append(f"time.sleep({seconds:g}) on the event loop; await asyncio.sleep instead")

    return sleep


def _hurry(real: Any) -> Any:
    async def sleep(delay: float, result: Any = None) -> Any:
        return await real(0, result)

    return sleep


def _generators() -> tuple[Any, Any]:
    numpy = sys.modules.get("numpy")
    return random.getstate(), numpy.random.get_state(legacy=False) if numpy else None


def _seed(seed: int) -> None:
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)


def _restore(state: tuple[Any, Any]) -> None:
    random.setstate(state[0])
    if state[1] is not None:
        sys.modules["numpy"].random.set_state(state[1])
