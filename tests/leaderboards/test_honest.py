"""Honest submissions of every kind are accepted, with the tier and the flags that they deserve."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from leaderboard_kit import PLUGIN, SMALL, play_systems, submit
from toyruns import play
from toys import Plugin

import rlpa_bench
from rlpa_bench.errors import UsageError
from rlpa_bench.leaderboard.validate import validate
from rlpa_bench.recompute import merge_runs, rescore
from rlpa_bench.types import State, Utterance

Make = Callable[[Path], rlpa_bench.Run]


def system(baseline: str, **terms: Any) -> Make:
    small = {"seeds": 1, "limit": 5, "baseline": baseline}
    return lambda out: play_systems(out, **{**small, **terms})


def by_hand(out: Path) -> rlpa_bench.Run:
    """A person as the user: nobody knows what the words disclose, one leaves early."""
    from rlpa_bench_plugins.simulators.human import HumanSimulator

    class Typed(HumanSimulator):
        """Types what a person typed."""

        name = "typed"

        async def _said(self, state: State) -> Utterance:
            text = state.turns[-1].response
            left = len(text) % 3 == 0
            return Utterance(f"I heard {text[:20]}", None, ends="left" if left else "")

    rlpa_bench.run(**{**SMALL, "seeds": 1, "limit": 5, "model": "chatty", "baseline": "plain", "simulator": "typed"},
                   plugins=[PLUGIN, Plugin(Typed)], out=out)  # fmt: skip
    by_hand.plugin = Plugin(Typed)  # type: ignore[attr-defined]
    return rlpa_bench.load_run(out)


def sharded(out: Path) -> rlpa_bench.Run:
    parts = [play_systems(out / str(i), baseline="plain", limit=5, seeds=1, shard=(i, 2)).path for i in (0, 1)]
    return merge_runs(parts, out / "whole")


def judged_again(out: Path) -> rlpa_bench.Run:
    play_systems(out, baseline="plain", limit=5, seeds=1)
    return rescore(out, judge="fickle", repeats=2, cache=False, plugins=[PLUGIN])


HONEST: dict[str, tuple[Make, str, set[str]]] = {
    "a model": (system("plain"), "T2", set()),
    "a baseline with memory": (system("taught"), "T2", set()),
    "one case": (system("plain", limit=1), "T2", set()),
    "one turn": (system("plain", turns=1), "T2", set()),
    "fourteen turns": (system("plain", turns=14, limit=3), "T2", set()),
    "three seeds": (system("plain", seeds=3, limit=3), "T2", set()),
    "all cases": (system("null", limit=None, turns=2), "T3", {"constant"}),
    "null": (system("null"), "T3", {"constant", "repeated-dialogues"}),
    "echo": (system("echo"), "T3", set()),
    "scribe": (system("scribe"), "T3", {"disclosed"}),
    "asker": (system("asker"), "T3", {"disclosed"}),
    "prior": (system("prior"), "T3", set()),
    "bayes-elicitor": (system("bayes-elicitor"), "T3", set()),
    "lookup": (system("lookup", turns=10), "T3", {"knows-undisclosed"}),
    "injector": (system("injector"), "T3", {"injection", "repeated-dialogues"}),
    "failures": (system("rude", limit=12), "T2", {"incomplete"}),
    "truncated outputs": (system("plain", options=["model.max_tokens=30"]), "T2", {"incomplete"}),
    "a user who may leave": (system("plain", turns=12, options=["simulator.may_leave=true"]), "T2", set()),
    "a declared grant": (system("leaky"), "T2", {"gold", "constant", "repeated-dialogues"}),
    "another opening": (system("plain", options=["suite.opening=Good evening!"]), "T2", set()),
    "one judge": (system("plain", judge="rules"), "T2", set()),
    "a judge that varies": (
        system("plain", judge="fickle,profile", repeats=2),
        "T1",
        {"incomplete", "judge-not-reread"},
    ),
    "a judge with a model": (
        system(
            "plain",
            judge="rules,rlpa-gate",
            repeats=2,
            turns=3,
            options=["judge.model=critic", "judge.rlpa-gate.reasons=false", "judge.rlpa-gate.other_gold=true"],
        ),
        "T1",
        set(),
    ),
    "another sampling": (system("plain", options=["model.temperature=0.2", "model.top_p=0.9"]), "T2", set()),
    "a person as the user": (by_hand, "T2", {"user-not-replayed", "incomplete"}),
    "merged shards": (sharded, "T2", set()),
    "judged again": (judged_again, "T1", {"judge-not-reread"}),
    "the training pool": (system("plain", suite="training"), "T2", set()),
}


@pytest.mark.parametrize("kind", HONEST)
def test_an_honest_submission_is_accepted(kind: str, tmp_path: Path) -> None:
    make, tier, flags = HONEST[kind]
    run = make(tmp_path / "run")
    name = run.info["plan"]["candidates"][-1]
    folder = submit(run, tmp_path / "out", candidates=[name])
    more = [by_hand.plugin] if kind == "a person as the user" else []  # type: ignore[attr-defined]
    checked = validate(tmp_path / "out", plugins=[PLUGIN, *more])
    assert checked.accepted, checked.record()["findings"]
    assert checked.result is not None and folder
    assert checked.result.tier == tier
    assert set(checked.result.flags) == flags
    cells = run.summary["rows"][name]
    assert {name: cell["mean"] for name, cell in checked.result.row.items()} == {n: c["mean"] for n, c in cells.items()}


@pytest.mark.parametrize(("option", "text"), [("nonsense", "is not KIND.option"), ("suite.nope=3", "no suite has an")])
def test_wrong_options_are_the_validators_and_raise(option: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=text):
        validate(tmp_path, options=[option])


def test_a_third_partys_suite_is_accepted_where_it_is_installed(tmp_path: Path) -> None:
    run = play(tmp_path / "run", seeds=1)
    from toys import Plugin as Toys

    folders = submit(run, tmp_path / "out", plugins=[Toys()])

    for name, folder in folders.items():
        checked = validate(folder, plugins=[Toys()])
        assert checked.accepted, (name, checked.record()["findings"])
        assert checked.result and "user-not-replayed" in checked.result.flags
    refused = validate(folder)
    assert not refused.accepted and refused.findings.verdict("terms") == "fail"
    assert "toy" in refused.findings.found[-1].text
