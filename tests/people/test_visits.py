"""People on the page, over HTTP: what comes of it is an ordinary run."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest
from people_kit import SMALL, Visitor, all_visit, held
from toyruns import files

import rlpa_bench
from rlpa_bench.comparison import compare
from rlpa_bench.leaderboard.prepare import prepare
from rlpa_bench.leaderboard.validate import validate
from rlpa_bench.people.begin import forget, from_run
from rlpa_bench.people.journal import opinions
from rlpa_bench.recompute import rebuild, rescore

NAMES = [f"visitor-{number:02d}" for number in range(20)]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> tuple[rlpa_bench.Run, list[Visitor]]:
    """Twenty people at once, two partners and three turns each."""
    out = tmp_path_factory.mktemp("crowd") / "run"

    async def scene() -> list[Visitor]:
        async with held(out, limit=20) as study:
            visitors = await all_visit(study.address, NAMES)
            await study.complete()
            return visitors

    visitors = asyncio.run(scene())
    return rlpa_bench.load_run(out), visitors


Crowd = tuple[rlpa_bench.Run, list[Visitor]]


def test_twenty_people_at_once_make_a_complete_run(crowd: Crowd) -> None:
    run, visitors = crowd
    assert run.info["counts"] == {"planned": 40, "played": 40, "failed": 0, "retried": 0}
    spoken = Counter(turn.user.text.split()[0] for d in run.dialogues() for turn in d.turns[1:])
    assert spoken == dict.fromkeys(NAMES, 2 * 2)  # two partners, and two messages after the protocol's Hello
    by_case = {d.case: {t.user.text.split()[0] for t in d.turns[1:]} for d in run.dialogues()}
    assert all(len(names) == 1 for names in by_case.values()), "a place belongs to one person"
    assert len({visitor.code for visitor in visitors}) == 20
    assert sum(1 for _ in run.scores()) > 1000


def test_what_they_disclose_is_read_from_their_words_and_marked(crowd: Crowd) -> None:
    turns = [turn for dialogue in crowd[0].dialogues() for turn in dialogue.turns[1:]]
    assert all(turn.user.extracted for turn in turns)
    told = [turn.user.disclosed for turn in turns]
    assert sum(bool(keys) for keys in told) > len(told) / 2


def test_ratings_and_corrections_stand_beside_the_transcripts_and_in_the_report(crowd: Crowd) -> None:
    run, _ = crowd
    said = opinions(run.path)
    assert len(said) == 40 and all(set(opinion.ratings) == {1, 2, 3} for opinion in said.values())
    assert all(opinion.missing.endswith("missed something") for opinion in said.values())
    row = run.summary["rows"]["echo"]
    grades = [grade for key, o in said.items() if key[0] == "echo" for grade in o.ratings.values()]
    assert row["rating"]["mean"] == pytest.approx(sum(grades) / len(grades)) and row["rating"]["scored"] == 60
    assert "rating" in (run.path / "report.html").read_text(encoding="utf-8")


def test_partners_are_blinded_and_come_in_an_order_of_their_own(crowd: Crowd) -> None:
    run, visitors = crowd
    for visitor in visitors:
        text = " ".join(visitor.seen)
        assert "scripted" not in text and '"echo"' not in text and "base" not in text.replace("baseball", "")
    first = []
    for line in map(json.loads, (run.path / "people.jsonl").read_text().splitlines()):
        if line["kind"] == "said" and line["person"] not in {person for person, _ in first}:
            first.append((line["person"], line["candidate"]))
    assert set(Counter(candidate for _, candidate in first)) == {"scripted/base", "echo"}


def test_every_command_reads_the_run(crowd: Crowd, tmp_path: Path) -> None:
    run, _ = crowd
    before = files(run.path)
    rebuild(run.path)
    assert files(run.path) == before
    again = rlpa_bench.run(**{**SMALL, "limit": 20, "simulator": "human", "controls": False}, out=run.path)
    assert files(run.path) == before and again.info["counts"]["played"] == 40
    rescore(run.path, judge="rules", cache=False)
    assert files(run.path) == before
    (pair,) = compare([run], column="profile F1").pairs
    assert {pair.a, pair.b} == {"echo", "scripted/base"}


def test_a_run_of_cards_can_be_submitted_and_validated(crowd: Crowd, tmp_path: Path) -> None:
    run, _ = crowd
    (folder,) = prepare([run.path], tmp_path / "packed", candidates=["echo"], submitter="somebody")
    verdict = validate(folder)
    assert verdict.accepted, verdict.findings.found


def test_equal_visits_in_another_order_give_equal_verdicts(tmp_path: Path) -> None:
    async def scene(out: Path) -> None:
        async with held(out) as study:
            async with Visitor(study.address, "first") as one, Visitor(study.address, "first") as two:
                await one.join()
                await two.join()
                for visitor in (one, two) if out.name == "a" else (two, one):
                    await visitor.until(lambda state: state["phase"] == "done")
            await study.complete()

    for name in ("a", "b"):
        asyncio.run(scene(tmp_path / name))
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_person_may_leave_early(out: Path) -> None:
    async def scene() -> None:
        async with held(out, limit=1) as study, Visitor(study.address) as visitor:
            await visitor.join()
            await visitor.until(lambda state: state["phase"] == "chat")
            await visitor.act("leave")
            await visitor.until(lambda state: state["phase"] == "done")
            await study.complete()

    asyncio.run(scene())
    ends = sorted(dialogue.ended for dialogue in rlpa_bench.load_run(out).dialogues())
    assert ends == ["schedule", "user: left"]


def test_people_who_play_themselves_are_the_gold(out: Path) -> None:
    facts = [{"slot": "Occupation", "value": "nurse"}, {"slot": "Age", "value": ""}]

    async def scene() -> None:
        settings = {"suite": "people", "options": ["suite.places=2"], "limit": None}
        async with held(out, persona="own", **settings) as study:
            async with Visitor(study.address) as one, Visitor(study.address) as two:
                await one.join(facts=facts)
                await two.join(facts=[{"slot": "Age", "value": "44"}])
                assert [item["value"] for item in one.state["card"]] == ["nurse"]
                await asyncio.gather(*(v.until(lambda state: state["phase"] == "done") for v in (one, two)))
            await study.complete()

    asyncio.run(scene())
    run = rlpa_bench.load_run(out)
    gold = run.cases["person-0001"].gold
    assert gold is not None and [(item.slot, item.value) for item in gold.items] == [("Occupation", "nurse")]
    assert run.summary["rows"]["echo"]["elicited"]["scored"] == 2
    assert "told of themselves" in run.unpublishable
    (person, *_) = [json.loads(line)["person"] for line in (out / "people.jsonl").read_text().splitlines()]
    forget(from_run(out), person)
    again = rlpa_bench.load_run(out).cases
    assert again["person-0001"].gold is None and again["person-0002"].gold is not None
    assert not any(b"nurse" in path.read_bytes() for path in out.rglob("*") if path.is_file())
