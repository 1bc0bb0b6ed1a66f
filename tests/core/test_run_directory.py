"""A run's directory: who may resume it, who may write to it, and what is said of one that cannot be used."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from toyruns import files, play, unfinished
from toys import ToyJudge, ToyModel, ToySimulator, ToySuite

import rlpa_bench
from rlpa_bench.errors import DataError, RlpaBenchError, RunDirectoryError
from rlpa_bench.recompute import rebuild, rescore

TESTS = str(Path(__file__).parents[1])


class OtherModel(ToyModel):
    name = "other"


class OtherSuite(ToySuite):
    name = "other"


class OtherUser(ToySimulator):
    name = "other"


class OtherJudge(ToyJudge):
    name = "other"


class OtherWeights(ToyModel):
    def describe(self) -> Mapping[str, str]:
        return {"weights": "sha256:b"}


OTHERS = (OtherModel, OtherSuite, OtherUser, OtherJudge)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"model": "other"}, "config.models was ['toy'], now ['other']"),
        ({"baseline": "plain"}, "config.baselines was ['plain', 'counter'], now ['plain']"),
        ({"simulator": "other"}, "config.simulator was toy, now other"),
        ({"judge": "asks,other"}, "config.judges was ['asks'], now ['asks', 'other']"),
        ({"suite": "other"}, "config.suite was toy, now other"),
        ({"turns": 4}, "config.turns was unset, now 4"),
        ({"limit": 3}, "config.limit was unset, now 3"),
        ({"seeds": 3}, "config.seeds was 2, now 3"),
        ({"repeats": 2}, "config.repeats was 1, now 2"),
        ({"options": ["suite.opening=Good evening"]}, "options.suites was unset, now {'*': {'opening'"),
        ({"options": ["model.temperature=0"]}, "options.models was unset, now {'*': {'temperature'"),
    ],
)
def test_a_resume_of_other_terms_is_refused_and_the_difference_named(
    whole: rlpa_bench.Run, out: Path, changed: dict[str, Any], named: str
) -> None:
    partial = unfinished(whole.path, out, 70_000)
    before = (out / "log" / "0000.jsonl").read_bytes()
    with pytest.raises(RunDirectoryError, match="was started with another configuration") as refusal:
        play(partial, *OTHERS, **changed)
    assert named in str(refusal.value)
    assert (out / "log" / "0000.jsonl").read_bytes() == before
    assert files(play(partial, *OTHERS).path) == files(whole.path), "the refusal harmed the run"


def test_other_weights_behind_the_same_name_are_refused(whole: rlpa_bench.Run, out: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"components.models/toy.weights was unset, now sha256:b"):
        play(unfinished(whole.path, out, 70_000), OtherWeights)


def test_another_version_of_a_plugin_is_refused(whole: rlpa_bench.Run, out: Path) -> None:
    partial = unfinished(whole.path, out, 70_000)
    info = json.loads((out / "run.json").read_bytes())
    info["identity"]["plugins"]["models/toy"] = "toys 0.9"
    (out / "run.json").write_text(json.dumps(info))
    with pytest.raises(RunDirectoryError, match=r"plugins.models/toy was toys 0.9, now this process"):
        play(partial)


HOLD = """
import sys
from pathlib import Path
from rlpa_bench.runs import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(whole: rlpa_bench.Run, out: Path) -> Iterator[Path]:
    """An unfinished run that another process holds."""
    unfinished(whole.path, out, 130_000)
    command = [sys.executable, "-c", HOLD, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        yield out
        holder.communicate("")


def test_two_processes_on_one_directory_are_refused(held: Path) -> None:
    before = (held / "log" / "0000.jsonl").read_bytes()
    with pytest.raises(RunDirectoryError, match="is in use by another process; wait for it or choose another --out"):
        play(held)
    with pytest.raises(RunDirectoryError, match="in use by another process"):
        rescore(held)
    assert (held / "log" / "0000.jsonl").read_bytes() == before


def test_the_report_of_a_run_is_to_be_had_while_another_process_holds_it(held: Path) -> None:
    assert rebuild(held).summary["rows"]


def test_a_directory_that_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for use in (rlpa_bench.load_run, rebuild, rescore):
        with pytest.raises(RunDirectoryError, match=r"holds no run \(there is no run.json\)"):
            use(tmp_path)
    with pytest.raises(RunDirectoryError, match="is not empty and holds no run; choose another --out"):
        play(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} - {".lock"} == {"notes.txt"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"schema": "rlpa-bench/0"}', "was written in format 'rlpa-bench/0', this version reads 'rlpa-bench/1'"),
        (b'{"schema": "rlpa-bench/1", "ide', "run.json is not JSON"),
        (b"\x00\xff\xfe", "run.json is not JSON"),
        (b"[]", "was written in format None"),
    ],
)
def test_a_run_json_that_cannot_be_used(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "run.json").write_bytes(content)
    for use in (rlpa_bench.load_run, play):
        with pytest.raises(RunDirectoryError) as refusal:
            use(tmp_path)
        assert said in str(refusal.value) and "\n" not in str(refusal.value)
    assert (tmp_path / "run.json").read_bytes() == content


@pytest.mark.parametrize("name", ["dialogues.jsonl", "scores.jsonl", "cases.jsonl"])
def test_a_damaged_or_missing_file_is_named_with_its_line(whole: rlpa_bench.Run, out: Path, name: str) -> None:
    play(unfinished(whole.path, out))
    lines = (out / name).read_bytes().splitlines(keepends=True)
    (out / name).write_bytes(b"".join([lines[0], lines[1][:30] + b"\n", *lines[2:]]))
    with pytest.raises(DataError, match=rf"{name} line 2 is not JSON .*restore the file"):
        list(rlpa_bench.load_run(out).records())
    (out / name).unlink()
    with pytest.raises(DataError, match=rf"cannot read .*{name}: No such file or directory"):
        list(rlpa_bench.load_run(out).records())


@pytest.mark.parametrize(
    ("name", "field", "said"),
    [
        ("dialogues.jsonl", "seed", "seed: Input should be a valid integer"),
        ("scores.jsonl", "turn", "turn: Input should be a valid integer"),
        ("cases.jsonl", "cluster", "cluster: Input should be a valid string"),
    ],
)
def test_a_record_of_another_shape_is_named_with_its_line(
    whole: rlpa_bench.Run, out: Path, name: str, field: str, said: str
) -> None:
    play(unfinished(whole.path, out))
    lines = (out / name).read_bytes().splitlines()
    lines[2] = json.dumps(json.loads(lines[2]) | {field: ["?"]}).encode()
    (out / name).write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(DataError) as complaint:
        list(rlpa_bench.load_run(out).records())
    assert f"{name} line 3: {said}" in str(complaint.value) and str(complaint.value).endswith("; restore the file")


def test_a_path_that_cannot_be_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RunDirectoryError, match=r"cannot write to .*; choose another --out"):
            play(path)


def test_a_request_that_is_refused_leaves_no_directory(out: Path) -> None:
    with pytest.raises(RlpaBenchError, match="unknown suite 'tyo'"):
        play(out, suite="tyo")
    assert not out.exists()


FULL = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
from toyruns import play
try:
    play(Path(sys.argv[1]))
except OSError as error:
    print(error.errno)
"""


def test_a_full_disk_stops_the_run_and_costs_no_turn(whole: rlpa_bench.Run, out: Path) -> None:
    size = 20_000
    environment = {**os.environ, "PYTHONPATH": TESTS}
    command = [sys.executable, "-c", FULL, str(out), str(size)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{errno.EFBIG}\n", done.stderr
    log = (out / "log" / "0000.jsonl").read_bytes()
    assert len(log) == size and not log.endswith(b"\n"), "the last line was to be cut short"
    assert files(play(out).path) == files(whole.path)
    assert (out / "log" / "0000.jsonl").read_bytes().startswith(log[: log.rindex(b"\n") + 1])
