"""Nobody comes to other people's data, and what is taken back is gone."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from people_kit import Visitor, all_visit, eventually, held
from toyruns import log_lines

import rlpa_bench
from rlpa_bench.errors import UsageError
from rlpa_bench.leaderboard.prepare import prepare
from rlpa_bench.people import begin
from rlpa_bench.recompute import rebuild

SECRET = "xylophonist"
"""A word that only one person says."""


def holding(run: Path, word: str) -> list[str]:
    """The files of a run in which a word stands."""
    return sorted(p.name for p in run.rglob("*") if p.is_file() and word.encode() in p.read_bytes())


def test_without_the_code_there_is_no_way_to_a_persons_data(out: Path) -> None:
    async def scene() -> None:
        async with held(out) as study, Visitor(study.address, SECRET) as victim, Visitor(study.address) as other:
            await victim.join()
            await victim.until(lambda state: state["turn"] == 2)
            person, case = victim.state["person"], next(iter(study.study.places))[0]
            guesses = [
                person,
                case,
                "0",
                "1",
                "",
                sha256(victim.code.encode()).hexdigest(),
                victim.code[:-1],
                "../people",
            ]
            for guess in guesses:
                other.code = guess
                for path in ("/api/state", "/api/export"):
                    status, answer = await other.ask(path)
                    assert status == 401 and set(answer) == {"error"}, (guess, answer)
                for action in ("say", "leave", "rate", "confirm", "delete"):
                    status, _ = await other.ask(f"/api/{action}", {"text": "hi", "turn": 1, "rating": 1, "items": []})
                    assert status == 401, (guess, action)
            await other.join()
            wanted = {"person": person, "case": case, "code": victim.code, "seed": 0}
            for path in (
                "/api/state",
                "/api/export",
                f"/api/state?person={person}&case={case}",
                f"/api/export?code={person}",
            ):
                status, _ = await other.ask(path)
                assert status == 200
            await other.ask("/api/rate", {**wanted, "turn": 1, "rating": 5})
            assert SECRET not in " ".join(other.seen) and person not in " ".join(other.seen)
            ratings = [line for line in map(json.loads, (out / "people.jsonl").read_text().splitlines())
                       if line["kind"] == "rating" and line["person"] == person]  # fmt: skip
            assert all(line["rating"] != 5 for line in ratings)

    asyncio.run(scene())


def test_there_is_nothing_behind_other_addresses(out: Path) -> None:
    paths = [
        *("/people.jsonl", "/../people.jsonl", "/..%2fpeople.jsonl", "/%2e%2e/run.json", "/api/../people.jsonl"),
        *("/api/export/p-1", "/api/state/0", "/static/../../run.json", "//etc/passwd", "/.lock", "/log/0000.jsonl"),
    ]

    async def get(address: str, path: str) -> bytes:
        host, port = address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))  # a client would tidy the path
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer

    async def scene() -> list[bytes]:
        async with held(out, limit=1) as study, Visitor(study.address, SECRET) as visitor:
            await visitor.join()
            await visitor.until(lambda state: state["turn"] == 1)
            return [await get(study.address, path) for path in paths]

    for path, answer in zip(paths, asyncio.run(scene()), strict=True):
        assert answer.split()[1] in (b"404", b"400", b"405"), (path, answer)
        assert SECRET.encode() not in answer and b"person" not in answer and b"root:" not in answer


def test_other_sites_cannot_send_requests(out: Path) -> None:
    async def scene() -> None:
        async with held(out, limit=1) as study, Visitor(study.address) as visitor:
            body = {"agreed": True, "publish": True}
            for headers, status in (
                ({"Origin": "http://evil.example"}, 403),
                ({"Origin": "null"}, 403),
                ({"Host": "evil.example"}, 421),
            ):
                got, answer = await visitor.ask("/api/join", body, headers=headers)
                assert got == status and set(answer) == {"error"}
            async with visitor._http.post(f"{study.address}/api/join", data=json.dumps(body)) as answer:
                assert answer.status == 415  # what a form of another site can send without being asked
            assert not any(place.person for place in study.study.places.values())
            async with visitor._http.get(f"{study.address}/") as page:
                assert "Set-Cookie" not in page.headers and page.headers["Cache-Control"] == "no-store"
                assert "default-src 'none'" in page.headers["Content-Security-Policy"]
                assert "Access-Control-Allow-Origin" not in page.headers

    asyncio.run(scene())


def test_it_listens_on_this_machine_only_unless_told_otherwise() -> None:
    from rlpa_bench.cli.serve_human import command

    host = next(param for param in command.params if param.name == "host")
    assert host.default == "127.0.0.1"


def test_the_code_and_the_address_are_kept_nowhere(out: Path) -> None:
    async def scene() -> str:
        async with held(out) as study, Visitor(study.address) as visitor:
            await visitor.join()
            await visitor.until(lambda state: state["turn"] == 2)
            return visitor.code

    code = asyncio.run(scene())
    assert len(code) >= 43 and holding(out, code) == [] and holding(out, "127.0.0.1") == []
    assert holding(out, sha256(code.encode()).hexdigest()) == ["people.jsonl"]
    line = json.loads((out / "people.jsonl").read_text().splitlines()[0])
    assert line["kind"] == "consent" and line["person"] not in code
    assert line["text"] == sha256((out / "consent.txt").read_text(encoding="utf-8").strip().encode()).hexdigest()


def test_export_is_all_of_ones_own_and_nothing_else(out: Path) -> None:
    async def scene() -> dict[str, object]:
        async with held(out) as study, Visitor(study.address, SECRET) as one, Visitor(study.address, "other") as two:
            for visitor in (one, two):
                await visitor.join()
                await visitor.until(lambda state: state["phase"] == "done")
            _, answer = await one.ask("/api/export")
            return dict(answer)

    mine = asyncio.run(scene())
    lines = [json.loads(line) for line in (out / "people.jsonl").read_text().splitlines()]
    own = [line for line in lines if line["person"] == mine["person"]]
    record = mine["record"]
    assert isinstance(record, list) and [line["kind"] for line in record] == [line["kind"] for line in own]
    text = json.dumps(mine)
    assert "other to" not in text and "scripted" not in text and '"code"' not in text
    conversations = mine["conversations"]
    assert isinstance(conversations, list)
    told = [message["text"] for talk in conversations for message in talk["messages"] if message["who"] == "you"]
    assert [text for text in told if SECRET in text] == [line["text"] for line in own if line["kind"] == "said"]


@pytest.mark.parametrize("when", ["talking", "looked at meanwhile", "complete", "served no more"])
def test_deleting_leaves_nothing_and_harms_nobody_else(out: Path, when: str) -> None:
    async def scene() -> str:
        async with held(out) as study, Visitor(study.address, "other") as other:
            async with Visitor(study.address, SECRET) as visitor:
                await visitor.join()
                rounds = 1 if when in ("talking", "looked at meanwhile") else 2
                await visitor.until(lambda state: state["phase"] == "done" or state.get("number", 3) > rounds)
                if when == "looked at meanwhile":
                    await eventually(lambda: any("scores" in line for line in log_lines(out)))
                    await asyncio.to_thread(rebuild, out)
                    assert "dialogues.jsonl" in holding(out, SECRET)
                await other.visit()
                person = visitor.state["person"]
                if when in ("complete", "served no more"):
                    await eventually(lambda: "counts" in rlpa_bench.load_run(out).info)
                    assert {"dialogues.jsonl", "report.html", "0000.jsonl", "people.jsonl"} <= set(holding(out, SECRET))
                if when != "served no more":
                    await visitor.act("delete")
                    status, answer = await visitor.ask("/api/state")
                    assert status == 401 and "deleted" in answer["error"]
            await study.complete()
            return str(person)

    person = asyncio.run(scene())
    if when == "served no more":
        begin.forget(begin.from_run(out), person)
    assert holding(out, SECRET) == [] and holding(out, person) == []
    run = rebuild(out)
    assert run.info["counts"] == {"planned": 4, "played": 2, "failed": 2, "retried": 0}
    ended = {(d.candidate, d.ended.split(":")[-2].strip(), len(d.turns)) for d in run.dialogues() if len(d.turns) < 3}
    assert ended == {("scripted/base", "withdrawn", 0), ("echo", "withdrawn", 0)}
    assert sum("other to" in turn.user.text for d in run.dialogues() for turn in d.turns) == 4
    assert run.summary["rows"]["echo"]["rating"]["scored"] == 3


def test_a_deletion_that_a_kill_interrupted_is_finished_at_the_next_start(out: Path) -> None:
    async def scene() -> None:
        async with held(out, limit=1) as study, Visitor(study.address, SECRET) as visitor:
            if not (out / "people.jsonl").stat().st_size:
                await visitor.join()
                await visitor.until(lambda state: state["number"] == 2 and state["turn"] == 2)
                (place,) = study.study.places.values()
                study.study.journal.append("withdrawn", case=place.case.id, seed=place.seed)  # and here the power went
            else:
                status, answer = await visitor.ask("/api/join", {"agreed": True})
                assert status == 400 and "taken" in answer["error"]

    asyncio.run(scene())
    assert holding(out, SECRET) == ["0000.jsonl", "people.jsonl"]
    asyncio.run(scene())
    assert holding(out, SECRET) == []


def test_a_place_that_was_given_back_can_be_taken_again_on_request(out: Path) -> None:
    async def scene(retry: bool) -> None:
        async with held(out, limit=1, retry_errors=retry) as study, Visitor(study.address, SECRET) as visitor:
            if retry:
                await visitor.visit()
                await study.complete()
            else:
                await visitor.join()
                await visitor.until(lambda state: state["turn"] == 2)
                await visitor.act("delete")
                status, answer = await visitor.ask("/api/join", {"agreed": True})
                assert status == 400 and "taken" in answer["error"]

    asyncio.run(scene(False))
    asyncio.run(scene(True))
    assert rlpa_bench.load_run(out).info["counts"] == {"planned": 2, "played": 2, "failed": 0, "retried": 2}


def test_words_that_may_not_be_published_are_not_prepared_for_a_board(out: Path, tmp_path: Path) -> None:
    async def scene() -> None:
        async with held(out) as study, Visitor(study.address) as one:
            await one.join(publish=False)
            await one.until(lambda state: state["phase"] == "done")
            await all_visit(study.address, ["two"])
            await study.complete()

    asyncio.run(scene())
    with pytest.raises(UsageError, match="1 of 2 people did not agree that their words are published"):
        prepare([out], tmp_path / "packed", submitter="somebody")


def test_observers_hear_of_no_turn(out: Path) -> None:
    from rlpa_bench import hookimpl

    class Watcher:
        heard: list[object] = []

        @hookimpl
        def rlpa_bench_turn_end(self, turn: object) -> None:
            self.heard.append(turn)

        @hookimpl
        def rlpa_bench_dialogue_end(self, dialogue: object) -> None:
            self.heard.append(dialogue)

    async def scene() -> None:
        async with held(out, limit=1, plugins=[Watcher()]) as study:
            await all_visit(study.address, ["one"])
            await study.complete()

    asyncio.run(scene())
    assert Watcher.heard == []


def test_the_command_forgets_a_person_and_knows_no_other(out: Path) -> None:
    async def scene() -> str:
        async with held(out, limit=1) as study, Visitor(study.address, SECRET) as visitor:
            await visitor.join()
            await visitor.until(lambda state: state["turn"] == 2)
            return str(visitor.state["person"])

    person = asyncio.run(scene())
    command = [sys.executable, "-m", "rlpa_bench", "serve-human", str(out), "--forget"]
    wrong = subprocess.run([*command, "p-nobody"], capture_output=True, text=True, timeout=240)
    assert wrong.returncode == 2 and "no person 'p-nobody'" in wrong.stderr and "Traceback" not in wrong.stderr
    done = subprocess.run([*command, person], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert holding(out, SECRET) == [] and holding(out, person) == []
