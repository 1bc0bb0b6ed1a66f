"""verifiers, the real package: its rollouts are our dialogues, its rewards our judges', by its own command."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_dist import install
from openai_server import LEGAL, OpenAIServer

from rlpa_bench.build import Harness
from rlpa_bench.transcripts import adapter
from rlpa_bench.types import Dialogue

pytest.importorskip("verifiers")
TESTS = Path(__file__).parents[2]
HARNESS = Harness("training", options={"suites": {"*": {"turns": 4}}})
CASES = HARNESS.suite.cases()[:3]
KNOWN = HARNESS.context.contract.lines([item for case in CASES[:2] for item in case.gold.at(0, 1).facts[:3]])
TEXTS = (
    LEGAL,
    f"<profile>\n{KNOWN}\n</profile>\n\n<response>\nWhat work do you do all day?\n</response>",
    "I forgot the format. How old are you?",
)
SILENT = """
from rlpa_bench import hookimpl
from rlpa_bench.errors import JudgeError
from toys import ToyJudge

class Silent(ToyJudge):
    "Never answers."
    name = "silent"
    async def judge(self, subject):
        raise JudgeError("no verdict", reason="timeout")

@hookimpl
def rlpa_bench_judges():
    return [Silent]
"""
Evaluate = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def server() -> Any:
    with OpenAIServer() as server:
        server.answer = lambda body: TEXTS[sum(m["role"] == "assistant" for m in body["messages"]) % 3]
        yield server


@pytest.fixture
def evaluate(server: OpenAIServer, tmp_path: Path) -> Evaluate:
    """``evaluate(*words)`` runs ``vf-eval`` on our taskset and returns its traces."""
    site = install(tmp_path / "site", "silent", {"silent": "plug_silent"}, plug_silent=SILENT)

    def run(*words: str) -> list[dict[str, Any]]:
        line = ["-c", "from verifiers.v1.cli.eval.main import main; main()", "rlpa_bench_plugins", *words]
        where = ["--model", "small", "--client.base-url", server.url, "--output-dir", str(tmp_path), "--run.name", "r"]
        path = os.pathsep.join([str(site), str(TESTS)])
        environment = {**os.environ, "OPENAI_API_KEY": "none", "HOME": str(tmp_path), "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, *line, *where, "--no-push", "--no-rich"],
            cwd=tmp_path, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        files = list((tmp_path / "r").glob("**/traces.jsonl"))
        assert files, done.stdout + done.stderr
        return [trace for line in files[0].read_text().splitlines() for trace in json.loads(line)["traces"]]

    return run


def played(trace: dict[str, Any]) -> Dialogue:
    dialogue: Dialogue = adapter(Dialogue).validate_python(trace["info"]["rlpa_bench"])
    return dialogue


def test_a_rollout_sees_and_earns_what_the_benchmark_says(evaluate: Evaluate, server: OpenAIServer) -> None:
    traces = evaluate("-n", "3", "-r", "2", "--env.taskset.turns", "4")
    assert len(traces) == 6 and all(trace["ok"] for trace in traces)
    shown = Counter(json.dumps(request["messages"]) for request in server.requests)

    async def ours(case: Any) -> tuple[dict[str, float], list[str], list[str]]:
        state, total, prompts = await env.start(case), Counter[str](), []
        while not state.ended:
            messages = env.view(state).messages
            prompts.append(json.dumps([{"role": m.role, "content": m.content} for m in messages]))
            state, scored = await env.step(state, TEXTS[len(state.turns) % 3])
            total.update({part: value for part, value in scored.reward.items() if value is not None})
        return dict(total), prompts, [turn.user.text for turn in state.turns]

    env = HARNESS.environment("agenda", ["rules", "profile"])
    expected: Counter[str] = Counter()
    earned = set()
    for case in CASES:
        total, prompts, said = asyncio.run(ours(case))
        expected.update(dict.fromkeys(prompts, 2))
        mine = [trace for trace in traces if played(trace).case == case.id]
        assert len(mine) == 2
        for trace in mine:
            assert {part: reward["score"] for part, reward in trace["rewards"].items()} == pytest.approx(total)
            assert [turn.user.text for turn in played(trace).turns] == said
            assert trace["metrics"]["turns"] == 4 and trace["metrics"]["malformed"] == 1
            earned.add(round(sum(total.values()), 6))
    assert shown == +expected, "every prompt is the benchmark's own rendering"
    assert len(earned) > 1 and max(earned) > 0


def test_a_turn_that_is_not_scored_fails_the_trace(evaluate: Evaluate) -> None:
    (trace,) = evaluate("-n", "1", "--env.taskset.turns", "2", "--env.taskset.judge", "silent")
    assert not trace["ok"] and trace["rewards"] == {"rewards": None}
    assert "has no silent.asks" in json.dumps(trace["errors"])
    assert len(played(trace).turns) == 2, "what was played is kept"


def test_a_limit_of_the_rollout_ends_the_dialogue(evaluate: Evaluate) -> None:
    (trace,) = evaluate("-n", "1", "--env.taskset.turns", "5", "--env.agent.max-turns", "2")
    assert trace["metrics"]["turns"] == 2 and played(trace).ended.startswith("stopped: ")
    assert set(trace["rewards"]) == {"rules.gate", "profile.f1"}


def test_a_model_that_fails_fails_the_trace(evaluate: Evaluate, server: OpenAIServer) -> None:
    server.then = "400"
    (trace,) = evaluate("-n", "1", "--env.taskset.turns", "2")
    assert not trace["ok"] and trace["errors"]
