"""Saved states of a run, taken up again with one answer changed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import culprits
import pytest
from click.testing import CliRunner
from rlpa_bench_plugins.baselines.common import Control
from toys import Plugin

import rlpa_bench
from rlpa_bench.cli.main import cli
from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import Baseline
from rlpa_bench.replay import COLUMNS, probes, replay, summary
from rlpa_bench.types import Item, Output, View


class Sayer(Control):
    """Writes the user's latest sentence into the profile, whatever it says."""

    name = "sayer"

    async def respond(self, view: View) -> Output:
        words = view.user.translate(str.maketrans("", "", "<>"))
        return self.write([Item("", line) for line in words.split(". ")], f"Well, {words}")


class Moody(Control):
    """Answers a user once, and no more."""

    name = "moody"
    answers = True

    async def respond(self, view: View) -> Output:
        if not self.answers:
            raise ProviderError("out of order", reason="503")
        return self.write([], "I see.")


class Kit:
    baselines: list[type[Baseline]] = [culprits.Attentive, culprits.Intrusive, Sayer, Moody]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> rlpa_bench.Run:
    return rlpa_bench.run(
        suite="training", baseline="attentive,intrusive,sayer,null,prior,moody", controls=False, judge="profile",
        limit=6, cache=False, preflight=False, plugins=[Plugin(*Kit.baselines)],
        out=tmp_path_factory.mktemp("replay") / "run",
    )  # fmt: skip


@pytest.fixture(scope="module")
def table(run: rlpa_bench.Run) -> dict[str, dict[str, float]]:
    lines = asyncio.run(replay(run, plugins=[Plugin(*Kit.baselines)]))
    return {name: {column: cell.mean for column, cell in row.items()} for name, row in summary(lines).items()}


def test_who_listens_follows_the_changed_answer_and_heeds_the_recorded_one(table: dict[str, dict[str, float]]) -> None:
    for name in ("attentive", "intrusive"):
        assert table[name]["follows"] == table[name]["heeds"] == table[name]["adapts"] == 100
        assert table[name]["unmoved by words"] == 100


def test_who_does_not_listen_adapts_to_nothing(table: dict[str, dict[str, float]]) -> None:
    for name in ("null", "prior"):
        assert table[name]["adapts"] == 0
    assert table["null"]["reply changes"] == 0
    assert table["null"]["unmoved by words"] == 100


def test_a_reply_that_repeats_the_user_changes_with_every_answer(table: dict[str, dict[str, float]]) -> None:
    assert table["sayer"]["reply changes"] == 100
    assert table["attentive"]["reply changes"] < 100


def test_the_same_answer_gives_the_same_output_again(table: dict[str, dict[str, float]]) -> None:
    assert {row["repeats itself"] for row in table.values()} == {100}


def test_the_changed_state_differs_in_one_fact_only(run: rlpa_bench.Run) -> None:
    found = list(probes(run))
    assert len(found) >= 15
    for probe in found:
        assert probe.fact.slot == probe.other.slot and probe.fact.key != probe.other.key
        assert probe.same.turns == probe.changed.turns == probe.reworded.turns
        assert probe.changed.user.text != probe.same.user.text != probe.reworded.user.text
        assert probe.changed.disclosed is not None and probe.same.disclosed is not None
        assert set(probe.changed.disclosed) ^ set(probe.same.disclosed) == {probe.fact.key, probe.other.key}
        assert probe.reworded.disclosed == probe.same.disclosed


def test_at_most_so_many_states_of_the_named_candidates(run: rlpa_bench.Run) -> None:
    lines = asyncio.run(replay(run, candidates=["prior"], limit=2))
    assert [line["candidate"] for line in lines] == ["prior", "prior"]
    assert (run.path / "replay.jsonl").read_bytes().count(b"\n") == 2
    with pytest.raises(UsageError, match=r"has no candidate 'nobody'; it has attentive, intrusive"):
        asyncio.run(replay(run, candidates=["nobody"]))


def test_the_command_prints_a_table_and_writes_every_reply(run: rlpa_bench.Run) -> None:
    done = CliRunner().invoke(cli, ["replay", str(run.path), "--candidate", "prior", "--limit", "3"])
    assert done.exit_code == 0, done.output
    assert "unmoved" in done.output and "prior" in done.output
    lines = [json.loads(line) for line in (run.path / "replay.jsonl").read_text().splitlines()]
    assert len(lines) == 3
    assert set(lines[0]["output"]) == {"same", "reworded", "other"} and set(COLUMNS) <= set(lines[0])


def test_a_state_that_is_not_answered_is_counted_and_no_number(
    run: rlpa_bench.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Moody, "answers", False)
    plugins = [Plugin(*Kit.baselines)]
    lines = asyncio.run(replay(run, candidates=["moody", "prior"], limit=1, plugins=plugins))
    assert [line.get("failed") for line in lines] == [None, "503: out of order"]
    assert set(summary(lines)) == {"prior"}


def test_a_run_without_states_to_change_is_said_so(tmp_path: Path) -> None:
    rlpa_bench.run(suite="training", baseline="null", controls=False, judge="profile", limit=1, turns=1, cache=False,
                   preflight=False, out=tmp_path / "run")  # fmt: skip
    done = CliRunner().invoke(cli, ["replay", str(tmp_path / "run")])
    assert done.exit_code == 0 and "In no turn of this run" in done.output
