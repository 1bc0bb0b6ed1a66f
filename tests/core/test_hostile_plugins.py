"""Whatever a plugin does, the run survives or stops with one sentence that names it, and no other row changes."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_dist import install
from toyruns import files, lines_of, play
from toys import Counter, Plain, Plugin, ToyJudge, ToyModel, ToySimulator, ToySuite, case

import rlpa_bench
from rlpa_bench import guard, hookimpl, redaction
from rlpa_bench.errors import PluginError
from rlpa_bench.guard import guarded, guarding
from rlpa_bench.interfaces import Column, Generation, Guide, JudgeInfo, Metric, Record, Sampling, Value
from rlpa_bench.options import Options
from rlpa_bench.plugins import Plugins
from rlpa_bench.runner.batch import RunStoppedError
from rlpa_bench.types import Case, Message, Output, State, TurnSubject, Utterance, Verdict, View

SECRET = "sk-canary-0123456789"
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> rlpa_bench.Run:
    return play(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stretch that blocks for 0.8 s, or a call that takes 1.6 s, has lasted for ever."""
    monkeypatch.setenv("RLPA_BENCH_PATIENCE", "0.8")
    monkeypatch.setattr(guard, "CALLS", 2)


def exits() -> None:
    sys.exit(0)


def blocks() -> None:
    time.sleep(3600)


def spins() -> None:
    while True:
        pass


def swallows() -> None:
    for _ in range(100):
        try:
            time.sleep(3600)
        except Exception:
            continue


FAULTS = {
    exits: "exit: {who} called sys.exit(0)",
    blocks: "blocked: {who} has blocked everything for 0.8 s",
    spins: "blocked: {who} has blocked everything for 0.8 s",
    swallows: "blocked: {who} has blocked everything for 0.8 s",
}


def others_unharmed(out: Path, whole: rlpa_bench.Run) -> None:
    for name in ("dialogues.jsonl", "scores.jsonl"):
        assert lines_of(out / name, candidate="counter") == lines_of(whole.path / name, candidate="counter")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_baseline_that_exits_or_blocks(whole: rlpa_bench.Run, out: Path, impatient: None, fault: Any) -> None:
    class Hostile(Plain):
        name = "hostile"

        async def respond(self, view: View) -> Output:
            if view.turn == 3 and Hostile.left:
                Hostile.left -= 1
                fault()
            return await super().respond(view)

        left = 1

    run = play(out, Hostile, baseline="hostile,counter")
    (failed,) = [dialogue for dialogue in run.dialogues() if dialogue.ended != "schedule"]
    assert failed.ended.startswith("error: candidate: " + FAULTS[fault].format(who="baseline 'hostile'"))
    assert run.info["counts"]["played"] == 23
    others_unharmed(out, whole)


async def for_ever(*_: Any) -> Any:
    await asyncio.Event().wait()


def once(method: Any) -> Any:
    """The method for the second call, ``for_ever`` for the first."""
    calls = []

    async def either(self: Any, argument: Any) -> Any:
        calls.append(argument)
        return await (for_ever() if len(calls) == 1 else method(self, argument))

    return either


def test_a_baseline_that_waits_for_ever(whole: rlpa_bench.Run, out: Path, impatient: None) -> None:
    class Sleepy(Plain):
        name = "sleepy"
        respond = once(Plain.respond)

    run = play(out, Sleepy, baseline="sleepy,counter")
    (failed,) = [dialogue for dialogue in run.dialogues() if dialogue.ended != "schedule"]
    assert failed.ended == "error: candidate: timeout: baseline 'sleepy' gave no answer within 1.6 s"
    others_unharmed(out, whole)


def test_a_simulator_that_waits_for_ever_or_exits(out: Path, impatient: None) -> None:
    class Sleepy(ToySimulator):
        reply = once(ToySimulator.reply)

    run = play(out / "sleepy", Sleepy, baseline="plain")
    (failed,) = [dialogue for dialogue in run.dialogues() if dialogue.ended != "schedule"]
    assert failed.ended == "error: simulator: timeout: simulator 'toy' gave no answer within 1.6 s"

    class Leaving(ToySimulator):
        async def reply(self, state: State) -> Utterance:
            return sys.exit(3) if state.key == "case-1/0/3" else await super().reply(state)

    run = play(out / "leaving", Leaving, baseline="plain")
    (failed,) = [dialogue for dialogue in run.dialogues() if dialogue.ended != "schedule"]
    assert failed.ended == "error: simulator: exit: simulator 'toy' called sys.exit(3)"


def test_a_person_may_take_their_time(impatient: None) -> None:
    async def think(_: object) -> str:
        await asyncio.sleep(2)
        return "done"

    assert asyncio.run(guarded("simulator 'human'", think, None, unhurried=True)) == "done"


@pytest.mark.parametrize("fault", [exits, blocks])
def test_a_judge_that_exits_or_blocks(whole: rlpa_bench.Run, out: Path, impatient: None, fault: Any) -> None:
    class Hostile(ToyJudge):
        async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
            if subject.key == "case-1/0/3" and subject.gold.items[0].value == "31":
                fault()
            return await super().judge(subject)

    run = play(out, Hostile, baseline="plain,counter")
    bad = [score for score in run.scores() if score.status != "scored"]
    assert {(s.case, s.seed, s.turn) for s in bad} == {("case-1", 0, 3)} and len(bad) == 4
    assert all(s.reason.startswith(FAULTS[fault].format(who="judge 'asks'")) and s.value is None for s in bad)
    assert (out / "dialogues.jsonl").read_bytes() == (whole.path / "dialogues.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("text", "candidate: TypeError: model 'toy' returned str, not a Generation with a text"),
        (Generation(None), "candidate: TypeError: model 'toy' returned Generation, not a Generation with a text"),  # type: ignore[arg-type]
        (exits, "candidate: exit: model 'toy' called sys.exit(0)"),
        (blocks, "candidate: blocked: model 'toy' has blocked everything for 0.8 s"),
    ],
)
def test_a_hostile_model_is_named(out: Path, impatient: None, answer: Any, said: str) -> None:
    class Hostile(ToyModel):
        async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
            return answer() if callable(answer) else answer  # type: ignore[no-any-return]

    run = play(out, Hostile, baseline="plain,counter", limit=1, seeds=1)
    assert [d.ended for d in run.dialogues()] == [f"error: {said}", "schedule"]


def test_a_plugin_that_cancels_itself_leaves_no_hole(whole: rlpa_bench.Run, out: Path) -> None:
    class Cancelled(Plain):
        name = "cancelled"

        async def respond(self, view: View) -> Output:
            raise asyncio.CancelledError

    run = play(out, Cancelled, baseline="cancelled,counter")
    assert run.info["counts"] == {"planned": 24, "played": 12, "failed": 12, "retried": 0}
    assert run.info["failures"] == {"candidate: cancelled": 12}
    others_unharmed(out, whole)


def test_a_plugin_that_always_fails_is_named_when_it_stops_the_run(out: Path) -> None:
    class Broken(Plain):
        name = "broken"

        async def respond(self, view: View) -> Output:
            raise ZeroDivisionError("by zero")

    with pytest.raises(RunStoppedError, match=r"by zero\), the last of toy/broken with simulator toy; mend it"):
        play(out, Broken, baseline="broken", seeds=6)


def test_global_random_state_decides_nothing(whole: rlpa_bench.Run, out: Path) -> None:
    class Reseeding(Plain):
        """Plain, but for what it does to the generators of everybody."""

        async def respond(self, view: View) -> Output:
            import numpy as np

            random.seed(7)
            np.random.seed(7)
            return await super().respond(view)

    before = random.getstate()
    try:
        assert files(play(out, Reseeding).path) == files(whole.path)
    finally:
        random.setstate(before)


class Steady(Metric):
    """Turns of a dialogue."""

    name = "steady"
    Options = Options
    column = "steady turns"

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [Column(self.column, headline=True)]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        yield Value(self.column, None, float(len(record.dialogue.turns)))


class Offering:
    def __init__(self, *metrics: type[Metric]) -> None:
        self.metrics = metrics

    @hookimpl
    def rlpa_bench_metrics(self) -> Sequence[type[Metric]]:
        return self.metrics


def measured(answer: Any) -> type[Metric]:
    class Hostile(Steady):
        name = "hostile"
        column = "hostile turns"

        def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
            if record.dialogue.case == "case-3":
                yield answer() if callable(answer) else answer
            else:
                yield from super().measure(record, judges)

    return Hostile


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: 1 / 0, "metric 'hostile' failed: ZeroDivisionError: division by zero (test_hostile_plugins.py:"),
        (exits, "metric 'hostile' called sys.exit(0)"),
        (blocks, "metric 'hostile' has blocked everything for 0.8 s"),
        (3.5, "metric 'hostile' failed: AttributeError: 'float' object has no attribute 'value'"),
        (Value("hostile turns", None, "5"), "ValueError: '5' in column 'hostile turns' is neither a finite number"),  # type: ignore[arg-type]
        (Value("hostile turns", None, float("nan")), "nan in column 'hostile turns' is neither a finite number"),
        (Value("AVG[asks]", None, 100.0), "fills the column 'AVG[asks]', which it did not declare"),
    ],
)
def test_a_metric_that_fails_loses_its_columns_and_no_others(
    whole: rlpa_bench.Run, out: Path, impatient: None, answer: Any, said: str
) -> None:
    run = play(out, watchers=[Offering(Steady, measured(answer))])
    names = [column["name"] for column in run.summary["columns"]]
    assert "steady turns" in names and "hostile turns" not in names
    for candidate, row in whole.summary["rows"].items():
        assert run.summary["rows"][candidate].items() >= row.items()
        assert "hostile turns" not in run.summary["rows"][candidate]
    (problem,) = run.info["problems"]
    assert said in problem and "its columns are left out" in problem


def test_a_metric_that_fails_while_it_is_built_or_asked_for_its_columns(out: Path) -> None:
    class Unbuilt(Steady):
        name = "unbuilt"

        def __init__(self, *_: Any) -> None:
            raise OSError("no licence")

    class Columnless(Steady):
        name = "columnless"

        def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
            raise LookupError("no columns")

    class Bent(Steady):
        name = "bent"

        def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
            return [Column("bent", curve_of="AVG[asks]", curve=lambda curve: curve["x"])]  # type: ignore[call-overload]

        def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
            return iter(())

    run = play(out, watchers=[Offering(Unbuilt, Columnless, Bent, Steady)])
    assert run.summary["rows"]["counter"]["steady turns"]["mean"] == 5
    said = "\n".join(run.info["problems"])
    assert "OSError: no licence" in said and "LookupError: no columns" in said and "column 'bent' failed" in said


def test_two_metrics_with_one_column_are_both_named_before_anything_is_played(out: Path) -> None:
    class Thief(Steady):
        name = "thief"
        column = "AVG[asks]"

    with pytest.raises(PluginError, match=r"'alignment' and 'thief' both fill the column 'AVG\[asks\]'; disable one"):
        play(out, watchers=[Offering(Thief)])
    assert not out.exists()


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        (lambda: 1 / 0, r"suite 'toy' failed: ZeroDivisionError: division by zero"),
        (lambda: None, r"suite 'toy' failed: TypeError: 'NoneType' object is not iterable"),
        (lambda: [case(0), "case"], r"suite 'toy' returned a str among its cases"),
        (exits, r"suite 'toy' called sys.exit\(0\)"),
    ],
)
def test_a_suite_without_cases_is_named(out: Path, cases: Any, said: str) -> None:
    class Hostile(ToySuite):
        def cases(self) -> Sequence[Case]:
            return cases()  # type: ignore[no-any-return]

    with pytest.raises(PluginError, match=said):
        play(out, Hostile)


@pytest.mark.parametrize("base", [ToySuite, ToySimulator, ToyJudge, ToyModel, Plain])
def test_a_component_that_cannot_be_built_is_named(out: Path, base: type[Any]) -> None:
    class Hostile(base):  # type: ignore[misc]
        def __init__(self, *_: Any, **more: Any) -> None:
            raise RuntimeError("out of order")

    with pytest.raises(PluginError, match=rf"'{base.name}' of this process failed: RuntimeError: out of order"):
        play(out, Hostile)


def test_a_component_that_cannot_describe_itself_start_or_close(out: Path) -> None:
    class Silent(ToyJudge):
        def describe(self) -> Mapping[str, Any]:
            return {"set": {1, 2}}

    with pytest.raises(PluginError, match=r"describe\(\) of judges/asks failed: TypeError: Type is not JSON"):
        play(out, Silent)

    class Cold(ToyModel):
        async def start(self) -> None:
            raise RuntimeError("no engine")

    with pytest.raises(PluginError, match="model 'toy' could not start: RuntimeError: no engine"):
        play(out, Cold)

    class Clinging(Counter):
        name = "clinging"

        async def aclose(self) -> None:
            raise RuntimeError("will not go")

    run = play(out, Clinging, baseline="clinging", model="")
    assert run.info["counts"]["failed"] == 0
    assert "closing baseline 'clinging' failed: RuntimeError: will not go" in run.info["problems"][0]


def test_every_component_is_closed(out: Path) -> None:
    closed = []

    def closing(base: type[Any]) -> type[Any]:
        class Closing(base):  # type: ignore[misc]
            async def aclose(self) -> None:
                closed.append(self.name)

        return Closing

    play(out, *map(closing, (ToySuite, ToySimulator, ToyJudge, ToyModel, Plain)))
    assert sorted(closed) == ["asks", "plain", "toy", "toy", "toy"]


@pytest.mark.parametrize("exit_", [SystemExit(0), SystemExit("why"), RuntimeError("no")])
def test_an_observer_that_exits_stops_nobody(whole: rlpa_bench.Run, out: Path, exit_: BaseException) -> None:
    class Leaving:
        @hookimpl
        def rlpa_bench_turn_end(self) -> None:
            raise exit_

    run = play(out, watchers=[Leaving()])
    assert files(out) == files(whole.path)
    assert f"hook turn_end raised {type(exit_).__name__}" in run.info["problems"][0]


def test_a_hook_that_exits_is_skipped() -> None:
    class Leaving:
        @hookimpl
        def rlpa_bench_judges(self) -> None:
            sys.exit(0)

    plugins = Plugins([Leaving(), Plugin(ToyJudge)], entry_point_group=None)
    assert [offer.name for offer in plugins.offers("judges")] == ["asks"]
    assert "rlpa_bench_judges() called sys.exit(0)" in str(plugins.problems[0])


@pytest.mark.parametrize(
    ("component", "said"),
    [
        (ToyModel, "ToyModel is no subclass of Judge"),
        (ToyJudge(None, None), "is no subclass of Judge"),  # type: ignore[arg-type]
        ("ToyJudge", "'ToyJudge' is no subclass of Judge"),
        (type("Shouting", (ToyJudge,), {"name": "Loud Judge"}), "Shouting.name is 'Loud Judge'; write lower-case"),
        (type("Slashed", (ToyJudge,), {"name": "a/b"}), "Slashed.name is 'a/b'"),
        (type("Nameless", (ToyJudge,), {"name": None}), "Nameless.name is None"),
        (type("Plainly", (ToyJudge,), {"Options": dict}), "Plainly.Options is no pydantic model"),
        (rlpa_bench.interfaces.Judge, "Judge.name is None"),  # type: ignore[attr-defined]
    ],
)
def test_what_is_no_component_is_said_and_its_neighbours_live(component: Any, said: str) -> None:
    class Mixed:
        @hookimpl
        def rlpa_bench_judges(self) -> Sequence[Any]:
            return [component, ToyJudge]

    plugins = Plugins([Mixed()], entry_point_group=None)
    assert [offer.name for offer in plugins.offers("judges")] == ["asks"]
    (problem,) = plugins.problems
    assert said in problem.message


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("MY_TOKEN", 'quoted "value" with ü')
    yield SECRET
    monkeypatch.undo()
    redaction.learn()


def test_secrets_reach_no_file(secret: str, out: Path) -> None:
    class Leaky(Plain):
        name = "leaky"

        def describe(self) -> Mapping[str, Any]:
            return {"environment": dict(os.environ)}

        async def respond(self, view: View) -> Output:
            if view.turn == 3:
                raise RuntimeError(f"refused {os.environ['OPENAI_API_KEY']}")
            return Output(f"My key is {os.environ['OPENAI_API_KEY']}", memory=os.environ["MY_TOKEN"])

    class LeakyJudge(ToyJudge):
        async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
            verdict = Verdict(None, "unscored", raw=os.environ["OPENAI_API_KEY"], reason=os.environ["MY_TOKEN"])
            return {"asks": verdict, "length": verdict}

    run = play(out, Leaky, LeakyJudge, baseline="leaky,counter")
    assert run.info["counts"]["failed"] == 12
    for path in (path for path in out.rglob("*") if path.is_file()):
        text = path.read_text(encoding="utf-8")
        assert secret not in text and "with ü" not in text, path.name
    assert "My key is [redacted]" in (out / "dialogues.jsonl").read_text()


SOURCES = {
    "secretive": "import os\nprint('key', os.environ['OPENAI_API_KEY'])\n",
    "exiting": "import sys\nsys.exit(0)\n",
    "sleeping": "import time\ntime.sleep(3600)\n",
    "shouting": "import os, sys\nsys.stderr.write(os.environ['OPENAI_API_KEY'])\nraise RuntimeError(os.environ)\n",
}


def test_hostile_imports_leave_the_command_line_standing(tmp_path: Path) -> None:
    for name, source in SOURCES.items():
        install(tmp_path / "site", f"bad-{name}", {f"bad-{name}": f"plug_{name}"}, **{f"plug_{name}": source})
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "OPENAI_API_KEY": SECRET,
                   "RLPA_BENCH_PATIENCE": "0.8"}  # fmt: skip
    line = [sys.executable, "-c", "from rlpa_bench.cli.main import main; main()", "plugins", "list"]
    done = subprocess.run(line, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "agenda" in done.stdout
    assert SECRET not in done.stdout + done.stderr and "key [redacted]" in done.stdout
    assert "plugin 'bad-exiting' of bad-exiting 1.0 was skipped: called sys.exit(0)" in done.stderr
    assert "plugin 'bad-sleeping' of bad-sleeping 1.0 was skipped: has blocked everything for 0.8 s" in done.stderr
    assert "plugin 'bad-shouting' of bad-shouting 1.0 was skipped: RuntimeError" in done.stderr


STUBBORN = """
import sys, time
from rlpa_bench.guard import guarding
with guarding("judge 'mule' of stable 1.0"):
    while True:
        try:
            time.sleep(3600)
        except:
            pass
"""


def test_what_cannot_be_interrupted_ends_the_process_with_its_name() -> None:
    environment = {**os.environ, "RLPA_BENCH_PATIENCE": "0.2"}
    done = subprocess.run([sys.executable, "-c", STUBBORN], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == (
        "rlpa-bench: judge 'mule' of stable 1.0 has blocked everything for 0.2 s and cannot be interrupted; "
        "resume without it\n"
    )


def test_an_interrupt_by_the_user_is_no_fault_of_the_plugin() -> None:
    with pytest.raises(KeyboardInterrupt), guarding("judge 'asks'"):
        raise KeyboardInterrupt


def test_patience_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLPA_BENCH_PATIENCE", "long")
    with pytest.raises(PluginError, match="RLPA_BENCH_PATIENCE is 'long'; give a number of seconds"):
        Plugins()


def test_the_run_of_a_hostile_neighbour_is_recorded(whole: rlpa_bench.Run, out: Path) -> None:
    class Raising:
        @hookimpl
        def rlpa_bench_judges(self) -> None:
            raise LookupError("lost")

    run = play(out, watchers=[Raising()])
    assert files(out) == files(whole.path)
    assert json.loads((out / "run.json").read_text())["problems"] == run.info["problems"]
    assert "LookupError: lost" in run.info["problems"][0]
