"""The command line: whatever goes wrong is one sentence and an exit code; start-up is light."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from fake_dist import install
from toyruns import TERMS, files

from rlpa_bench import Run
from rlpa_bench.cli.main import cli, main

TESTS = Path(__file__).parents[1]
TOYS = """
import os, time
from rlpa_bench import hookimpl
from rlpa_bench.errors import ProviderError
from toyruns import KIT
from toys import Plain, Plugin, ToyModel

class Heavy(ToyModel):
    "Needs what nobody has."
    name = "heavy"
    requires = ("rlpa_no_such_engine",)
    extra = "heavy"

class Failing(Plain):
    "Fails whenever the user is older than 33."
    name = "failing"
    async def respond(self, view):
        if any(f"I am 3{n}." in view.user for n in (4, 5)):
            raise ProviderError("no answer", reason="503")
        return await super().respond(view)

class Slow(ToyModel):
    "As slow as the environment says."
    async def generate(self, messages, sampling, guide):
        time.sleep(float(os.environ.get("TOY_DELAY", "0")))
        return await super().generate(messages, sampling, guide)

class Greeting:
    @hookimpl
    def rlpa_bench_commands(self, group):
        import click
        group.add_command(click.Command("greet", callback=lambda: print("hello"), help="Says hello."))

toys = Plugin(*(toy for toy in KIT if toy is not ToyModel), Slow, Heavy, Failing)
greeting = Greeting()
"""
Result = tuple[int, str, str]
Call = Callable[..., Result]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toys as an installed distribution."""
    points = {"toys": "plug_toys:toys", "toy-greeting": "plug_toys:greeting"}
    return install(tmp_path_factory.mktemp("site"), "toys", points, plug_toys=TOYS)


@pytest.fixture
def call(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """``call(*words)`` runs the command line in this process: (exit code, stdout, stderr)."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)

    def run(*words: str) -> Result:
        monkeypatch.delattr(cli, "_from_plugins", raising=False)
        monkeypatch.setattr(sys, "argv", ["rlpa-bench", *words])
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code
        finally:
            signal.signal(signal.SIGTERM, before)
        assert isinstance(code, int)
        return (code, *capsys.readouterr())

    return run


def started(site: Path, folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """The command line in a process of its own."""
    path = os.pathsep.join([str(site), str(TESTS)])
    line = [sys.executable, "-c", "from rlpa_bench.cli.main import main; main()", *words]
    return subprocess.Popen(line, env={**os.environ, "PYTHONPATH": path, **environment}, cwd=folder, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


TOY = ["--model", "toy", "--baseline", "plain,counter", "--simulator", "toy", "--judge", "asks", "--no-controls"]
RUN = ["run", "--suite", "toy", *TOY, "--seeds", "2", "--no-cache"]
"""The run of ``toyruns.TERMS``."""


def one_sentence(error: str) -> str:
    """The complaint: the last line; nothing before it but the usage hint."""
    assert "Traceback" not in error
    *before, last = error.strip().splitlines()
    assert last.startswith(("rlpa-bench: ", "Error: ")), error
    assert all(line.startswith(("Usage:", "Try ", "run directory:")) or not line for line in before), error
    return last.partition(": ")[2]


def dialogues(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "dialogues.jsonl").read_bytes().splitlines()]


BAD_RUNS = [
    (["--suite", "tyo"], "unknown suite 'tyo'; did you mean toy"),
    (["--model", "tyo"], "unknown model 'tyo'; did you mean toy"),
    (["--baseline", "plian"], "unknown baseline 'plian'; did you mean plain"),
    (["--simulator", "agnda"], "unknown simulator 'agnda'; did you mean agenda"),
    (["--judge", "askes"], "unknown judge 'askes'; did you mean asks"),
    (["--judge", "asks,asks"], "judges asks, asks name one twice; name each once"),
    (["--model", "toy,toy"], "candidate 'toy/plain' occurs twice; each may occur once"),
    (["--model", "toy:x"], "model 'toy' takes nothing after the colon, but got 'x'"),
    (["--model", "heavy"], "model 'heavy' needs rlpa_no_such_engine: pip install 'rlpa-bench[heavy]'"),
    (["-o", "model.temprature=1"], "option model.temprature fits no model of this run"),
    (["-o", "model.toy.temprature=1"], "model 'toy': option temprature: Extra inputs are not permitted"),
    (["-o", "model.temperature=hot"], "model 'toy': option temperature: Input should be a valid number"),
    (["-o", "model.temperature=9"], "model 'toy': option temperature: Input should be less than or equal to 5"),
    (["-o", "model.max_tokens=0"], "model 'toy': option max_tokens: Input should be greater than or equal to 1"),
    (["-o", "modle.temperature=1"], "option 'modle.temperature=1' is not KIND.option=value"),
    (["-o", "temperature=1"], "option 'temperature=1' is not KIND.option=value"),
    (["-o", "model.temperature"], "option 'model.temperature' is not KIND.option=value"),
    (["-o", "judge.rules.level=1"], "option judge.rules.level fits no judge of this run"),
    (["--turns", "0"], "--turns 0 is not possible; a dialogue has at least 1 turn"),
    (["--limit", "0"], "--limit 0 is not possible; it is 1 or more"),
    (["--limit", "-3"], "--limit -3 is not possible; it is 1 or more"),
    (["--seeds", "0"], "--seeds 0 is not possible; it is 1 or more"),
    (["--repeats", "0"], "--repeats 0 is not possible; it is 1 or more"),
    (["--max-retries", "-1"], "--max-retries is 0 or more and --max-connections 1 or more"),
    (["--max-connections", "0"], "--max-retries is 0 or more and --max-connections 1 or more"),
    (["--turns", "five"], "Invalid value for '--turns': 'five' is not a valid integer."),
    (["--trns", "5"], "No such option '--trns'"),
    (["--executor", "ray"], "--executor ray is not available yet; use --executor local"),
    (["--executor", "dask"], "Invalid value for '--executor': 'dask' is not one of"),
    (["--resume", "nowhere"], "nowhere holds no run (there is no run.json); name the folder that `run` wrote"),
    (["--config", "nowhere.toml"], "cannot read nowhere.toml: No such file or directory; check --config"),
    (["--config", "bad.toml"], "bad.toml is not TOML: "),
    (["--config", "unknown.toml"], "unknown.toml: unknown option 'tunrs'; options are "),
    (["--config", "kind.toml"], "Invalid value for '--limit': 'some' is not a valid integer."),
    (["--config", "."], "cannot read .: Is a directory; check --config"),
    (["--suite", ""], "name a suite: rlpa-bench run --suite aloe"),
    (["surplus"], "Got unexpected extra argument (surplus)"),
]


@pytest.mark.parametrize(
    ("words", "said"), BAD_RUNS, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_bad_request_is_one_sentence_and_exit_code_2(call: Call, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "bad.toml").write_text("turns = = 3")
    (tmp_path / "unknown.toml").write_text("tunrs = 3")
    (tmp_path / "kind.toml").write_text('limit = "some"')
    code, out, error = call(*RUN, "--out", "run", *words)
    assert one_sentence(error).startswith(said)
    assert code == 2 and out == ""
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["report", "nowhere"], "nowhere holds no run (there is no run.json)"),
        (["score", "nowhere"], "nowhere holds no run (there is no run.json)"),
        (["compare", "nowhere"], "nowhere holds no run (there is no run.json)"),
        (["report"], "Missing argument 'RUN'"),
        (["data", "fetch", "aleo"], "unknown data set 'aleo'; there is aloe (rlpa-bench data list)"),
        (["plugins", "show", "agneda"], "unknown plugin 'agneda'; there is agenda"),
        (["plugins", "show", "metric/alignement"], "unknown plugin 'metric/alignement'; there is alignment"),
        (["plugins", "show", "metrik/alignment"], "unknown kind 'metriks'; the kinds are "),
        (["plugins", "lst"], "No such command 'lst'"),
        (["rnu"], "No such command 'rnu'"),
    ],
    ids=" ".join,
)
def test_other_commands_complain_alike(call: Call, words: list[str], said: str) -> None:
    code, out, error = call(*words)
    assert one_sentence(error).startswith(said)
    assert code == 2 and out == ""


def test_a_run_by_command_is_the_run_by_library(whole: Run, call: Call, tmp_path: Path) -> None:
    code, out, error = call(*RUN, "--out", "run")
    assert code == 0 and "Traceback" not in error
    assert "toy/plain" in out and "report.html" in out
    assert files(tmp_path / "run") == files(whole.path)


def test_the_same_command_resumes_and_another_is_refused(call: Call, tmp_path: Path) -> None:
    call(*RUN, "--out", "run", "--limit", "2")
    before = files(tmp_path / "run")
    assert call(*RUN, "--out", "run", "--limit", "2")[0] == 0
    assert call("run", "--resume", "run", "--no-cache")[0] == 0, "the recorded request is enough"
    assert files(tmp_path / "run") == before
    code, _, error = call("run", "--resume", "run", "--turns", "4")
    assert code == 2 and "config.turns was unset, now 4" in one_sentence(error)
    assert files(tmp_path / "run") == before


def test_failures_are_exit_code_1_unless_they_are_allowed(call: Call, tmp_path: Path) -> None:
    words = [*RUN, "--baseline", "failing,counter", "--out", "run"]
    code, _, error = call(*words)
    info = json.loads((tmp_path / "run" / "run.json").read_bytes())
    failed = info["counts"]["failed"]
    assert 0 < failed <= 4 and code == 1
    assert error.strip().endswith(f"{failed / 24:.1%} of the dialogues failed, more than --max-missing 0.0")
    assert call(*words, "--max-missing", "0.2")[0] == 0
    assert call(*words, "--retry-errors")[0] == 1


def test_score_report_and_compare_of_a_run(call: Call, tmp_path: Path) -> None:
    call(*RUN, "--out", "run")
    before = files(tmp_path / "run")
    assert call("report", "run")[0] == 0 and call("score", "run", "--no-cache")[0] == 0
    assert files(tmp_path / "run") == before
    code, out, _ = call("compare", "run")
    assert code == 0 and "toy/plain" in out and "counter" in out and "6 shared profiles: no ranks below 50." in out
    code, out, _ = call("compare", "run", "--out", "difference")
    assert code == 0 and "difference/differences.svg" in out
    with (tmp_path / "difference" / "differences.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["a"], row["b"], row["profiles"]) == ("toy/plain", "counter", "6")
    picture = ElementTree.fromstring((tmp_path / "difference" / "differences.svg").read_text(encoding="utf-8"))
    text = "".join(picture.itertext())
    assert "toy/plain − counter" in text and f"{float(row['a - b']):.2f} [" in text
    code, _, error = call("compare", "run", "--column", "AVG[asker]")
    assert code == 2 and "no run has column 'AVG[asker]' for comparison; there are AVG[asks]" in one_sentence(error)


def test_unlike_runs_are_compared_by_force_only(call: Call, tmp_path: Path) -> None:
    call(*RUN, "--out", "one")
    call(*RUN, "--out", "two", "--turns", "4")
    call(*RUN, "--out", "three")
    code, _, error = call("compare", "one", "two")
    assert code == 2 and one_sentence(error).startswith("one and two differ in cases was ")
    code, out, _ = call("compare", "one", "two", "--force")
    assert code == 0 and "Unlike terms: one and two differ in cases" in out and "two:counter" in out
    code, out, _ = call("compare", "one", "three")
    assert code == 0 and "Unlike terms" not in out


def test_flags_come_from_the_environment_and_the_command_line_wins(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLPA_BENCH_SUITE", "toy")
    monkeypatch.setenv("RLPA_BENCH_TURNS", "3")
    monkeypatch.setenv("RLPA_BENCH_CACHE", "0")
    monkeypatch.setenv("RLPA_BENCH_CONTROLS", "0")
    words = ["run", "--model", "toy", "--baseline", "plain", "--simulator", "toy", "--judge", "asks", "--limit", "2"]
    assert call(*words, "--out", "one")[0] == 0
    assert call(*words, "--out", "two", "--turns", "2")[0] == 0
    turns = {name: [len(dialogue["turns"]) for dialogue in dialogues(tmp_path / name)] for name in ("one", "two")}
    assert turns == {"one": [3, 3], "two": [2, 2]}


def test_a_config_file_stands_under_the_command_line(call: Call, tmp_path: Path) -> None:
    lines = ['suite = "toy"', 'model = "toy"', 'baseline = ["plain", "counter"]', 'simulator = "toy"', 'judge = "asks"',
             "controls = false", "turns = 3", "limit = 2", 'options = ["suite.opening=Good day"]']  # fmt: skip
    (tmp_path / "run.toml").write_text("\n".join(lines))
    assert call("run", "--config", "run.toml", "--limit", "1", "--no-cache", "--out", "run")[0] == 0
    played = dialogues(tmp_path / "run")
    assert [d["candidate"] for d in played] == ["toy/plain", "counter"]
    assert {len(d["turns"]) for d in played} == {3}
    assert {d["turns"][0]["user"]["text"] for d in played} == {"Good day"}


def test_a_dotenv_file_is_read_and_the_environment_wins(site: Path, tmp_path: Path) -> None:
    lines = [
        "# a comment",
        "export RLPA_BENCH_SUITE='toy'",
        'RLPA_BENCH_TURNS="2"',
        "RLPA_BENCH_LIMIT=1",
        "broken line",
    ]
    (tmp_path / ".env").write_text("\n".join(lines))
    with started(site, tmp_path, "run", *TOY, "--out", "run", RLPA_BENCH_TURNS="3") as process:
        _, error = process.communicate()
    assert process.returncode == 0, error
    assert [len(dialogue["turns"]) for dialogue in dialogues(tmp_path / "run")] == [3, 3]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_leaves_a_resumable_run_and_one_sentence(
    whole: Run, site: Path, call: Call, tmp_path: Path, name: str
) -> None:
    with started(site, tmp_path, *RUN, "--out", "run", TOY_DELAY="0.02") as process:
        log = tmp_path / "run" / "log" / "0000.jsonl"
        while process.poll() is None and not (log.exists() and log.read_bytes().count(b"\n") > 7):
            time.sleep(0.01)
        process.send_signal(getattr(signal, name))
        out, error = process.communicate(timeout=20)
    assert process.returncode == 1 and out == ""
    complaint = error.strip().splitlines()[-1]
    assert complaint.startswith("rlpa-bench: interrupted; every finished turn is on disk, the same command with")
    assert "Traceback" not in error and error.count("rlpa-bench: ") == 1
    played = log.read_bytes()
    assert played.count(b"\n") < 140, "the signal came too late to interrupt anything"
    assert call("run", "--resume", "run", "--no-cache")[0] == 0
    assert files(tmp_path / "run") == files(whole.path)
    assert log.read_bytes().startswith(played[: played.rindex(b"\n") + 1])


def test_a_job_in_the_background_of_a_script_ends_at_sigterm(site: Path, tmp_path: Path) -> None:
    """Shells start such jobs with SIGINT ignored, which children inherit."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = started(site, tmp_path, *RUN, "--out", "run", TOY_DELAY="0.05")
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        log = tmp_path / "run" / "log" / "0000.jsonl"
        while process.poll() is None and not (log.exists() and log.read_bytes().count(b"\n") > 7):
            time.sleep(0.01)
        process.terminate()
        _, error = process.communicate(timeout=20)
    assert process.returncode == 1
    assert error.strip().splitlines()[-1].startswith("rlpa-bench: interrupted; every finished turn is on disk")


def test_a_full_disk_is_one_sentence(site: Path, tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))"
    line = f"{limit}; from rlpa_bench.cli.main import main; main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(TESTS)])}
    done = subprocess.run([sys.executable, "-c", line, *RUN, "--out", "run"], env=environment, cwd=tmp_path, text=True,
                          capture_output=True)  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr
    said = done.stderr.strip().splitlines()[-1]
    assert said == "rlpa-bench: File too large; every finished turn is on disk, resume when it is mended"


def test_a_plugins_command_is_there(call: Call) -> None:
    assert "greet" in call("--help")[1]
    code, out, _ = call("greet")
    assert (code, out) == (0, "hello\n")


def test_a_plugin_whose_commands_fail_stops_no_command(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "from rlpa_bench import hookimpl\n@hookimpl\ndef rlpa_bench_commands(group): raise RuntimeError('no')"
    install(tmp_path / "more", "bad", {"bad": "plug_bad_commands"}, plug_bad_commands=source)
    monkeypatch.syspath_prepend(str(tmp_path / "more"))
    code, out, error = call("--help")
    assert code == 0 and "run" in out and "greet" in out
    assert error.strip() == (
        "rlpa-bench: plugin 'bad' of bad 1.0: rlpa_bench_commands() failed: RuntimeError: no (plug_bad_commands.py:3)"
    )
    assert call("data", "list")[0] == 0


def test_plugins_list_says_what_cannot_run_here(call: Call) -> None:
    code, out, _ = call("plugins", "list")
    (line,) = [line for line in out.splitlines() if " heavy " in line]
    assert code == 0 and line.endswith("[needs rlpa_no_such_engine: pip install 'rlpa-bench[heavy]']")
    rows = json.loads(call("plugins", "list", "--json")[1])["plugins"]
    (row,) = [row for row in rows if row["name"] == "heavy"]
    assert (row["kind"], row["usable"], row["distribution"]) == ("model", False, "toys")


def test_plugins_show_names_the_options(call: Call) -> None:
    code, out, _ = call("plugins", "show", "model/toy")
    assert code == 0 and "-o model.toy.temperature=" in out and "Sampling temperature" in out
    assert "simulator toy" in call("plugins", "show", "toy")[1], "a name that several kinds have is shown for each"


HEAVY = ("torch", "transformers", "pandas", "scipy", "numpy", "openai", "vllm", "xllamacpp", "ray", "datasets")
PROBE = f"""
import sys
from rlpa_bench.cli.main import main
try:
    main()
finally:
    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"], ["plugins", "list"], ["data", "list"]])
def test_start_up_imports_nothing_heavy(tmp_path: Path, words: list[str]) -> None:
    line = [sys.executable, "-c", PROBE, *words]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr.strip().splitlines()[-1] == "[]" and done.stdout


def test_the_terms_of_the_two_ways_to_run_agree() -> None:
    assert TERMS["baseline"] in RUN and str(TERMS["seeds"]) in RUN
