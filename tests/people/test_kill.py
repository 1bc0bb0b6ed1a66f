"""A power cut in the middle of many visits: whatever was answered is there, and shown again as it was."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from people_kit import Server, Visitor, toml
from toyruns import log_lines

import rlpa_bench

MOODY = '''
import os, random, time
from rlpa_bench import hookimpl
from rlpa_bench.interfaces import Generation, Model
from rlpa_bench.options import ModelOptions

class Moody(Model):
    """Never answers the same twice."""
    name = "moody"
    Options = ModelOptions
    cacheable = False

    async def generate(self, messages, sampling, guide):
        word = os.urandom(8).hex()
        return Generation(f"<profile>\\n- Age: 30\\n</profile>\\n\\n<response>\\nWhy {word}?\\n</response>")

@hookimpl
def rlpa_bench_models():
    return [Moody]
'''


def test_kill_and_go_on_with_nothing_lost(out: Path, tmp_path: Path) -> None:
    (tmp_path / "moody.py").write_text(MOODY)
    config = toml(tmp_path / "study.toml", model="moody", baseline="base,reminder", limit=5)
    command = [str(config), "--out", str(out), "--plugin-path", str(tmp_path / "moody.py")]
    visitors = [Visitor("", f"visitor-{number}") for number in range(5)]

    async def until_killed(server: Server) -> None:
        for number, visitor in enumerate(visitors):
            visitor.address = server.address
            async with visitor:
                await visitor.join()
                for _ in range(3 * number + 1):  # each is somewhere else
                    await visitor.step()
        server.kill()

    def shown(state: dict[str, Any]) -> list[Any]:
        return [message for message in state.get("messages", []) if message["who"] == "you" or message["turn"]]

    async def go_on(server: Server) -> None:
        for visitor in visitors:
            before, visitor.address = visitor.state, server.address
            async with visitor:
                await visitor.look()
                while visitor.state["phase"] == "wait":
                    await visitor.look(news=True)
                assert shown(visitor.state)[: len(shown(before))] == shown(before)
                assert visitor.state["person"] == before["person"] and visitor.state["card"] == before["card"]
                await visitor.until(lambda state: state["phase"] == "done")

    with Server(*command) as server:
        asyncio.run(until_killed(server))
    acknowledged = (out / "people.jsonl").read_bytes()
    logged = list(log_lines(out))
    with (out / "people.jsonl").open("ab") as file:
        file.write(b'{"kind": "said", "per')  # and a line that it tore
    with Server(*command) as server:
        asyncio.run(go_on(server))
        code, _, messages = _complete(server, out)
    assert code == 0, messages
    assert (out / "people.jsonl").read_bytes().startswith(acknowledged)
    after = list(log_lines(out))
    assert after[: len(logged)] == logged
    turns = [(line["unit"], line["turn"]["index"]) for line in after if "turn" in line]
    assert len(turns) == len(set(turns)) == 2 * 5 * 3
    replies = [(line["person"], line["candidate"], line["turn"]) for line in journal(out, "reply")]
    assert len(replies) == len(set(replies)) == len(turns), "a partner was asked twice"
    said = {(line["person"], line["candidate"], line["turn"]): line["text"] for line in journal(out, "said")}
    people = {line["person"]: line["case"] for line in journal(out, "consent")}
    run = rlpa_bench.load_run(out)
    heard = {(d.candidate, d.case, turn.index): turn.user.text for d in run.dialogues() for turn in d.turns[1:]}
    assert heard == {(who, people[person], turn): text for (person, who, turn), text in said.items()}
    assert run.info["counts"] == {"planned": 10, "played": 10, "failed": 0, "retried": 0}


def _complete(server: Server, out: Path) -> tuple[int, str, str]:
    from people_kit import eventually

    asyncio.run(eventually(lambda: "counts" in rlpa_bench.load_run(out).info and (out / "report.html").exists()))
    return server.stop()


def journal(out: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / "people.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def test_closing_completes_what_people_left_open(out: Path, tmp_path: Path) -> None:
    config = toml(tmp_path / "study.toml")
    command = [str(config), "--out", str(out)]

    async def half() -> None:
        async with Visitor(server.address) as visitor:
            await visitor.join()
            await visitor.until(lambda state: state["number"] == 2 and state["turn"] == 2)

    with Server(*command) as server:
        asyncio.run(half())
        code, _, messages = server.stop()
    assert code == 1 and "is not complete; the same command goes on" in messages and "Traceback" not in messages

    import subprocess
    import sys

    closing = subprocess.run([sys.executable, "-m", "rlpa_bench", "serve-human", str(out), "--close"],
                             capture_output=True, text=True, timeout=240)  # fmt: skip
    assert closing.returncode == 1 and "3 of 4 dialogues failed or were not finished" in closing.stderr
    assert "Traceback" not in closing.stderr
    run = rlpa_bench.load_run(out)
    assert run.info["counts"] == {"planned": 4, "played": 1, "failed": 3, "retried": 0}
    ends = sorted((len(d.turns), d.ended.split(":")[-2].strip()) for d in run.dialogues() if d.ended != "schedule")
    assert ends == [(0, "gone"), (0, "gone"), (1, "gone")]
