"""Async work from synchronous callers."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]


def blocking(work: Work[T]) -> T:
    """Runs async work to its end, also where an event loop already runs (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _unwrapped(work)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_unwrapped, work).result()


def _unwrapped(work: Work[T]) -> T:
    """The workers' first error instead of the group that the event loop makes of them."""
    try:
        with _seldom_collecting():
            return asyncio.run(work())
    except BaseExceptionGroup as group:
        raise first_of(group) from None


def first_of(error: BaseException) -> BaseException:
    """The error itself, or the first one in a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """A thousand dialogues in flight make each garbage collection dear, and little here is cyclic."""
    usual = gc.get_threshold()
    gc.set_threshold(100 * usual[0], *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
