"""What keeps a plugin from hanging the process, killing it or leaking keys."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fake_dist import install
from toyruns import play
from toys import Plain, ToyJudge, ToySimulator

from rlpa_bench import redaction
from rlpa_bench.errors import PluginError
from rlpa_bench.guard import guarding
from rlpa_bench.plugins import Plugins
from rlpa_bench.types import Output, State, TurnSubject, Utterance, Verdict, View

SECRET = "sk-canary-0123456789"


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

    seen = []

    class LeakyUser(ToySimulator):
        async def reply(self, state: State) -> Utterance:
            seen.append(state.turns[-1].response)
            return Utterance(f"Mine is {os.environ['OPENAI_API_KEY']}", state=os.environ["MY_TOKEN"])

    class LeakyJudge(ToyJudge):
        async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
            seen.extend((subject.reply, subject.user))
            verdict = Verdict(None, "unscored", raw=os.environ["OPENAI_API_KEY"], reason=os.environ["MY_TOKEN"])
            return {"asks": verdict, "length": verdict}

    run = play(out, Leaky, LeakyUser, LeakyJudge, baseline="leaky,counter")
    assert run.info["counts"]["failed"] == 12
    for path in (path for path in out.rglob("*") if path.is_file()):
        text = path.read_text(encoding="utf-8")
        assert secret not in text and "with ü" not in text, path.name
    assert "My key is [redacted]" in (out / "dialogues.jsonl").read_text()
    assert seen and not any(secret in text for text in seen), "nobody is shown a key that another wrote"


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
                   "RLPA_BENCH_PATIENCE": "3"}  # fmt: skip
    line = [sys.executable, "-c", "from rlpa_bench.cli.main import main; main()", "plugins", "list"]
    done = subprocess.run(line, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and "agenda" in done.stdout
    assert SECRET not in done.stdout + done.stderr and "key [redacted]" in done.stdout
    assert "plugin 'bad-exiting' of bad-exiting 1.0 was skipped: called sys.exit(0)" in done.stderr
    assert "plugin 'bad-sleeping' of bad-sleeping 1.0 was skipped: has blocked everything for 3 s" in done.stderr
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
    done = subprocess.run(
        [sys.executable, "-c", STUBBORN], env=environment, capture_output=True, text=True, timeout=240
    )
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
