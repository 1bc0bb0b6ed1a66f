"""Inspect AI, the real package: its model as ours, our suites as its tasks, its numbers as our run's."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer
from rlpa_bench_plugins.adapters.inspect_model import Inspect
from rlpa_bench_plugins.models.scripted import QUESTIONS

import rlpa_bench
from rlpa_bench.errors import UsageError
from rlpa_bench.testing import examine

inspect_ai = pytest.importorskip("inspect_ai")
pytestmark = pytest.mark.filterwarnings("ignore")
REPOSITORY = Path(__file__).parents[3]
TERMS: dict[str, Any] = {"turns": 4, "judge": "rules,profile"}


def outputs(turn: int) -> str:
    profile = ("", "- Occupation: nurse", "- Occupation: nurse\n- Interests: chess")[turn % 3]
    return f"<profile>\n{profile}\n</profile>\n\n<response>\nThat is good. {QUESTIONS[turn]}\n</response>"


def model(write: Callable[[int], str] = outputs, seen: list[Any] | None = None) -> Any:
    """Inspect's mock model, writing by the number of the turn."""
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    def answer(messages: Any, tools: Any, choice: Any, config: Any) -> Any:
        if seen is not None:
            seen.append(config)
        text = write(sum(message.role == "assistant" for message in messages))
        output = ModelOutput.from_content("mockllm/model", text)
        output.usage = ModelUsage(input_tokens=7, output_tokens=5, total_tokens=12)
        return output

    return get_model("mockllm/model", custom_outputs=answer, memoize=False)


def evaluate(task: Any, tmp_path: Path, **settings: Any) -> Any:
    (log,) = inspect_ai.eval(task, log_dir=str(tmp_path / "logs"), display="none", **{"model": model(), **settings})
    return log


@pytest.fixture(scope="module", autouse=True)
def swept() -> Iterator[None]:
    """Inspect takes the place of ``asyncio.run`` and leaves event loops open: neither for the tests after these."""
    run = asyncio.run
    yield
    asyncio.run = run
    asyncio.set_event_loop(None)
    for loop in [each for each in gc.get_objects() if isinstance(each, asyncio.AbstractEventLoop)]:
        if not loop.is_running():
            loop.close()


@pytest.fixture
def aloe() -> Any:
    from rlpa_bench_plugins.adapters.inspect_task import aloe

    return aloe


def test_the_numbers_are_those_of_our_own_run(aloe: Any, tmp_path: Path) -> None:
    log = evaluate(aloe(sample=6, **TERMS), tmp_path, epochs=2)
    assert log.status == "success" and log.eval.task.endswith("aloe") and log.eval.task_version == "aloe/1"
    (found,) = log.results.scores
    written = tmp_path / "outputs.jsonl"
    written.write_text("\n".join(json.dumps(outputs(turn)) for turn in range(4)))
    run = rlpa_bench.run(
        "aloe", model=f"scripted:{written}", limit=6, seeds=2, controls=False, out=tmp_path / "run", **TERMS
    )
    (row,) = run.summary["rows"].values()
    compared = 0
    for column, cell in row.items():
        if "tokens" in column or column == "cost":
            continue  # the mock says how many, the scripted model does not
        value = found.metrics.get(column)
        assert (value.value if value else None) == cell["mean"], column
        compared += value is not None
        if f"{column} low" in found.metrics:
            assert found.metrics[f"{column} low"].value == cell["low"], column
            assert found.metrics[f"{column} high"].value == cell["high"], column
    assert compared > 20 and found.metrics["elicited low"].value < found.metrics["elicited high"].value


def test_the_log_shows_the_dialogue_and_its_scores(aloe: Any, tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log

    log = read_eval_log(evaluate(aloe(sample=2, **TERMS), tmp_path).location)
    for sample in log.samples:
        roles = [message.role for message in sample.messages]
        assert roles == ["system"] + ["user", "assistant"] * 4
        assert sample.messages[1].text == "Hello" and sample.messages[2].text == outputs(0)
        assert sample.messages[4].metadata["inferred"] == ["Occupation: nurse"]
        disclosed = [message.metadata["disclosed"] for message in sample.messages[1::2]]
        assert disclosed[0] == [] and any(disclosed[1:])
        values = sample.scores["rlpa_bench"].value
        assert values["malformed"] == 0 and 0 <= values["AVG[rules]"] <= 100
        assert any(target.startswith("Occupation: ") for target in sample.target)
        calls = [event for event in sample.events if event.event == "model"]
        assert len(calls) == 4, "Inspect records each call"


def test_inspects_own_configuration_wins_and_ours_fills_the_rest(aloe: Any, tmp_path: Path) -> None:
    seen: list[Any] = []
    evaluate(aloe(sample=1, turns=1), tmp_path, model=model(seen=seen), temperature=0.25)
    (config,) = seen
    assert (config.temperature, config.max_tokens, config.stop_seqs) == (0.25, 320, ["</response>"])
    assert isinstance(config.seed, int)


def test_a_broken_dialogue_is_an_error_and_its_turns_are_missing(aloe: Any, tmp_path: Path) -> None:
    lock, count = threading.Lock(), [0]

    def write(turn: int) -> str:
        with lock:
            count[0] += 1
            if count[0] == 3:
                raise RuntimeError("the provider is down")
        return outputs(turn)

    settings = {"model": model(write), "fail_on_error": False, "max_samples": 1}
    log = evaluate(aloe(sample=4, **TERMS), tmp_path, **settings)
    (failed,) = [sample for sample in log.samples if sample.error]
    assert "the provider is down" in failed.error.message
    kept = failed.scores["rlpa_bench"].metadata["dialogue"]
    assert len(kept["turns"]) == 2 and kept["ended"].startswith("error: RuntimeError: ")
    (found,) = log.results.scores
    assert "AVG[rules]" not in found.metrics, "2 of 16 turns are missing, more than 5 %: withheld, as in our tables"


def test_a_log_is_judged_again(aloe: Any, tmp_path: Path) -> None:
    from inspect_ai import score
    from rlpa_bench_plugins.adapters.inspect_scores import rlpa_bench as again

    log = evaluate(aloe(sample=2, **TERMS), tmp_path)
    scored = score(log, again(name="aloe", sample=2, turns=4, judge="rules"), action="overwrite", display="none")
    before, after = (each.results.scores[0].metrics for each in (log, scored))
    assert after["AVG[rules]"].value == before["AVG[rules]"].value and "profile F1" not in after


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"baseline": "bsae"}, "unknown baseline 'bsae'; did you mean base"),
        ({"judge": "rulse"}, "unknown judge 'rulse'; did you mean rules"),
        ({"options": "judge.other.level=1"}, "option judge.other.level fits no judge"),
        ({"turns": 0}, "--turns 0 is not possible"),
    ],
)
def test_a_wrong_argument_is_one_sentence(aloe: Any, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        aloe(**arguments)


def test_a_control_needs_no_model(aloe: Any, tmp_path: Path) -> None:
    log = evaluate(aloe(sample=2, turns=2, baseline="echo"), tmp_path)
    assert log.status == "success"
    assert not [event for sample in log.samples for event in sample.events if event.event == "model"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    with OpenAIServer() as server:
        monkeypatch.setenv("LOCAL_API_KEY", "none")
        monkeypatch.setenv("LOCAL_BASE_URL", server.url)
        yield server


def test_inspects_providers_serve_our_own_runs(server: Any, out: Path) -> None:
    run = rlpa_bench.run("aloe", model="inspect:openai-api/local/small", limit=2, turns=2, controls=False, out=out)
    (dialogue, _) = run.dialogues()
    call = dialogue.turns[0].output.calls[0]
    assert (call.prompt_tokens, call.completion_tokens) == (11, 7)
    assert dialogue.turns[0].response == "Who do you play with?"
    assert server.requests[0]["temperature"] == 0.7 and server.requests[0]["model"] == "small"


def test_the_model_keeps_the_promises_of_a_model(server: Any) -> None:
    skip = {"sampling": "the test server writes the same to everybody"}
    report = examine("model", Inspect, argument="openai-api/local/small", hosts=("127.0.0.1",), skip=skip)
    assert not report.failed, str(report)
    assert {result.check: result.status for result in report.results}["answers"] == "passed"


def test_a_provider_that_fails_is_the_candidates_failure(out: Path, server: Any) -> None:
    server.then = "401"
    terms = {
        "model": "inspect:openai-api/local/small",
        "limit": 1,
        "turns": 1,
        "controls": False,
        "cache": False,
        "preflight": False,
    }
    run = rlpa_bench.run("aloe", **terms, out=out)
    assert run.info["counts"]["failed"] == 1 and len(server.requests) == 1, "a wrong key is not tried again"
    server.plan, server.then = ["500"], "ok"
    run = rlpa_bench.run("aloe", **terms, out=out.with_name("mended"))
    assert run.info["counts"]["played"] == 1 and len(server.requests) == 3, "an overload is"
    with pytest.raises(UsageError, match="Inspect has no model"):
        rlpa_bench.run("aloe", model="inspect:no-such-provider/x", limit=1, out=out.with_name("other"))


def test_the_tasks_are_found_by_name_in_an_installed_package(server: Any, tmp_path: Path) -> None:
    """``inspect eval rlpa_bench_plugins/aloe``; from a wheel, since Inspect names tasks of editable ones otherwise."""
    site = tmp_path / "site-packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--no-index"]
    built = subprocess.run([*pip, "--target", str(site), str(REPOSITORY)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    words = ["eval", "rlpa_bench_plugins/aloe", "--model", "openai-api/local/small", "-T", "sample=2", "-T", "turns=2"]
    line = "from inspect_ai._cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", line, *words, "--display", "plain", "--log-format", "json"],
        env={**os.environ, "PYTHONPATH": str(site)}, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (log,) = (tmp_path / "logs").glob("*.json")
    content = json.loads(log.read_text())
    assert content["eval"]["task"] == "rlpa_bench_plugins/aloe" and content["status"] == "success"
    assert "AVG[rules]" in content["results"]["scores"][0]["metrics"]
