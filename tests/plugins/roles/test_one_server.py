"""Candidate, user and judge behind one OpenAI-compatible server, over HTTP."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer
from rlpa_bench_plugins.judges.rlpa_gate import CRITERIA

import rlpa_bench
from rlpa_bench.runner.batch import RunStoppedError

WRITTEN = "<profile>\n- Interests: chess\n</profile>\n\n<response>\nWho do you play chess with?\n</response>"


class Roles:
    """Answers as whoever is asked; every ``spoil``-th verdict is chatter, at the second asking too."""

    def __init__(self, spoil: int = 0) -> None:
        self.spoil = spoil
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, body: dict[str, Any]) -> str:
        system, last = (body["messages"][i]["content"] for i in (0, -1))
        with self._lock:
            if "assess chat" in system:
                return self._verdict(last)
            self.asked["user" if "chat app" in system else "candidate"] += 1
        return "Mhm, depends on the day." if "chat app" in system else WRITTEN

    def _verdict(self, task: str) -> str:
        repair = "cannot be used" in task
        self.asked["repair" if repair else "judge"] += 1
        if repair or (self.spoil and self.asked["judge"] % self.spoil == 0):
            return "I liked this one!"
        found = re.search(r"nonce is (\w+)", task)
        assert found
        return json.dumps({"nonce": found[1], **dict.fromkeys(CRITERIA, 1)})


def play(server: OpenAIServer, out: Path, **settings: Any) -> rlpa_bench.Run:
    return rlpa_bench.run(
        **{
            "suite": "training", "model": "openai:one", "simulator": "rlpa", "judge": "rlpa-gate,profile",
            "limit": 3, "turns": 5, "controls": False, "out": out, "max_connections": 4,
            "options": [
                f"model.base_url={server.url}", "simulator.model=openai:one", "judge.model=openai:one",
                "judge.rlpa-gate.reasons=false",
            ],
        } | settings
    )  # fmt: skip


def test_three_roles_on_one_server(out: Path) -> None:
    with OpenAIServer() as server:
        server.answer = roles = Roles()
        run = play(server, out)
        assert {body["model"] for body in server.requests} == {"one"}
        by_role = {body["temperature"] for body in server.requests if "assess chat" in body["messages"][0]["content"]}
        assert by_role == {0.0}
    row = run.summary["rows"]["openai:one/base"]
    assert row["AVG[rlpa-gate]"]["mean"] == 100.0
    calls = run.info["calls"]["calls"]
    assert (calls["candidate"], calls["judge"], roles.asked["repair"]) == (15, 15, 0)
    assert calls["simulator"] >= 12
    components = run.info["identity"]["components"]
    assert components["judges/rlpa-gate"]["prompts"]
    assert components["simulators/rlpa"]["prompts"]
    for dialogue in run.dialogues():
        assert all(turn.user.extracted for turn in dialogue.turns[1:])


def test_unparseable_verdicts_are_counted_and_bounded(out: Path) -> None:
    """1 of 30 verdicts: more than 1 % missing prints bounds, and no default score enters the mean."""
    with OpenAIServer() as server:
        server.answer = roles = Roles(spoil=30)
        run = play(server, out, limit=6)
    cell = run.summary["rows"]["openai:one/base"]["AVG[rlpa-gate]"]
    assert roles.asked["repair"] == 1
    assert (cell["planned"], cell["scored"], cell["mean"]) == (30, 29, 100.0)
    assert cell["missing"] == {"error: unparseable": 1}
    assert cell["bounds"] == [pytest.approx(100 * 29 / 30), 100.0]


def test_a_stopped_run_resumes_without_asking_again(out: Path) -> None:
    with OpenAIServer(*["ok"] * 40, then="401") as server:
        server.answer = Roles()
        with pytest.raises(RunStoppedError):
            play(server, out, limit=30, max_retries=0)
        server.then = "ok"
        server.answer = roles = Roles()
        run = play(server, out, limit=30, max_retries=0, retry_errors=True)
    assert run.info["counts"]["played"] == 30
    assert run.summary["rows"]["openai:one/base"]["AVG[rlpa-gate]"]["scored"] >= 140
    assert roles.asked["candidate"] < 150


def test_a_judge_at_an_endpoint_of_its_own(out: Path) -> None:
    """The same plugin twice: options of ``name:argument`` go before those of the name."""
    with OpenAIServer() as one, OpenAIServer() as two:
        one.answer = two.answer = Roles()
        options = [
            f"model.openai.base_url={one.url}",
            f"model.openai:strict-4.1.base_url={two.url}",
            "simulator.model=openai:one",
            "judge.model=openai:strict-4.1",
            "judge.rlpa-gate.reasons=false",
        ]
        run = play(one, out, limit=1, options=options)
        asked = [{body["model"] for body in server.requests} for server in (one, two)]
    assert asked == [{"one"}, {"strict-4.1"}]
    recorded = run.info["identity"]["options"]
    assert recorded["models/openai"]["base_url"] == one.url
    assert recorded["models/openai:strict-4.1"]["base_url"] == two.url
