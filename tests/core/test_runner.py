"""Equal work gives equal bytes: whatever the concurrency, however often the run was killed.

The golden lines are the beginning of the run of ``toyruns.TERMS``; after a wanted change of the format they are
written anew by ``PYTHONPATH=tests python tests/core/test_runner.py``.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from crash_driver import CONNECTIONS, TERMS
from toyruns import files, log_lines, play, unfinished
from toys import ToyModel

import rlpa_bench
from rlpa_bench.interfaces import Generation, Guide, Sampling
from rlpa_bench.pipeline import Live
from rlpa_bench.recompute import rebuild
from rlpa_bench.runner.batch import Tally
from rlpa_bench.types import Message

HERE = Path(__file__).parent
GOLDEN = {"dialogues.jsonl": 2, "scores.jsonl": 6}


class Restless(ToyModel):
    """Answers after a random while, so that dialogues overtake each other."""

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        await asyncio.sleep(random.random() / 300)
        return await super().generate(messages, sampling, guide)


def beginning(run: rlpa_bench.Run, name: str) -> bytes:
    with (run.path / name).open("rb") as file:
        return b"".join(islice(file, GOLDEN[name]))


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_run(whole: rlpa_bench.Run, name: str) -> None:
    assert beginning(whole, name).decode() == (HERE / "golden" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("connections", [1, 3, 16])
def test_concurrency_changes_no_byte(whole: rlpa_bench.Run, out: Path, connections: int) -> None:
    run = play(out, Restless, max_connections=connections)
    finished = [line["unit"] for line in log_lines(run.path) if "scores" in line]
    assert (finished == sorted(finished)) == (connections == 1), "the dialogues did not overtake each other"
    assert files(out) == files(whole.path)


def crash(out: Path, seeds: int, *points: str) -> list[dict[str, Any]]:
    """Plays one run in children killed at these points; see crash_driver.py."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, str(HERE.parent / "crash_driver.py"), str(out), str(seeds), *points]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("kills", "seeds"), [(20, 24), pytest.param(200, 240, marks=pytest.mark.slow)])
def test_kills_lose_and_double_no_turn(out: Path, tmp_path: Path, kills: int, seeds: int) -> None:
    draw = random.Random(2505)
    points = [f"{kind}:{draw.randint(1, 5)}" for kind in draw.choices(["turn", "model", "judge"], k=kills)]
    children = crash(out, seeds, *points, "no")
    assert [child["signal"] for child in children] == [signal.SIGKILL] * kills + [0]
    log = (out / "log" / "0000.jsonl").read_bytes()
    logged = 0
    for child in children:
        assert sha256(log[: child["size"]]).hexdigest() == child["sha256"], "a resume changed what was logged"
        whole_lines = log[: child["size"]].rpartition(b"\n")[0].splitlines()
        turns = sum("turn" in json.loads(line) for line in whole_lines)
        in_flight = child["calls"] - (turns - logged)
        assert 0 <= in_flight <= CONNECTIONS, "a call was repeated that was not in flight at a kill"
        logged = turns
    turns_of = Counter((line["unit"], line["turn"]["index"]) for line in log_lines(out) if "turn" in line)
    assert set(turns_of.values()) == {1} and len(turns_of) == 6 * seeds * 12
    assert files(out) == files(play(tmp_path / "undisturbed", seeds=seeds, **TERMS).path)


def test_a_kill_at_any_byte_of_the_log(whole: rlpa_bench.Run, tmp_path: Path) -> None:
    size = (whole.path / "log" / "0000.jsonl").stat().st_size
    draw = random.Random(15456)
    for cut in (1, *(draw.randrange(size) for _ in range(5)), size - 1):
        partial = unfinished(whole.path, tmp_path / str(cut), cut)
        assert files(play(partial).path) == files(whole.path), f"log cut at byte {cut}"
        turns = Counter((line["unit"], line["turn"]["index"]) for line in log_lines(partial) if "turn" in line)
        assert set(turns.values()) == {1} and len(turns) == 120


def test_a_kill_in_the_middle_of_judging_repeats_no_turn(whole: rlpa_bench.Run, out: Path) -> None:
    children = crash(out, 4, "judge:113")
    assert children[0]["signal"] == signal.SIGKILL
    before = {line["unit"] for line in log_lines(out) if "turn" in line and line["ended"]}
    judged = {line["unit"] for line in log_lines(out) if "scores" in line}
    assert before - judged, "the kill came between play and judging"
    after = crash(out, 4, "no")[0]
    assert after["signal"] == 0
    turns = Counter((line["unit"], line["turn"]["index"]) for line in log_lines(out) if "turn" in line)
    assert set(turns.values()) == {1}
    assert Counter(line["unit"] for line in log_lines(out) if "scores" in line) == Counter(range(24))


def test_a_damaged_line_inside_the_log_is_played_again(whole: rlpa_bench.Run, out: Path) -> None:
    partial = unfinished(whole.path, out)
    log = partial / "log" / "0000.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    third = next(i for i, line in enumerate(lines) if json.loads(line).get("turn", {}).get("index") == 3)
    lines[third : third + 2] = [lines[third][:40] + lines[third + 1]]  # a write cut short, the next one behind it
    log.write_bytes(b"".join(lines))
    assert files(play(partial).path) == files(whole.path)


def test_the_report_of_a_run_under_way_shows_finished_dialogues(whole: rlpa_bench.Run, out: Path) -> None:
    partial = unfinished(whole.path, out, 130_000)
    judged = sum(1 for line in log_lines(partial) if "scores" in line)
    assert 0 < judged < 24
    run = rebuild(partial)
    assert sum(1 for _ in run.dialogues()) == judged
    assert sum(row["AVG[asks]"]["planned"] for row in run.summary["rows"].values()) == judged * 5
    assert (partial / "report.html").stat().st_size > 1000
    assert files(play(partial).path) == files(whole.path)


def test_the_report_of_a_run_that_has_not_finished_a_dialogue(whole: rlpa_bench.Run, out: Path) -> None:
    run = rebuild(unfinished(whole.path, out, 0))
    assert run.summary["rows"] == {} and list(run.dialogues()) == []
    assert files(play(out).path) == files(whole.path)


def test_a_finished_run_resumes_to_itself(whole: rlpa_bench.Run, out: Path) -> None:
    partial = unfinished(whole.path, out)
    log = (partial / "log" / "0000.jsonl").read_bytes()
    assert files(play(partial).path) == files(whole.path)
    assert (partial / "log" / "0000.jsonl").read_bytes() == log, "a finished run was played again"


def test_the_time_left_is_that_of_the_slowest_candidate_and_unknown_until_it_has_a_pace() -> None:
    tally = Tally(left=Counter(slow=100, quick=100, later=100))
    assert tally.seconds_left(10) is None
    tally.played = Counter(slow=0, quick=50)
    assert tally.seconds_left(10) is None, "the slow one may take for ever"
    tally.played, tally.left = Counter(slow=2, quick=50), Counter(slow=98, quick=50, later=100)
    assert tally.seconds_left(10) == pytest.approx(98 * 10 / 2)
    tally.left["slow"] = 0
    assert tally.seconds_left(10) == pytest.approx(10)


@pytest.mark.parametrize("cut", [0, 70_000, None])
def test_no_turn_is_left_when_a_run_ends_however_it_was_resumed(
    whole: rlpa_bench.Run, out: Path, cut: int | None
) -> None:
    seen: list[Live] = []
    partial = unfinished(whole.path, out, cut)
    logged = sum("turn" in line for line in log_lines(partial))
    play(partial, watch=seen.append)
    tally = seen[0].tally
    assert set(tally.left.values()) == {0} and sum(tally.played.values()) == tally.turns == 120 - logged


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        played = play(Path(folder) / "run")
        for golden in GOLDEN:
            (HERE / "golden" / golden).write_bytes(beginning(played, golden))
