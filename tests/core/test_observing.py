"""Between a run and those who observe it: whatever they do, the run is neither changed nor held up nor stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from toyruns import files, play
from toys import Counter, Plugin, ToySimulator

import rlpa_bench
from rlpa_bench import hookimpl, observing
from rlpa_bench.errors import RunDirectoryError
from rlpa_bench.plugins import Plugins
from rlpa_bench.recompute import rescore
from rlpa_bench.runner.batch import RunStoppedError
from rlpa_bench.types import Output, State, Utterance, View


class Recorder:
    """Writes down what it is told; waits for ``gate`` before every event, and fails at those it is told to."""

    def __init__(self, gate: threading.Event | None = None, fails: Mapping[str, BaseException] = {}) -> None:
        self.events: list[tuple[str, Any]] = []
        self.threads: set[int] = set()
        self.gate = gate
        self.fails = fails

    def _take(self, event: str, fact: Any) -> None:
        if self.gate:
            self.gate.wait()
        if event in self.fails:
            raise self.fails[event]
        self.threads.add(threading.get_ident())
        self.events.append((event, fact))

    @hookimpl
    def rlpa_bench_run_start(self, run: Mapping[str, Any]) -> None:
        self._take("start", run)

    @hookimpl
    def rlpa_bench_turn_end(self, candidate: str, case: str, seed: int, turn: Any) -> None:
        self._take("turn", (candidate, case, seed, turn))

    @hookimpl
    def rlpa_bench_dialogue_end(self, dialogue: Any) -> None:
        self._take("dialogue", dialogue)

    @hookimpl
    def rlpa_bench_run_end(self, summary: Any) -> None:
        self._take("end", summary)

    @hookimpl
    def rlpa_bench_run_stop(self, reason: str) -> None:
        self._take("stop", reason)

    def count(self, event: str) -> int:
        return [name for name, _ in self.events].count(event)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a run waits for 0.2 s."""
    monkeypatch.setattr(observing, "WAIT", {"run_end": 0.2, "run_stop": 0.2})
    monkeypatch.setattr(observing, "NOTICED", 0.1)


told_of = observing.Observer.losses


def told(recorder: Recorder, dialogues: int = 3) -> list[str]:
    """Tells it of a run without turns; what it lost."""
    plugins = Plugins([recorder], entry_point_group=None)
    plugins.notify("run_start", run={"suite": "toy"})
    for i in range(dialogues):
        plugins.notify("dialogue_end", dialogue=i)
    plugins.notify("run_end", summary={"rows": {}})
    return [problem.message for problem in plugins.problems]


def test_a_run_is_told_in_order_in_one_thread_and_its_files_are_the_same(whole: rlpa_bench.Run, out: Path) -> None:
    recorder = Recorder()
    run = play(out, watchers=[recorder])
    assert [recorder.count(event) for event in ("start", "turn", "dialogue", "end", "stop")] == [1, 120, 24, 1, 0]
    assert recorder.events[0][0] == "start" and recorder.events[0][1]["suite"] == "toy"
    assert recorder.events[-1] == ("end", run.summary)
    assert len(recorder.threads) == 1 and threading.get_ident() not in recorder.threads
    told_of = {(d.candidate, d.case, d.seed): d for event, d in recorder.events if event == "dialogue"}
    turns = {(c, case, seed, turn.index): turn for event, fact in recorder.events if event == "turn"
             for c, case, seed, turn in [fact]}  # fmt: skip
    for dialogue in run.dialogues():
        key = (dialogue.candidate, dialogue.case, dialogue.seed)
        assert [turn.output.raw for turn in told_of[key].turns] == [turn.output.raw for turn in dialogue.turns]
        assert all(turns[(*key, turn.index)].response == turn.response for turn in dialogue.turns)
    assert files(out) == files(whole.path) and run.info["problems"] == []


def test_an_observer_that_never_answers_is_left_behind_and_what_is_lost_is_said(
    whole: rlpa_bench.Run, out: Path, hasty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = threading.Event()
    stuck, careful = Recorder(gate), Recorder()
    try:
        run = play(out, watchers=[stuck, careful])
    finally:
        gate.set()
    assert files(out) == files(whole.path)
    (problem,) = run.info["problems"]
    assert problem == (
        "plugin 'Recorder' of this process: 146 of 146 events lost: 146 (not taken in time after the run's end)"
    )
    assert capsys.readouterr().err == (
        "rlpa-bench: the run is over; up to 0.2 s are given to what observes it (Recorder)\n"
    )
    assert careful.count("turn") == 120 and careful.count("end") == 1, "nobody waits for another's observer"


def test_the_result_goes_before_the_turns_that_still_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "WAIT", {"run_end": 1.0})
    monkeypatch.setattr(observing, "NOTICED", 0.0)
    gate = threading.Event()
    recorder = Recorder(gate)
    monkeypatch.setattr(observing.Observer, "losses", lambda self, until: gate.set() or told_of(self, until + 20))
    (said,) = told(recorder, dialogues=50)
    assert recorder.events[-1][0] == "end" and len(recorder.events) < 50
    assert "(still waiting at the run's end)" in said


def test_a_queue_that_is_full_drops_dialogues_and_never_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "LIMIT", 10)
    gate = threading.Event()
    recorder = Recorder(gate)
    threading.Timer(0.2, gate.set).start()
    (said,) = told(recorder, dialogues=100)
    got = [event for event, _ in recorder.events]
    assert got[0] == "start" and got[-1] == "end" and 8 <= got.count("dialogue") <= 11
    assert f"{100 - got.count('dialogue')} (more than 10 events were waiting)" in said


@pytest.mark.parametrize("error", [RuntimeError("no\nnetwork"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
@pytest.mark.parametrize("event", ["start", "turn", "dialogue", "end"])
def test_an_observer_that_raises_is_told_of_and_goes_on(
    whole: rlpa_bench.Run, out: Path, event: str, error: BaseException
) -> None:
    recorder = Recorder(fails={event: error})
    run = play(out, watchers=[recorder])
    lost = {"start": 1, "turn": 120, "dialogue": 24, "end": 1}[event]
    assert len(recorder.events) == 146 - lost and files(out) == files(whole.path)
    (problem,) = run.info["problems"]
    assert f"{lost} of 146 events lost: {lost} (" in problem and "\n" not in problem
    assert f" raised {type(error).__name__}: {' '.join(str(error).split())}" in problem


class Vandal:
    """Changes whatever it is shown."""

    @hookimpl
    def rlpa_bench_run_start(self, run: dict[str, Any]) -> None:
        run["identity"]["config"].clear()

    @hookimpl
    def rlpa_bench_turn_end(self, turn: Any) -> None:
        (turn.output.memory or {}).clear()
        (turn.user.state or {}).clear()
        object.__setattr__(turn, "response", "vandalised")
        object.__setattr__(turn.output, "raw", "vandalised")

    @hookimpl
    def rlpa_bench_run_end(self, summary: dict[str, Any]) -> None:
        summary.clear()


class Remembering(Counter):
    """Counts in a memory that could be changed from outside."""

    async def respond(self, view: View) -> Output:
        memory = {"turns": (view.memory or {"turns": 0})["turns"] + 1}
        return Output(f"<profile>\n</profile>\n\n<response>\n{memory}?\n</response>", memory=memory)


class Counting(ToySimulator):
    """The same for the user."""

    async def reply(self, state: State) -> Utterance:
        seen = {"turns": (state.turns[-1].user.state or {"turns": 0})["turns"] + 1}
        return Utterance(f"That was {seen}.", state=seen)


def test_an_observer_cannot_change_what_it_is_shown(out: Path, tmp_path: Path) -> None:
    undisturbed = play(tmp_path / "undisturbed", Remembering, Counting)
    run = play(out, Remembering, Counting, watchers=[Vandal()])
    assert files(out) == files(undisturbed.path) and run.info["problems"] == []
    assert run.summary == undisturbed.summary and run.info["identity"] == undisturbed.info["identity"]


def test_observers_of_one_run_see_nothing_of_each_other(out: Path) -> None:
    recorder = Recorder()
    play(out, Remembering, watchers=[Vandal(), recorder, Vandal()])
    assert not any("vandalised" in repr(fact) for _, fact in recorder.events)
    assert recorder.events[0][1]["identity"]["config"] and recorder.events[-1][1]["rows"]


def test_a_run_that_stops_tells_why(out: Path) -> None:
    class Broken(Counter):
        async def respond(self, view: View) -> Output:
            raise ZeroDivisionError("by zero")

    recorder = Recorder()
    with pytest.raises(RunStoppedError) as stopped:
        play(out, Broken, baseline="counter", seeds=6, watchers=[recorder])
    assert recorder.events[-1] == ("stop", str(stopped.value)) and recorder.count("end") == 0


def test_what_fails_before_a_run_begins_is_no_run(tmp_path: Path) -> None:
    recorder = Recorder()
    (tmp_path / "note").write_text("not a run")
    with pytest.raises(RunDirectoryError):
        play(tmp_path, watchers=[recorder])
    assert recorder.events == []


def test_results_made_again_are_told_without_a_start(whole: rlpa_bench.Run, out: Path) -> None:
    recorder = Recorder()
    play(out, limit=1)
    rescore(out, plugins=[Plugin(), recorder])
    assert [event for event, _ in recorder.events] == ["end"]


def test_each_run_of_a_process_has_a_thread_of_its_own(out: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    other = threading.Thread(target=play, args=(tmp_path / "other",), kwargs={"limit": 1, "watchers": [recorder]})
    other.start()
    play(out, limit=1, watchers=[recorder])
    other.join()
    assert len(recorder.threads) == 2 and recorder.count("end") == 2
    deadline = time.monotonic() + 5
    while any(t.name.startswith("rlpa-bench observer Recorder") for t in threading.enumerate()):
        assert time.monotonic() < deadline, "a thread outlives its run"
        time.sleep(0.01)


INTERRUPTED = """
import signal
from pathlib import Path
from toyruns import play
from rlpa_bench import hookimpl

class Stop:
    done = False

    @hookimpl
    def rlpa_bench_dialogue_end(self):
        if not self.done:  # twice would be the end at once
            self.done = True
            signal.raise_signal(signal.SIGINT)

    @hookimpl
    def rlpa_bench_run_stop(self, reason):
        Path("told").write_text(reason)

signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
play(Path("run"), seeds=2000, watchers=[Stop()])
"""


def test_an_interrupted_run_tells_its_observers(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], cwd=tmp_path, env=environment, capture_output=True)
    assert done.returncode == -signal.SIGINT or b"KeyboardInterrupt" in done.stderr
    assert (tmp_path / "told").read_text() == "interrupted"
