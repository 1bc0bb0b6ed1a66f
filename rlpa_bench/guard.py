"""Foreign code under guard: whatever a plugin raises is an ordinary error, and what never returns is interrupted.

A plugin runs in our process and on our event loop. ``guarded`` awaits one of its methods: ``sys.exit``, a
cancellation that nobody asked for and a call without end become a BoundaryError that names the plugin. ``guarding``
does the same for plain calls, with a PluginError. A stretch that blocks the event loop is interrupted by a signal
from a watching thread; that works in the main thread only, elsewhere the thread can but say who blocks.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from traceback import extract_tb
from types import FrameType
from typing import Any, TypeVar

from rlpa_bench.errors import BoundaryError, PluginError, RlpaBenchError

T = TypeVar("T")

PATIENCE = 1800.0
"""Seconds for one stretch that blocks; ``RLPA_BENCH_PATIENCE`` sets another number."""
CALLS = 8
"""A call may wait for so many times that long: it may consist of several model calls with their retries."""
STUBBORN = 5
"""Interruptions after which a plugin that swallows them ends the process."""
SIGNAL = signal.SIGVTALRM


class Interrupted(BaseException):
    """Raised inside a blocking plugin; no Exception, so that its own handlers let it through."""


_steps: list[tuple[str, float, bool]] = []
"""Who is running right now, since when, and whether in the main thread; the innermost last."""


def patience() -> float:
    """Seconds that a plugin may block. Raises PluginError for a setting that is no number."""
    given = os.environ.get("RLPA_BENCH_PATIENCE", "")
    try:
        return float(given) if given else PATIENCE
    except ValueError:
        raise PluginError(f"RLPA_BENCH_PATIENCE is {given!r}; give a number of seconds") from None


async def guarded(who: str, method: Callable[..., Awaitable[T]], *args: Any, unhurried: bool = False) -> T:
    """Awaits ``method(*args)`` of a plugin.

    Args:
        who: kind and name, for messages: ``judge 'rules'``.
        unhurried: whether it may take for ever, since a person answers.

    Raises:
        BoundaryError: if it exits, cancels itself, or does not come to an end; else what it raises itself.
    """
    import asyncio  # here, since listing plugins needs this module and no event loop

    work = _Watched(who, _awaited(method, *args))
    try:
        if work.begin():  # most calls wait for nothing, and a timer is dear
            answer: T = work.answer
            return answer
        async with asyncio.timeout(None if unhurried else patience() * CALLS) as clock:
            rest: T = await work
            return rest
    except TimeoutError:
        if not (work.waited and clock.expired()):
            raise
        raise BoundaryError(f"{who} gave no answer within {patience() * CALLS:g} s", reason="timeout") from None
    except Interrupted as error:
        raise BoundaryError(str(error), reason="blocked") from None
    except SystemExit as error:
        raise BoundaryError(f"{who} called sys.exit({error.code!r})", reason="exit") from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BoundaryError(f"{who} cancelled itself", reason="cancelled") from None


async def _awaited(method: Callable[..., Awaitable[T]], *args: Any) -> T:
    return await method(*args)


class Stepped:
    """A coroutine around each of whose stretches between two awaits something is done."""

    answer: Any = None
    """What it returned, once it has."""
    waited = False
    """Whether it did not come to its end in the first stretch."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self._waits_for: Any = None

    def enter(self) -> None:
        """Before a stretch."""

    def leave(self) -> None:
        """After it, however it ended."""

    def begin(self) -> bool:
        """The first stretch; whether that was all. If not, await the rest."""
        self.waited = not self._stretch(partial(self._work.send, None))
        return not self.waited

    def _stretch(self, resume: Callable[[], Any]) -> bool:
        self.enter()
        try:
            self._waits_for = resume()
        except StopIteration as done:
            self.answer = done.value
            return True
        finally:
            self.leave()
        return False

    def __await__(self) -> Generator[Any, Any, Any]:
        ended = not self.waited and self.begin()
        while not ended:
            try:
                given = yield self._waits_for
            except BaseException as error:
                ended = self._stretch(partial(self._work.throw, error))
            else:
                ended = self._stretch(partial(self._work.send, given))
        return self.answer


class _Watched(Stepped):
    """A coroutine whose stretches are interrupted when they last too long."""

    def __init__(self, who: str, work: Coroutine[Any, Any, Any]) -> None:
        super().__init__(work)
        self._who = who

    def enter(self) -> None:
        _watch(self._who)

    def leave(self) -> None:
        _steps.pop()


@contextmanager
def guarding(who: str) -> Iterator[None]:
    """Around a plain call of a plugin.

    Raises:
        PluginError: naming ``who``, for whatever is no error of our own; a KeyboardInterrupt goes through.
    """
    _watch(who)
    try:
        yield
    except (RlpaBenchError, KeyboardInterrupt, GeneratorExit):
        raise
    except SystemExit as error:
        raise PluginError(f"{who} called sys.exit({error.code!r})") from None
    except Interrupted as error:
        raise PluginError(str(error)) from None
    except BaseException as error:  # anybody's code may raise anything
        raise PluginError(f"{who} failed: {describe(error)}") from error
    finally:
        _steps.pop()


def describe(error: BaseException) -> str:
    """Type, message and place of an error, in one line."""
    place = extract_tb(error.__traceback__)[-1:]
    where = f" ({place[0].filename.rpartition(os.sep)[2]}:{place[0].lineno})" if place else ""
    return " ".join(f"{type(error).__name__}: {error}".split()) + where


def _watch(who: str) -> None:
    main = threading.current_thread() is threading.main_thread()
    _steps.append((who, monotonic(), main))
    if not _Watcher.running:
        _Watcher.running = True
        _Watcher(name="rlpa-bench plugin guard", daemon=True).start()
    if main and not _Watcher.armed:
        signal.signal(SIGNAL, _interrupt)
        _Watcher.armed = True


class _Watcher(threading.Thread):
    """Looks now and then whether the same stretch is still running."""

    running = False
    armed = False
    """Whether the main thread listens to the signal."""

    def run(self) -> None:
        try:
            self._look()
        finally:
            _Watcher.running = False

    def _look(self) -> None:
        pause = threading.Event()
        seen, times = None, 0
        while not pause.wait(min(1.0, patience() / 4)):
            _Watcher.armed = signal.getsignal(SIGNAL) is _interrupt
            if step := _overdue():
                times = times + 1 if step == seen else 1
                seen = step
                _end(*step, times)


os.register_at_fork(after_in_child=partial(setattr, _Watcher, "running", False))  # threads do not survive a fork


def _end(who: str, since: float, main: bool, times: int) -> None:
    if main and times <= STUBBORN:
        if _Watcher.armed:  # else the signal would end the process
            signal.pthread_kill(threading.main_thread().ident or 0, SIGNAL)
    elif main:
        print(f"rlpa-bench: {_sentence(who)} and cannot be interrupted; resume without it", file=sys.stderr, flush=True)
        os._exit(1)
    elif times == 1:
        print(f"rlpa-bench: {_sentence(who)}; stop the run and resume without it", file=sys.stderr, flush=True)


def _overdue() -> tuple[str, float, bool] | None:
    step = _steps[-1] if _steps else None
    return step if step and monotonic() - step[1] > patience() else None


def _interrupt(_: int, frame: FrameType | None) -> None:
    if frame and frame.f_code.co_filename == __file__:
        return  # a plugin has just come or gone, and the list of steps must stay true; the watcher tries again
    if step := _overdue():
        raise Interrupted(_sentence(step[0]))


def _sentence(who: str) -> str:
    return f"{who} has blocked everything for {patience():g} s"
