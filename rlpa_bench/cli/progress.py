"""Live progress: a line that renews itself on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import threading
from time import monotonic
from types import TracebackType

from rlpa_bench.pipeline import Live

TERMINAL_EVERY = 0.5
PLAIN_EVERY = 5.0


class Display:
    """Prints the counts of a run to standard error from a thread of its own, so that nothing waits for it."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._began = monotonic()
        self._stop = threading.Event()
        self._terminal = sys.stderr.isatty()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self) -> Display:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._live:
            self._print(last=True)

    def watch(self, live: Live) -> None:
        """Takes the counts to show; given to :func:`rlpa_bench.run`."""
        self._live, self._began = live, monotonic()
        print(f"run directory: {live.path}", file=sys.stderr)

    def _loop(self) -> None:
        every = TERMINAL_EVERY if self._terminal else PLAIN_EVERY
        while not self._stop.wait(every):
            if self._live:
                self._print()

    def _print(self, *, last: bool = False) -> None:
        assert self._live is not None
        line = describe(self._live, monotonic() - self._began)
        if self._terminal:
            print(f"\r\x1b[K{line}", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def describe(live: Live, elapsed: float) -> str:
    """The counts in one line."""
    tally, counters = live.tally, live.counters
    done = tally.dialogues + tally.resumed
    elapsed = max(elapsed, 1e-9)
    parts = [f"{done}/{tally.planned} dialogues", f"{tally.turns / elapsed:.1f} turns/s"]
    if written := sum(dict(counters.completion_tokens).values()) - live.written_before:
        parts.append(f"{written / elapsed:.0f} tokens/s")
    left = tally.seconds_left(elapsed)
    if left is not None:
        parts.append(f"about {_duration(left)} left")
    parts += [f"{n} failed ({kind})" for kind, n in tally.failures.items()]
    parts += [f"waiting on {label} ({n})" for label, n in dict(counters.waiting).items() if n]
    if counters.cost:
        parts.append(f"{counters.cost:.2f} US dollars")
    if unpriced := sum(dict(counters.unpriced).values()):
        parts.append(f"{unpriced} calls unpriced")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
