"""The queue between a run and its loggers: whatever a logger does, the run is neither changed nor held up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rlpa_bench_plugins import observers
from rlpa_bench_plugins.observers import loggers, relay
from rlpa_bench_plugins.observers.relay import Relay
from toyruns import files, play


class Recorder:
    """Writes down what it is told; waits for ``gate`` before every event."""

    def __init__(self, gate: threading.Event | None = None, fails: Mapping[str, BaseException] = {}) -> None:
        self.events: list[tuple[str, Any]] = []
        self.gate = gate
        self.fails = fails

    def _take(self, event: str, fact: Any) -> None:
        if self.gate:
            self.gate.wait()
        if event in self.fails:
            raise self.fails[event]
        self.events.append((event, fact))

    def start(self, run: Mapping[str, Any]) -> None:
        self._take("start", run)

    def turn(self, candidate: str, case: str, seed: int, turn: Any) -> None:
        self._take("turn", (candidate, case, seed, turn))

    def dialogue(self, dialogue: Any) -> None:
        self._take("dialogue", dialogue)

    def end(self, summary: Any) -> None:
        self._take("end", summary)


def relayed(recorder: Recorder, turns: int = 3, **settings: Any) -> str:
    queue = Relay("toy", lambda: recorder, **settings)
    queue.open({"suite": "toy"})
    for i in range(turns):
        queue.put("turn", "c", "case", 0, i)
    return queue.close({"rows": {}})


def test_everything_arrives_in_order_in_another_thread() -> None:
    recorder = Recorder()
    assert relayed(recorder) == ""
    assert [event for event, _ in recorder.events] == ["start", "turn", "turn", "turn", "end"]
    assert [fact[3] for event, fact in recorder.events if event == "turn"] == [0, 1, 2]
    assert recorder.events[-1][1] == {"rows": {}}


def test_a_logger_that_never_answers_is_left_behind_and_what_is_lost_is_said() -> None:
    gate = threading.Event()
    try:
        said = relayed(Recorder(gate), turns=5, wait=0.1)
        assert said == "logger 'toy': 7 of 7 events lost: 7 (not taken within 0.1 s of the end)"
    finally:
        gate.set()


def test_the_result_goes_before_the_turns_that_still_wait() -> None:
    gate = threading.Event()
    recorder = Recorder(gate)
    queue = Relay("toy", lambda: recorder, wait=20)
    queue.open({})
    for i in range(50):
        queue.put("turn", "c", "case", 0, i)
    queue._hurry.set()  # what half of the wait does
    threading.Timer(0.05, gate.set).start()
    said = queue.close({"rows": {}})
    assert [event for event, _ in recorder.events][-1] == "end" and len(recorder.events) < 50
    assert "(still waiting at the end)" in said


def test_a_queue_that_is_full_drops_turns_and_never_the_end() -> None:
    gate = threading.Event()
    recorder = Recorder(gate)
    queue = Relay("toy", lambda: recorder, limit=10)
    queue.open({})
    for i in range(100):
        queue.put("turn", "c", "case", 0, i)
    gate.set()
    said = queue.close({"rows": {}})
    got = [event for event, _ in recorder.events]
    assert got[0] == "start" and got[-1] == "end" and 8 <= got.count("turn") <= 11
    assert f"{100 - got.count('turn')} (more than 10 events were waiting)" in said


@pytest.mark.parametrize("error", [RuntimeError("no\nnetwork"), SystemExit(3), KeyboardInterrupt()])
def test_a_logger_that_raises_is_told_of_and_goes_on(error: BaseException) -> None:
    recorder = Recorder(fails={"turn": error})
    said = relayed(recorder)
    assert [event for event, _ in recorder.events] == ["start", "end"]
    assert said.startswith(f"logger 'toy': 3 of 5 events lost: 3 ({type(error).__name__}") and "\n" not in said


def test_a_logger_that_cannot_be_made_loses_everything() -> None:
    def make() -> Any:
        raise OSError("no disk")

    queue = Relay("toy", make)
    queue.open({})
    queue.put("turn", "c", "case", 0, 1)
    assert queue.close(None) == "logger 'toy': 3 of 3 events lost: 2 (it did not start); 1 (OSError: no disk)"


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """A recorder in the place of the wandb logger, switched on."""
    made = Recorder()
    monkeypatch.setattr(loggers, "logger", lambda name: lambda: made)
    monkeypatch.setenv(observers.VARIABLE, "wandb")
    yield made
    monkeypatch.setattr(observers, "_desk", None)


def test_a_run_is_logged_and_its_files_are_the_same(
    recorder: Recorder, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = play(out)
    events = [event for event, _ in recorder.events]
    assert events[0] == "start" and events[-1] == "end"
    assert events.count("turn") == 120 and events.count("dialogue") == 24
    assert recorder.events[0][1]["suite"] == "toy" and recorder.events[-1][1] == run.summary
    monkeypatch.delenv(observers.VARIABLE)
    assert files(play(tmp_path / "plain").path) == files(out)
    assert len(recorder.events) == 146, "a run that asks for no logger is not logged"


def test_a_logger_that_hangs_holds_up_no_run(
    recorder: Recorder, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(relay, "Relay", partial(Relay, wait=0.1))
    recorder.gate = threading.Event()
    try:
        assert play(out).info["counts"]["played"] == 24
        assert "146 of 146 events lost: 146 (not taken within 0.1 s of the end)" in capsys.readouterr().err
    finally:
        recorder.gate.set()


@pytest.mark.parametrize("event", ["start", "turn", "dialogue", "end"])
def test_a_logger_that_raises_changes_nothing(
    event: str, recorder: Recorder, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.fails = {event: RuntimeError("broken")}
    play(out, limit=2)
    lost = {"start": 50, "turn": 40, "dialogue": 8, "end": 1}[event]  # limit=2: 2 candidates x 2 cases x 2 seeds
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"rlpa-bench: logger 'wandb': {lost} of 50 events lost: ")
    recorder.fails = {}
    assert files(play(tmp_path / "again", limit=2).path) == files(out)


def test_an_interrupted_run_is_closed_by_the_next_one(recorder: Recorder, out: Path, tmp_path: Path) -> None:
    observers.rlpa_bench_run_start({"suite": "first"})
    play(out, limit=1)
    ends = [fact for event, fact in recorder.events if event == "end"]
    assert ends[0] is None and ends[1]["order"] == ["toy/plain", "counter"]


def test_runs_in_two_threads_are_told_apart(recorder: Recorder, out: Path, tmp_path: Path) -> None:
    """Each thread's run has relays of its own, though the hooks are the same module's."""
    observers.rlpa_bench_run_start({"suite": "mine"})
    other = threading.Thread(target=play, args=(out,), kwargs={"limit": 1})
    other.start()
    other.join()
    assert [fact for event, fact in recorder.events if event == "end" and fact is None] == []
    observers.rlpa_bench_run_end({"order": []})
    assert len([event for event, _ in recorder.events if event == "end"]) == 2


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("wandbb", "unknown logger 'wandbb' in RLPA_BENCH_LOGGERS; there are wandb, mlflow, otel"),
        ("absent", "logger 'absent' needs rlpa_no_such_package: pip install 'rlpa-bench[absent]'"),
    ],
)
def test_a_logger_that_is_not_there_is_said_at_once_and_recorded(
    names: str, said: str, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(loggers.LOGGERS, "absent", ("rlpa_no_such_package", "Absent"))
    if names == "wandbb":
        monkeypatch.delitem(loggers.LOGGERS, "absent")
    monkeypatch.setenv(observers.VARIABLE, names)
    run = play(out, limit=1)
    assert f"rlpa-bench: {said}" in capsys.readouterr().err
    assert any(said in problem for problem in run.info["problems"])
    assert run.info["counts"]["played"] == 4


def test_an_interrupted_command_tells_its_logger(tmp_path: Path) -> None:
    """A process that is interrupted ends its loggers before it ends itself."""
    script = tmp_path / "script.py"
    script.write_text(
        "import signal, sys\n"
        "from toyruns import play\n"
        "from rlpa_bench import hookimpl\n"
        "from rlpa_bench_plugins.observers import loggers\n"
        "class Told:\n"
        "    start = turn = dialogue = lambda self, *facts: None\n"
        "    def end(self, summary):\n"
        "        open('told', 'w').write(repr(summary))\n"
        "loggers.logger = lambda name: Told\n"
        "class Stop:\n"
        "    @hookimpl\n"
        "    def rlpa_bench_dialogue_end(self):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "from pathlib import Path\n"
        "play(Path('run'), watchers=[Stop()])\n"
    )
    environment = {**os.environ, "RLPA_BENCH_LOGGERS": "toy", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == -signal.SIGINT or "KeyboardInterrupt" in done.stderr
    assert (tmp_path / "told").read_text() == "None"
