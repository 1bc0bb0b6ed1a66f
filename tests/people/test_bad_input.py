"""Whatever is wrong gets one clear sentence."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from people_kit import Visitor, held, toml

from rlpa_bench.errors import UsageError
from rlpa_bench.people import begin
from rlpa_bench.people.visit import LONGEST


def test_every_wrong_request_is_told_what_is_wrong(out: Path) -> None:
    async def scene() -> None:
        async with (
            held(out, limit=1, baseline="base", options=["model.latency=0.5"]) as study,
            Visitor(study.address) as visitor,
        ):

            async def refused(action: str, because: str, status: int = 400, **body: Any) -> None:
                got, answer = await visitor.ask(f"/api/{action}", body)
                assert got == status and set(answer) == {"error"} and because in answer["error"], answer

            await refused("join", "Nothing begins without your agreement", agreed=False)
            await refused("join", "Nothing begins without your agreement", agreed="yes")
            await refused("state", "Method Not Allowed", 405)
            await visitor.join()
            await visitor.until(lambda state: state["phase"] == "chat")
            await refused("say", "Rate the last answer first", text="Hi")
            await refused("rate", "choose 1 to 5", turn=1, rating=6)
            await refused("rate", "whole number", turn=1, rating=True)
            await refused("rate", "no answer 2 to rate", turn=2, rating=3)
            await visitor.act("rate", turn=1, rating=3)
            await refused("say", "Your message is empty", text=" \n\t")
            await refused("say", f"{LONGEST + 1} characters; {LONGEST} are possible", text="x" * (LONGEST + 1))
            await refused("say", "is a text", text=["Hi"])
            await refused("confirm", "not over yet", items=[])
            await refused("confirm", "a list with an answer", items="right")
            await visitor.act("say", text="x" * LONGEST)
            await refused("say", "has not answered yet", text="And?")
            await visitor.until(lambda state: state["phase"] == "profile")
            await refused("say", "conversation is over", text="And?")
            lines = len(visitor.state["profile"])
            if not visitor.state["rated"]:
                await refused("confirm", "Rate the last answer first", items=[])
                await visitor.act("rate", turn=3, rating=1)
            await refused("confirm", f"{lines} lines wait", items=[{"answer": "right"}] * (lines + 1))
            await visitor.until(lambda state: state["phase"] == "done")
            await refused("say", "talked to everybody", text="And?")
            visitor.code = ""
            await refused("join", "All places of this study are taken", agreed=True)
            async with visitor._http.post(
                f"{study.address}/api/join", data=b"{", headers={"Content-Type": "application/json"}
            ) as answer:
                assert answer.status == 400 and "not JSON" in (await answer.json())["error"]
            huge = b'{"text": "' + b"x" * 100_000 + b'"}'
            async with visitor._http.post(
                f"{study.address}/api/join", data=huge, headers={"Content-Type": "application/json"}
            ) as answer:
                assert answer.status == 413 and set(await answer.json()) == {"error"}

    asyncio.run(scene())


def test_people_who_play_themselves_say_something_of_themselves(out: Path) -> None:
    async def scene() -> None:
        settings = {"suite": "people", "options": ["suite.places=1"], "limit": None}
        async with held(out, persona="own", **settings) as study, Visitor(study.address) as visitor:
            for facts, because in (
                ([], "at least one thing"),
                ([{"slot": "Age", "value": " "}], "at least one thing"),
                ([{"slot": "Bank account", "value": "1"}], "is none of Age"),
                ([{"slot": "Age", "value": "4" * 201}], "201 characters"),
                ("Age", "list of objects"),
            ):
                status, answer = await visitor.ask("/api/join", {"agreed": True, "facts": facts})
                assert status == 400 and because in answer["error"]

    asyncio.run(scene())


@pytest.mark.parametrize(("settings", "persona", "because"), [
    ({"simulator": "agenda"}, None, "people are the users here"),
    ({"suite": "aloe"}, "own", "leave it out with --persona own"),
    ({"suite": ""}, None, "names no suite"),
    ({"suite": "people", "seeds": 2}, "own", "every person is a case"),
    ({"colour": "red"}, None, "does not fit people as users"),
])  # fmt: skip
def test_settings_that_do_not_fit(settings: dict[str, Any], persona: str | None, because: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=because):
        begin.from_config({"suite": "training", **settings}, persona=persona, out=tmp_path / "run")


def test_the_command_says_it_in_one_sentence(tmp_path: Path) -> None:
    def said(*arguments: str) -> str:
        command = [sys.executable, "-m", "rlpa_bench", "serve-human", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=tmp_path)
        assert done.returncode == 2 and "Traceback" not in done.stderr and done.stdout == ""
        (line,) = done.stderr.splitlines()
        return line

    config = toml(tmp_path / "study.toml")
    assert "cannot read" in said(str(tmp_path / "nothing.toml"))
    (tmp_path / "odd.toml").write_text("suite = 'training'\ncolour = 'red'\n")
    assert "unknown option 'colour'" in said(str(tmp_path / "odd.toml"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"cannot listen on 127.0.0.1 port {port}" in said(str(config), "--out", "run", "--port", port)
    assert "holds no run" in said(str(tmp_path))
    (tmp_path / "empty.txt").write_text("\n")
    assert "is empty; people need a text" in said(str(config), "--consent", str(tmp_path / "empty.txt"))


def test_the_text_that_people_agreed_to_cannot_be_exchanged(out: Path, tmp_path: Path) -> None:
    async def scene() -> None:
        async with held(out) as study, Visitor(study.address) as visitor:
            await visitor.join()

    asyncio.run(scene())
    (tmp_path / "other.txt").write_text("You agree to everything.")
    with pytest.raises(UsageError, match="people agreed to another text"):
        begin.from_run(out, consent=tmp_path / "other.txt")
