"""Telling observers of a run: a queue and a thread for each plugin, so that none can stop, change or slow the run.

The run only ever appends to a queue; events are the observer's own copies. What does not get through is said when the
run ends, with the reasons: events that came while ``LIMIT`` others waited, those at which the plugin raised, and those
that it had not taken ``WAIT`` seconds after the run's end. Turns and dialogues that wait are given up after half of
that, so that the results get through before them. The run's start and end are never dropped for want of room.

A thread that computes without pause shares the processor with the run, and one that never returns stays behind until
the process ends; neither can be helped in one process.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from time import monotonic
from typing import Any

from pluggy import HookImpl

from rlpa_bench.transcripts import plain
from rlpa_bench.types import Dialogue, Turn

START, STOP = "run_start", "run_stop"
WAIT = {"run_end": 60.0, STOP: 10.0}
"""Event that ends a run -> seconds that it waits for its observers, all together."""
EVENTS = (START, "turn_end", "dialogue_end", *WAIT)
LIMIT = 10_000
"""Events that may wait for an observer."""
NOTICED = 2.0
"""Seconds after which the wait is said."""
PAUSE = 0.05
"""Seconds between two looks into a queue; waking a thread for each event would cost the run ten times as much."""


class Observer:
    """One plugin's hooks for one run, called one after another in a thread of their own."""

    def __init__(self, origin: tuple[str, str, str], hooks: Mapping[str, HookImpl]) -> None:
        self.origin = origin
        self.lost: Counter[str] = Counter()
        """Why -> events that did not get through."""
        self._hooks = hooks
        self._given = self._done = 0
        self._first: dict[str, str] = {}
        """Kind of a failure -> its first message."""
        self._queue: deque[tuple[str, tuple[Any, ...]] | None] = deque()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._over = threading.Event()
        threading.Thread(target=self._work, name=f"rlpa-bench observer {origin[0]}", daemon=True).start()

    def put(self, event: str, facts: Mapping[str, Any]) -> None:
        """Hands an event over without waiting."""
        if hook := self._hooks.get(event):
            self._given += 1
            if event in (START, *WAIT) or len(self._queue) < LIMIT:
                self._queue.append((event, tuple(_own(facts[name]) for name in hook.argnames)))
            else:
                self.lost[f"more than {LIMIT} events were waiting"] += 1
        if event in WAIT:
            self._queue.append(None)
            self._wake.set()

    def over(self, until: float) -> bool:
        """Waits until ``monotonic()`` is ``until``; whether the plugin has taken everything."""
        return self._over.wait(max(0.0, until - monotonic()))

    def hurry(self) -> None:
        """From now on it passes over turns and dialogues."""
        self._hurry.set()

    def losses(self, until: float) -> str:
        """Waits likewise; says what did not get through, in one sentence."""
        if not self.over(until):
            late = self._given - self._done - sum(dict(self.lost).values())
            self.lost["not taken in time after the run's end"] += late
        lost = Counter(dict(self.lost))  # the thread may still be adding
        reasons = [f"{count} ({self._first.get(why, why)})" for why, count in lost.most_common(3)]
        return f"{lost.total()} of {self._given} events lost: {'; '.join(reasons)}" if reasons else ""

    def _work(self) -> None:
        while not self._over.is_set():
            self._wake.wait(PAUSE)
            while self._queue:
                if item := self._queue.popleft():
                    self._take(*item)
                else:
                    self._over.set()

    def _take(self, event: str, facts: tuple[Any, ...]) -> None:
        if self._hurry.is_set() and event not in (START, *WAIT):
            self.lost["still waiting at the run's end"] += 1
            return
        try:
            self._hooks[event].function(*facts)
            self._done += 1
        except BaseException as error:  # anybody's code, in a thread of its own; SystemExit too
            why = f"{event} raised {type(error).__name__}"
            self._first.setdefault(why, f"{why}: {' '.join(str(error).split())}")
            self.lost[why] += 1


def losses(observers: Sequence[Observer], event: str) -> Iterator[tuple[Observer, str]]:
    """Waits for all of them after the event that ended their run; those that lost something, and what."""
    begun, wait = monotonic(), WAIT[event]
    if slow := [observer for observer in observers if not observer.over(begun + NOTICED)]:
        names = ", ".join(observer.origin[0] for observer in slow)
        print(f"rlpa-bench: the run is over; up to {wait:g} s are given to what observes it ({names})", file=sys.stderr)
    for observer in slow:
        if not observer.over(begun + wait / 2):
            observer.hurry()
    for observer in observers:
        if lost := observer.losses(begun + wait):
            yield observer, lost


def _own(fact: Any) -> Any:
    """The fact for an observer alone: what is mutable in it is a copy."""
    if isinstance(fact, Turn):
        user = replace(fact.user, state=plain(fact.user.state))
        return replace(fact, user=user, output=replace(fact.output, memory=plain(fact.output.memory)))
    if isinstance(fact, Dialogue):
        return replace(fact, turns=tuple(map(_own, fact.turns)))
    return deepcopy(fact) if isinstance(fact, Mapping) else fact
