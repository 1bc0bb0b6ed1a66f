"""People beside simulators: known answers of `rlpa-bench card people`."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people_kit import SMALL, Visitor, all_visit, held

import rlpa_bench
from rlpa_bench.cards.opinions import concordance
from rlpa_bench.cards.people import people_card
from rlpa_bench.cards.people_files import markdown, picture, tables, write_card
from rlpa_bench.errors import UsageError

TERMS = {**SMALL, "limit": 4}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> rlpa_bench.Run:
    """The simulator agenda on the people's candidates and cases."""
    out = tmp_path_factory.mktemp("agenda") / "agenda"
    return rlpa_bench.run(**TERMS, controls=False, cache=False, out=out)


class Parrot(Visitor):
    """Says what the simulator said in this place, to the same partner."""

    def __init__(self, address: str, lines: dict[tuple[str, str, int], str], places: Any) -> None:
        super().__init__(address, "parrot")
        self.lines, self.places = lines, places

    def words(self) -> str:
        place = next(place for place in self.places.values() if place.person == self.state["person"])
        return self.lines[place.talk.unit.candidate, place.case.id, self.state["turn"] + 1]


@pytest.fixture(scope="module")
def parroted(simulated: rlpa_bench.Run, tmp_path_factory: pytest.TempPathFactory) -> rlpa_bench.Run:
    """People who say exactly what `agenda` says."""
    out = tmp_path_factory.mktemp("people") / "people"
    lines = {(d.candidate, d.case, turn.index): turn.user.text for d in simulated.dialogues() for turn in d.turns}

    async def scene() -> None:
        async with held(out, **TERMS) as study:
            for _ in range(4):
                async with Parrot(study.address, lines, study.study.places) as visitor:
                    await visitor.visit()
            await study.complete()

    asyncio.run(scene())
    return rlpa_bench.load_run(out)


def test_people_who_say_what_the_simulator_says_differ_from_it_in_nothing(
    parroted: rlpa_bench.Run, simulated: rlpa_bench.Run
) -> None:
    card = people_card(parroted, [simulated])
    assert card["people"] == 4 and card["dialogues"] == 8
    people, agenda = card["users"]["people (people)"], card["users"]["agenda (agenda)"]
    assert people["D(k) read"] == agenda["D(k) read"] and people["D(k) read"]["3"]["mean"] > 5
    assert people["words"] == agenda["words"]
    differences = card["differences"]["agenda (agenda)"]
    assert all(row["mean"] == 0 and row["profiles"] == 4 for row in differences.values())


def rewritten(run: rlpa_bench.Run, out: Path, change: Callable[[dict[str, Any]], None]) -> rlpa_bench.Run:
    """A copy of a run whose people answered otherwise."""
    import shutil

    shutil.copytree(run.path, out)
    lines = [json.loads(line) for line in (out / "people.jsonl").read_text().splitlines()]
    places = {line["person"]: line["case"] for line in lines if line["kind"] == "consent"}
    for line in lines:
        if line["kind"] != "consent":
            change({"line": line, "case": places[line["person"]]})
    (out / "people.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return rlpa_bench.load_run(out)


@pytest.mark.parametrize(
    ("good", "bad", "kappa", "share"), [(5, 1, 1.0, 1.0), (4, 3, 1.0, 1.0), (2, 2, 0.0, 0.5), (1, 5, None, 0.0)]
)
def test_agreement_of_people_who_know_the_verdicts(
    parroted: rlpa_bench.Run, tmp_path: Path, good: int, bad: int, kappa: float | None, share: float
) -> None:
    passed = {(s.candidate, s.case, s.turn): s.value == 1 for s in parroted.scores()
              if s.judge == "rules" and s.part == parroted.judges["rules"].alignment}  # fmt: skip
    assert 0 < sum(passed.values()) < len(passed)

    def answer(said: dict[str, Any]) -> None:
        line = said["line"]
        if line["kind"] == "rating":
            line["rating"] = good if passed[line["candidate"], said["case"], line["turn"]] else bad

    found = people_card(rewritten(parroted, tmp_path / "run", answer))["verdicts"]["rules"]
    assert found["turns"] == len(passed) and found["concordance"] == share
    assert found["kappa"] < 0 if kappa is None else found["kappa"] == pytest.approx(kappa)


def test_people_who_know_the_gold_agree_with_the_matching(tmp_path: Path) -> None:
    from rlpa_bench.free_matching import matcher
    from rlpa_bench.ontology import Ontology
    from rlpa_bench.types import Item

    async def scene() -> None:
        async with held(tmp_path / "frank", limit=1, baseline="echo") as study:
            await all_visit(study.address, ["frank"])
            await study.complete()

    asyncio.run(scene())
    frank, ontology = rlpa_bench.load_run(tmp_path / "frank"), Ontology.load()

    def answer(said: dict[str, Any]) -> None:
        if said["line"]["kind"] == "profile":
            gold = frank.cases[said["case"]].gold
            assert gold is not None
            by = matcher(gold.items, ontology)
            for item in said["line"]["items"]:
                mine = by.resolve([Item(item["slot"], item["value"])])
                right = any(by.weight(one, fact) == 1 for one in mine for fact in by.resolve(gold.items))
                item["answer"], item["correction"] = ("right", "") if right else ("wrong", "something else")

    found = people_card(rewritten(frank, tmp_path / "run", answer))["profile"]
    assert found["right"] > 0 and found["wrong"] > 0 and found["corrected"] == found["wrong"]
    assert found["beside the matching"]["kappa"] == 1


@given(st.dictionaries(st.tuples(st.integers(0, 3), st.integers(1, 5)), st.integers(1, 4), max_size=8))
def test_concordance_is_what_it_says(counts: dict[tuple[int, int], int]) -> None:
    flat = list(Counter(counts).elements())
    pairs = [(a, b) for a in flat for b in flat if a[0] > b[0]]
    expected = sum((a[1] > b[1]) + (a[1] == b[1]) / 2 for a, b in pairs) / len(pairs) if pairs else None
    assert concordance(Counter({(float(v), g): n for (v, g), n in counts.items()})) == (
        None if expected is None else pytest.approx(expected)
    )


def test_the_files_say_the_same(parroted: rlpa_bench.Run, simulated: rlpa_bench.Run, tmp_path: Path) -> None:
    card = people_card(parroted, [simulated])
    write_card(card, tmp_path)
    assert json.loads((tmp_path / "people.json").read_text()) == json.loads(json.dumps(card))
    assert (tmp_path / "disclosure.svg").read_text() == picture(card) and picture(card).count('class="line"') == 4
    assert "## Judges beside people's grades" in markdown(card) == (tmp_path / "people.md").read_text()
    assert {title for title, _, rows in tables(card) if rows} >= {"Users", "Candidates", "Inferred lines"}
    assert len((tmp_path / "disclosure.csv").read_text().splitlines()) == 1 + 2 * 2 * 3


def test_runs_without_people_or_without_a_common_dialogue_are_refused(
    parroted: rlpa_bench.Run, simulated: rlpa_bench.Run, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="has no ratings of people"):
        people_card(simulated)
    other = rlpa_bench.run("training", baseline="null", controls=False, limit=2, turns=2, out=tmp_path / "other")
    with pytest.raises(UsageError, match="no finished dialogue of the same candidate and case"):
        people_card(parroted, [other])
    command = [sys.executable, "-m", "rlpa_bench", "card", "people", str(simulated.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 2 and "has no ratings of people" in done.stderr and "Traceback" not in done.stderr
