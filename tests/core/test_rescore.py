"""Judging again and joining shards: the files are a function of the transcripts, whoever writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from toyruns import KIT, files, lines_of, log_lines, play, unfinished
from toys import Plugin, ToyJudge, ToyModel

import rlpa_bench
from rlpa_bench.errors import DataError, PluginError, RlpaBenchError, RunDirectoryError, UsageError
from rlpa_bench.interfaces import Generation, Guide, Judge, Part, Sampling
from rlpa_bench.options import Options
from rlpa_bench.recompute import rescore
from rlpa_bench.types import DialogueSubject, Message, TurnSubject, Verdict


class Wordy(ToyJudge):
    """Asks a model; by default how the model feels, which differs from call to call."""

    name = "wordy"
    deterministic = False

    class Options(Options):
        model: str = "oracle"
        above: float = 0.5

    def __init__(self, options: Any, context: Any, argument: str = "") -> None:
        super().__init__(options, context, argument)
        self.model = context.model(options.model, role="judge")

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        text, _ = await self.model.generate([Message("user", subject.reply)], key=subject.key)
        return {"asks": Verdict(float(float(text) > self.options.above), raw=text), "length": Verdict(float(text))}


class Oracle(ToyModel):
    name = "oracle"

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        return Generation(str((sampling.seed or 0) % 10 * sampling.temperature), "stop", 1, 1)


class Length(Judge):
    """Judges whole dialogues."""

    name = "length"
    Options = Options
    target = "dialogue"
    parts = {"turns": Part(0, 100)}

    async def judge(self, subject: DialogueSubject) -> Mapping[str, Verdict]:
        return {"turns": Verdict(float(len(subject.turns)))}


MORE = (Wordy, Oracle, Length)
PLUGIN = Plugin(*KIT, *MORE)
JUDGED: dict[str, Any] = {"judge": "asks,wordy,length", "repeats": 3, "seeds": 1,
                          "options": ["judge.wordy.above=4", "model.oracle.temperature=0.5"]}  # fmt: skip


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> rlpa_bench.Run:
    return play(tmp_path_factory.mktemp("judged") / "run", *MORE, **JUDGED)


@pytest.fixture
def run(judged: rlpa_bench.Run, out: Path) -> rlpa_bench.Run:
    return play(unfinished(judged.path, out), *MORE, **JUDGED)


def test_judging_again_gives_the_runs_own_bytes(judged: rlpa_bench.Run, run: rlpa_bench.Run) -> None:
    before = files(run.path)
    (run.path / "scores.jsonl").unlink()
    (run.path / "summary.json").unlink()
    assert files(rescore(run.path, cache=False, plugins=[PLUGIN]).path) == before == files(judged.path)


@pytest.mark.parametrize("judge", ["asks", "wordy", "length", "length,asks"])
def test_judging_again_keeps_the_other_judges_scores(run: rlpa_bench.Run, judge: str) -> None:
    before = files(run.path)
    assert files(rescore(run.path, judge=judge, cache=False, plugins=[PLUGIN]).path) == before


def test_a_further_judge_is_added(out: Path) -> None:
    run = play(out, *MORE, seeds=1)
    before = (out / "scores.jsonl").read_bytes().splitlines()
    run = rescore(out, judge="length", cache=False, plugins=[PLUGIN])
    kept = [line for line in (out / "scores.jsonl").read_bytes().splitlines() if b'"judge":"length"' not in line]
    assert kept == before
    added = [score for score in run.scores() if score.judge == "length"]
    assert [(score.turn, score.value) for score in added] == [(None, 5.0)] * 12
    assert list(run.judges) == ["asks", "length"]


def test_other_options_move_the_scores_of_that_judge_only(run: rlpa_bench.Run) -> None:
    wordy, asks = (lines_of(run.path / "scores.jsonl", judge=name) for name in ("wordy", "asks"))
    rescore(run.path, judge="wordy", cache=False, options=["judge.wordy.above=0"], plugins=[PLUGIN])
    assert lines_of(run.path / "scores.jsonl", judge="asks") == asks
    moved = lines_of(run.path / "scores.jsonl", judge="wordy")
    assert len(moved) == len(wordy) and moved != wordy


def test_fewer_repeats(run: rlpa_bench.Run) -> None:
    rescore(run.path, judge="wordy", repeats=1, cache=False, plugins=[PLUGIN])
    assert {score.repeat for score in run.scores() if score.judge == "wordy"} == {0}


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"judge": "askes"}, PluginError, "unknown judge 'askes'; did you mean asks"),
        ({"judge": "asks,asks"}, UsageError, "name one twice"),
        ({"options": ["judge.asks.above=1"]}, UsageError, r"judge 'asks': option above: Extra inputs"),
        ({"judge": "asks", "options": ["judge.wordy.above=1"]}, UsageError, "option judge.wordy.above fits no judge"),
    ],
)
def test_a_refused_request_leaves_the_old_scores(
    run: rlpa_bench.Run, asked: dict[str, Any], error: type[RlpaBenchError], said: str
) -> None:
    before = files(run.path)
    with pytest.raises(error, match=said):
        rescore(run.path, **asked, cache=False, plugins=[PLUGIN])
    assert files(run.path) == before


def test_a_judge_that_dies_leaves_the_old_scores(run: rlpa_bench.Run) -> None:
    class Fatal(ToyJudge):
        async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
            raise KeyboardInterrupt

    before = files(run.path)
    with pytest.raises(KeyboardInterrupt):
        rescore(run.path, judge="asks", cache=False, plugins=[Plugin(Fatal)])
    assert files(run.path) == before


def test_a_run_without_transcripts_cannot_be_judged_again(judged: rlpa_bench.Run, out: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*dialogues.jsonl"):
        rescore(unfinished(judged.path, out), cache=False, plugins=[PLUGIN])


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("shards")
    return [play(folder / str(i), seeds=1, shard=(i, 3)).path for i in range(3)]


def test_shards_in_any_order_make_the_whole(shards: list[Path], tmp_path: Path) -> None:
    whole = play(tmp_path / "whole", seeds=1)
    merged = rlpa_bench.merge_runs([shards[2], shards[0], shards[1]], tmp_path / "merged")
    assert files(merged.path) == files(whole.path)
    assert merged.info["counts"] == whole.info["counts"]
    assert files(play(merged.path, seeds=1).path) == files(whole.path), "a merged run does not resume to itself"


def test_shards_that_do_not_make_a_whole_are_refused(shards: list[Path], tmp_path: Path) -> None:
    for parts in (shards[:2], [shards[0], shards[1], shards[1]], [*shards, shards[0]]):
        with pytest.raises(RunDirectoryError, match="do not make a whole; give every"):
            rlpa_bench.merge_runs(parts, tmp_path / "merged")


def test_shards_of_other_terms_are_refused(shards: list[Path], tmp_path: Path) -> None:
    odd = play(tmp_path / "odd", seeds=1, turns=4, shard=(2, 3))
    with pytest.raises(RunDirectoryError, match=r"config.turns was 4, now unset"):
        rlpa_bench.merge_runs([*shards[:2], odd.path], tmp_path / "merged")


def test_an_unfinished_shard_is_refused_and_counted(shards: list[Path], tmp_path: Path) -> None:
    partial = unfinished(shards[2], tmp_path / "partial", 20_000)
    judged = sum(1 for line in log_lines(partial) if "scores" in line)
    assert 0 < judged < 4
    with pytest.raises(RunDirectoryError, match=f"{4 - judged} dialogues are missing; resume the shards"):
        rlpa_bench.merge_runs([*shards[:2], partial], tmp_path / "merged")


def test_a_merge_overwrites_no_run(shards: list[Path], tmp_path: Path) -> None:
    there = files(shards[0])
    with pytest.raises(RunDirectoryError, match="already holds a run; choose another folder"):
        rlpa_bench.merge_runs(shards, shards[0])
    assert files(shards[0]) == there
