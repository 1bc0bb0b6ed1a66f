"""Matrices of the toys: ordinary runs, gone on with, added to, and refused where terms differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from toyruns import files, play
from toys import Counter, Plain, Plugin, ToyJudge, ToyModel, ToySimulator, ToySuite

from rlpa_bench.errors import RunDirectoryError, UsageError
from rlpa_bench.interfaces import Part
from rlpa_bench.matrix import View, load_matrix, matrix, read_grid
from rlpa_bench.matrix.files import write_analysis
from rlpa_bench.runs import load_run
from rlpa_bench.types import State, TurnSubject, Utterance, Verdict


class OtherSimulator(ToySimulator):
    """Says nothing of itself."""

    name = "other"

    async def reply(self, state: State) -> Utterance:
        type(self).calls += 1
        return Utterance(f"You said: {state.turns[-1].response}", ())


class OtherJudge(ToyJudge):
    """From 1 to 5 by the length of the reply; counts what it was asked."""

    name = "long"
    parts = {"long": Part(1, 5)}
    reward = ()
    alignment = "long"
    other_gold = False
    asked = 0

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        type(self).asked += 1
        return {"long": Verdict(float(min(5, 1 + len(subject.reply) // 10)))}


class Trained(Counter):
    """A candidate that says what it was trained on."""

    name = "trained"

    @property
    def trained_on(self) -> Mapping[str, Any]:
        return {"recipe": "ppo", "simulator": "toy", "judges": ["asks"]}


KIT = (ToySuite, ToySimulator, OtherSimulator, ToyJudge, OtherJudge, ToyModel, Plain, Counter, Trained)
TERMS: dict[str, Any] = {
    "suite": "toy", "model": "toy", "baseline": "plain,counter,trained", "simulator": "toy,other",
    "judge": "asks,long", "cache": False, "preflight": False,
}  # fmt: skip


def made(out: Path, **terms: Any) -> Any:
    return matrix(**{**TERMS, **terms}, plugins=[Plugin(*KIT)], out=out)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("matrix") / "whole"
    made(out)
    return out


def test_it_is_made_of_ordinary_runs(whole: Path) -> None:
    loaded = load_matrix(whole)
    assert list(loaded.runs) == ["toy", "other"]
    for simulator, run in loaded.runs.items():
        assert load_run(run.path).info["simulator"] == simulator
        assert list(run.judges) == ["asks", "long"]
        assert (run.path / "report.html").is_file()
    one, other = loaded.runs.values()
    assert list(one.cases) == list(other.cases)


def test_the_grid_is_that_of_the_runs_tables_on_one_scale(whole: Path) -> None:
    loaded = load_matrix(whole)
    grid = read_grid(list(loaded.runs.values()))
    assert grid.views == tuple(View(s, j) for s in ("toy", "other") for j in ("asks", "long"))
    assert grid.trained == {"trained": ("toy",)}
    cell = grid.cells["counter", View("toy", "long")]
    shown = loaded.runs["toy"].summary["rows"]["counter"]["AVG[long]"]
    assert cell.mean == pytest.approx((shown["mean"] - 1) * 25)
    assert cell.cases["case-0"] == pytest.approx((shown["cases"]["case-0"] - 1) * 25)


def test_figures_as_files(whole: Path, tmp_path: Path) -> None:
    analysis = load_matrix(whole).analysis()
    write_analysis(analysis, tmp_path)
    record = json.loads((tmp_path / "analysis.json").read_bytes())
    assert len(record["cells"]) == 3 * 4
    assert record["trained_on"] == {"trained": ["toy"]}
    assert {row["candidate"] for row in record["degradation"] if row["trained"]} == {"trained"}
    text = (tmp_path / "matrix.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| trained |")).split("|")
    assert [("▲" in cell) for cell in row[2:6]] == [True, True, False, False]
    picture = (tmp_path / "heatmap.svg").read_text()
    assert picture.count("<rect") == 1 + 3 * 4 and picture.count("▲") == 2 + 1
    for name in ("cells", "degradation", "stability", "variance"):
        assert (tmp_path / f"{name}.csv").read_text().count("\n") > 1


def test_any_subset_of_candidates_and_judges(whole: Path) -> None:
    part = load_matrix(whole).analysis(judges=("asks",), candidates=("counter", "trained"))
    assert part.grid.candidates == ("counter", "trained") and part.grid.judges == ("asks",)
    with pytest.raises(UsageError, match=r"no run has the judge 'nonsense'; there are asks, long"):
        load_matrix(whole).analysis(judges=("nonsense",))


def test_simulators_and_judges_are_added_and_nothing_is_asked_twice(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "grown"
    ToySimulator.calls, OtherJudge.asked = 0, 0
    made(out, simulator="toy", judge="asks")
    turns = ToySimulator.calls
    made(out, simulator="toy", judge="asks,long")
    assert ToySimulator.calls == turns and OtherJudge.asked == 3 * 6 * 5
    OtherSimulator.calls = 0
    made(out)
    assert ToySimulator.calls == turns
    assert OtherSimulator.calls == 3 * 6 * 4
    assert OtherJudge.asked == 2 * 3 * 6 * 5
    for name in ("toy", "other"):
        assert files(out / "runs" / name)["summary.json"] == files(whole / "runs" / name)["summary.json"]


def test_an_interrupted_matrix_goes_on_where_it_stopped(whole: Path, tmp_path: Path) -> None:
    class Stops(OtherSimulator):
        async def reply(self, state: State) -> Utterance:
            if state.case.id == "case-3":
                raise KeyboardInterrupt
            return await super().reply(state)

    out = tmp_path / "stopped"
    kit = [Stops if part is OtherSimulator else part for part in KIT]
    with pytest.raises(KeyboardInterrupt):
        matrix(**TERMS, plugins=[Plugin(*kit)], out=out)
    ToySimulator.calls = 0
    made(out)
    assert ToySimulator.calls == 0
    assert files(out / "runs" / "other") == files(whole / "runs" / "other")


def test_other_terms_are_refused_with_the_difference(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"other terms: seeds was 1, now 2"):
        made(whole, seeds=2)
    with pytest.raises(RunDirectoryError, match="opening"):
        made(whole, options=["suite.opening=Hi"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    with pytest.raises(RunDirectoryError, match="not empty and holds no matrix"):
        made(tmp_path / "full")
    with pytest.raises(RunDirectoryError, match="holds no matrix"):
        load_matrix(tmp_path)


def test_wrong_names_are_said_in_a_sentence(tmp_path: Path) -> None:
    for terms, words in (
        ({"simulator": "toy,toy"}, "simulator 'toy' occurs twice"),
        ({"judge": ""}, "needs a simulator and a judge"),
        ({"options": ["simulator.agenda.may_leave=true"]}, "options of simulator 'agenda' fit none"),
    ):
        with pytest.raises(UsageError, match=words):
            made(tmp_path / "wrong", **terms)


def test_options_of_one_simulator_reach_it_alone(tmp_path: Path) -> None:
    out = tmp_path / "optioned"
    terms = {"suite": "aloe", "model": "", "baseline": "echo", "judge": "rules", "limit": 1, "turns": 2}
    options = ["simulator.agenda.may_leave=true"]
    made(out, **terms, simulator="agenda,reciprocal", options=options)
    used = {name: load_run(out / "runs" / name).info["identity"]["options"] for name in ("agenda", "reciprocal")}
    assert used["agenda"]["simulators/agenda"] == {"may_leave": True}
    assert used["reciprocal"]["simulators/reciprocal"] == {"may_leave": False}


def test_unlike_runs_are_no_matrix(whole: Path, tmp_path: Path) -> None:
    run = play(tmp_path / "run", simulator="toy", suite="toy", seeds=1, options=["suite.opening=Good day"])
    with pytest.raises(UsageError, match="cannot be one matrix: cases"):
        read_grid([load_matrix(whole).runs["other"], run])
    with pytest.raises(UsageError, match="was played with toy in two of the runs"):
        read_grid([load_matrix(whole).runs["toy"]] * 2)
