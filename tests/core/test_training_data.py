"""SFT and DPO data: two replies a state, a judge that picks, a coin that continues, standard rows, a card."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toys import Plugin, ToyJudge, ToyModel, ToySimulator, ToySuite, case, reply

from rlpa_bench.cli.main import cli
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import RunDirectoryError, SimulatorError, UsageError
from rlpa_bench.interfaces import Generation, Guide, Judge, Part, Sampling
from rlpa_bench.options import Options
from rlpa_bench.training_data import Recipe, build, choose, rows
from rlpa_bench.types import Case, Output, PairSubject, Session, State, TurnSubject, Utterance, Verdict


class Pool(ToySuite):
    """Users to train on."""

    name = "pool"
    protocol = "pool/1"

    def cases(self) -> list[Case]:
        return [replace(case(i, (Session(4, "Hello"),)), templates="training") for i in range(5)]


class Writer(ToyModel):
    """Speaks of what the hint says, or else asks something general."""

    name = "writer"

    async def generate(self, messages: Any, sampling: Sampling, guide: Guide | None) -> Generation:
        hinted = "So far the person" in messages[0].content
        return Generation(
            reply(f"{'So you are busy' if hinted else 'Well'} {sampling.seed}?", "- Age: 30"), "stop", 9, 5
        )


class Longer(Judge):
    """Prefers the reply that was hinted at; both stand to choice in the order given."""

    name = "longer"
    Options = Options
    target = "pair"
    parts = {"preference": Part()}
    seen: list[PairSubject] = []

    async def judge(self, subject: PairSubject) -> Mapping[str, Verdict]:
        self.seen.append(subject)
        one, two = ("busy" in each.reply for each in (subject.first, subject.second))
        return {"preference": Verdict(0.5 + (one - two) / 2, raw="because")}


class Broken(ToySimulator):
    """Fails in the third turn."""

    name = "broken"

    async def reply(self, state: State) -> Utterance:
        if len(state.turns) == 2:
            raise SimulatorError("no more", reason="gone")
        return await super().reply(state)


KIT = [Plugin(Pool, ToySuite, ToySimulator, Broken, ToyJudge, Longer, Writer)]
RECIPE = Recipe("pool", "writer", "toy", "longer")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def make(out: Path, **changes: Any) -> Path:
    return build(replace(RECIPE, **changes), out, plugins=KIT, cache=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("data") / "out")


def test_every_row_has_the_whole_history_and_no_hint(data: Path) -> None:
    tree = {line["id"]: line for line in lines(data / "tree.jsonl")}
    for row in lines(data / "sft.jsonl"):
        name, _, number = row["id"].rpartition("/")
        turns = tree[name]["turns"][: int(number)]
        spoken = [message["content"] for message in row["messages"] if message["role"] == "user"]
        assert spoken == [turn["user"] for turn in turns], "ALOE's rows repeat the first message"
        assert [message["role"] for message in row["messages"]] == ["system", *["user", "assistant"] * len(turns)]
        assert "So far the person" not in row["messages"][0]["content"]


def test_the_history_is_the_reply_on_which_the_coin_fell(data: Path) -> None:
    fallen = set()
    for dialogue in lines(data / "tree.jsonl"):
        for before, turn in zip(dialogue["turns"], dialogue["turns"][1:], strict=False):
            raw = before["replies"][before["continued"]]
            assert turn["prompt"][-2]["content"].strip() == raw.strip()
            fallen.add(before["continued"])
    assert fallen == {"base", "hinted"}


def test_pairs_are_whole_messages_and_the_preferred_one_is_chosen(data: Path) -> None:
    pairs = lines(data / "dpo.jsonl")
    assert len(pairs) == len(lines(data / "sft.jsonl")) > 10
    for pair in pairs:
        (chosen,), (rejected,) = pair["chosen"], pair["rejected"]
        assert chosen["role"] == rejected["role"] == "assistant"
        assert "busy" in chosen["content"] and "Well" in rejected["content"], "ALOE's rejected is one character"
        assert pair["prompt"][-1]["role"] == "user"


def test_without_a_hint_yet_two_different_replies_are_written_and_a_tie_makes_no_pair(data: Path) -> None:
    for dialogue in lines(data / "tree.jsonl"):
        first = dialogue["turns"][0]
        assert first["replies"]["base"] != first["replies"]["hinted"]
        assert first["choice"] == {"preferred": "", "raw": "because", "why": "tie"}


def test_the_card_and_the_counts_say_what_is_in_it(data: Path) -> None:
    said = json.loads((data / "data.json").read_bytes())
    counts, card = said["counts"], (data / "README.md").read_text()
    assert (counts["dialogues"], counts["turns"], counts["profiles"]) == (5, 20, 5)
    assert counts["pairs"] + sum(counts["no pair"].values()) == 20
    assert counts["preferred"] == {"hinted": counts["pairs"]}
    assert f"| pairs | {counts['pairs']} |" in card and "no person wrote or rated a line" in card
    assert all(sha in card for sha in said["files"].values())
    seen = json.loads((data / "trained_on.json").read_bytes())
    assert seen["suite"] == "pool" and seen["judges"] == ["longer"] and seen["simulator"] == "toy"
    assert len(seen["profiles"]) == 5


def test_equal_work_gives_equal_bytes_and_a_kill_loses_at_most_what_was_under_way(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    out.mkdir()
    tree = (data / "tree.jsonl").read_bytes()
    (out / "data.json").write_bytes((data / "data.json").read_bytes())
    (out / "tree.jsonl").write_bytes(tree[: len(tree) * 2 // 3])
    Longer.seen.clear()
    make(out)
    for name in ("tree.jsonl", "sft.jsonl", "dpo.jsonl", "README.md", "trained_on.json"):
        assert (out / name).read_bytes() == (data / name).read_bytes(), name
    assert 0 < len(Longer.seen) < 20


def test_another_recipe_in_the_same_folder_is_refused(data: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"recipe.seeds was 1, now 2; choose another --out"):
        make(data, seeds=2)


def test_users_for_evaluation_are_refused(out: Path) -> None:
    with pytest.raises(UsageError, match="is for evaluation"):
        make(out, suite="toy")
    assert not out.exists()


def test_a_dialogue_that_fails_keeps_its_turns(out: Path) -> None:
    make(out, simulator="broken")
    said = json.loads((out / "data.json").read_bytes())
    assert said["counts"]["failed"] == {"dialogue: gone": 5}
    assert said["counts"]["turns"] == 10
    assert lines(out / "dpo.jsonl")


def test_a_judge_of_turns_picks_by_its_reward(out: Path) -> None:
    class Busy(ToyJudge):
        name = "asks"

        async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
            return {"asks": Verdict(float("Well" in subject.reply)), "length": Verdict(1.0)}

    kit = [Plugin(Pool, ToySimulator, Busy, Writer)]
    build(replace(RECIPE, judge="asks"), out, plugins=kit, cache=False)
    assert {t["choice"]["preferred"] for d in lines(out / "tree.jsonl") for t in d["turns"]} == {"base", ""}


@pytest.mark.parametrize(
    ("one", "two", "preferred", "why"),
    [
        ("no blocks", reply("Good."), "b", "contract"),
        (reply("Good."), "no blocks", "a", "contract"),
        ("no", "blocks", "", "both break the contract"),
        (reply("Same."), reply("Same.", "- Age: 31"), "", "equal replies"),
        (reply("How busy!"), reply("Hm."), "a", "longer"),
        (reply("Hm."), reply("Well."), "", "tie"),
    ],
)
def test_what_decides(one: str, two: str, preferred: str, why: str) -> None:
    env = DialogueEnv(None, [Longer(Options(), None)])  # type: ignore[arg-type]
    state = State(case(), 0, Utterance("Hello"))
    choice = asyncio.run(choose(env, state, {"a": Output(one), "b": Output(two)}))
    assert (choice.preferred, choice.why) == (preferred, why)


def test_a_verdict_that_failed_makes_no_pair() -> None:
    class Mute(Longer):
        async def judge(self, subject: PairSubject) -> Mapping[str, Verdict]:
            return {"preference": Verdict(None, "error", "unparseable: nonsense", "???")}

    env = DialogueEnv(None, [Mute(Options(), None)])  # type: ignore[arg-type]
    state = State(case(), 0, Utterance("Hello"))
    choice = asyncio.run(choose(env, state, {"a": Output(reply("One.")), "b": Output(reply("Two."))}))
    assert (choice.preferred, choice.why, choice.raw) == ("", "error: unparseable", "???")


def test_a_broken_reply_is_rejected_as_it_was_written() -> None:
    turn = {
        "turn": 1, "prompt": [], "replies": {"base": "oops", "hinted": reply("Good.")},
        "choice": {"preferred": "hinted"},
    }  # fmt: skip
    ((sft, dpo),) = rows({"id": "x/0", "turns": [turn]})
    assert dpo["rejected"] == [{"role": "assistant", "content": "oops"}]
    assert sft["messages"] == dpo["chosen"] and "Good." in sft["messages"][0]["content"]


def test_the_command_builds_data_from_the_training_pool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["data", "build", "--suite", "training", "--model", "scripted", "--judge", "rules", "--limit", "2"]
    out = tmp_path / "data"
    assert cli([*command, "--turns", "3", "--no-cache", "--out", str(out)], standalone_mode=False) == 0
    assert "turns: 6" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} >= {"sft.jsonl", "dpo.jsonl", "README.md", "trained_on.json"}
