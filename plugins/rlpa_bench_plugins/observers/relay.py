"""Between a run and its loggers: a queue and a thread each, so that no logger can stop, change or slow a run.

The run only ever appends to a queue. What is dropped, and said on standard error when the run ends:

- turns and dialogues that come while ``LIMIT`` events wait (the logger is slower than the run),
- whatever makes the logger raise,
- turns and dialogues still waiting when half of ``WAIT`` has passed since the end of the run, so that the results get
  through before them; and the results too if the logger has not taken them when all of it has passed.

The run's start and end are never dropped for want of room. An interrupted run ends when the process does.
"""

from __future__ import annotations

import atexit
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any, Protocol

from rlpa_bench.types import Dialogue, Turn

LIMIT = 10_000
"""Events that may wait for a logger."""
WAIT = 60.0
"""Seconds the end of a run waits for each logger at most."""


class Logger(Protocol):
    """Writes a run down somewhere. Its methods are called one after another, in a thread of its own; they may block."""

    def start(self, run: Mapping[str, Any]) -> None:
        """A run begins; ``run`` is the content of run.json."""

    def turn(self, candidate: str, case: str, seed: int, turn: Turn) -> None:
        """A turn was played."""

    def dialogue(self, dialogue: Dialogue) -> None:
        """A dialogue has ended and was judged."""

    def end(self, summary: Mapping[str, Any] | None) -> None:
        """The run is over; ``summary`` is the content of summary.json, or None if it was interrupted."""


class Relay:
    """One logger's queue and thread."""

    def __init__(self, name: str, make: Callable[[], Logger], *, limit: int = LIMIT, wait: float = WAIT) -> None:
        self.name = name
        self.lost: Counter[str] = Counter()
        """Why -> events that did not get through."""
        self.passed = 0
        self._given = 2  # the start and the end
        self._make = make
        self._limit = limit
        self._wait = wait
        self._queue: SimpleQueue[tuple[str, tuple[Any, ...]]] = SimpleQueue()
        self._hurry = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"rlpa-bench {name}", daemon=True)

    def open(self, run: Mapping[str, Any]) -> None:
        self._queue.put(("start", (run,)))
        self._thread.start()
        atexit.register(self.close, None)

    def put(self, event: str, *facts: Any) -> None:
        """Hands an event over without waiting."""
        self._given += 1
        if self._queue.qsize() < self._limit:
            self._queue.put((event, facts))
        else:
            self.lost[f"more than {self._limit} events were waiting"] += 1

    def close(self, summary: Mapping[str, Any] | None) -> str:
        """Waits, a bounded time, until the logger has taken everything; says what it has not, in one sentence."""
        atexit.unregister(self.close)
        self._queue.put(("end", (summary,)))
        if not self._over.wait(self._wait / 2):
            self._hurry.set()
            if not self._over.wait(self._wait / 2):
                late = self._given - self.passed - self.lost.total()
                self.lost[f"not taken within {self._wait:g} s of the end"] += late
        return self._report()

    def _work(self) -> None:
        logger: Logger | None = None
        event = ""
        while event != "end":
            event, facts = self._queue.get()
            if self._hurry.is_set() and event not in ("start", "end"):
                self.lost["still waiting at the end"] += 1
                continue
            try:
                if event == "start":
                    logger = self._make()
                if logger is None:
                    self.lost["it did not start"] += 1
                    continue
                getattr(logger, event)(*facts)
                self.passed += 1
            except BaseException as error:  # anybody's package, in a thread of its own; SystemExit too
                logger = None if event == "start" else logger
                self.lost[f"{type(error).__name__}: {' '.join(str(error).split())}"] += 1
        self._over.set()

    def _report(self) -> str:
        if not self.lost:
            return ""
        reasons = "; ".join(f"{count} ({why})" for why, count in self.lost.most_common(3))
        return f"logger {self.name!r}: {self.lost.total()} of {self.passed + self.lost.total()} events lost: {reasons}"


class Desk(threading.local):
    """The relays of the run that this thread plays; runs in other threads have their own."""

    def __init__(self) -> None:
        self._relays: list[Relay] = []

    def open(self, run: Mapping[str, Any], loggers: Mapping[str, Callable[[], Logger]]) -> None:
        """Begins to log a run; one that was begun before and never ended was interrupted."""
        self.close(None)
        for name, make in loggers.items():
            relay = Relay(name, make)
            relay.open(run)
            self._relays.append(relay)

    def put(self, event: str, *facts: Any) -> None:
        for relay in self._relays:
            relay.put(event, *facts)

    def close(self, summary: Mapping[str, Any] | None) -> None:
        relays, self._relays = self._relays, []
        for relay in relays:
            if said := relay.close(summary):
                print(f"rlpa-bench: {said}", file=sys.stderr)
