"""General capability: the offline task through lm-eval's own client and through ours, and what the table says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from openai_server import LEGAL, OpenAIServer
from puppet import puppet
from toyruns import KIT, play
from toys import Plain, Plugin, ToyModel

from rlpa_bench.cli.main import cli
from rlpa_bench.errors import DataError, PluginError, ProviderError, RlpaBenchError, UsageError
from rlpa_bench.interfaces import Generation
from rlpa_bench.probing import probe as probing
from rlpa_bench.probing import results
from rlpa_bench.probing.probe import TASKS, Terms, probe
from rlpa_bench.recompute import rebuild, rescore
from rlpa_bench.runs import Run

pytest.importorskip("lm_eval", reason="needs the extra 'lm-eval'")

OFFLINE = Terms(("rlpa_offline",))
QUESTIONS = [json.loads(row) for row in (TASKS / "rlpa_offline" / "questions.jsonl").read_text().splitlines()]
ANSWERS = {row["question"]: row["answer"] for row in QUESTIONS}


def said(body: dict[str, Any]) -> str:
    """Knows its sums, in a sentence; to everything else it says what a candidate would."""
    question = body["messages"][-1]["content"]
    return f"The answer is {ANSWERS[question]}." if question.startswith("What is ") and "number" in question else LEGAL


@pytest.fixture
def server() -> Any:
    with OpenAIServer() as server:
        server.answer = said
        yield server


@pytest.fixture
def run(server: OpenAIServer, out: Path) -> Path:
    """Two models on one server, and a control."""
    options = [f"model.base_url={server.url}"]
    play(out, model="openai:one,openai:two", baseline="base,echo", options=options, suite="toy", limit=2, seeds=1)
    server.requests.clear()
    return out


def cells(path: Path, candidate: str = "openai:one/base") -> dict[str, Any]:
    row = Run(path).summary["rows"][candidate]
    return {name: cell for name, cell in row.items() if name.startswith(("general", "retention"))}


def command(*arguments: object) -> int:
    return int(cli([str(argument) for argument in arguments], standalone_mode=False))


def test_the_questions_are_what_they_say() -> None:
    assert len(QUESTIONS) == len(ANSWERS) == 60
    for row in QUESTIONS:
        assert re.fullmatch(r"[A-Za-z]+|-?\d+", row["answer"])
        if numbers := re.match(r"What is (\d+) (plus|minus) (\d+)\?", row["question"]):
            a, how, b = numbers.groups()
            assert int(row["answer"]) == (int(a) + int(b) if how == "plus" else int(a) - int(b))
        if words := re.match(r"Here are four words: (.*)\. Repeat only the (\w+) one\.", row["question"]):
            place = {"first": 0, "second": 1, "last": 3}[words[2]]
            assert row["answer"] == words[1].split(", ")[place]


def test_lm_evals_own_client_and_ours_measure_the_same(run: Path, server: OpenAIServer) -> None:
    """One server, one task: lm-eval's ``local-chat-completions`` against the model as the run asked it."""
    ours = probe(run, OFFLINE, models=["openai:one"])["models"]["openai:one"]["rlpa_offline"]
    (temperature,) = {body["temperature"] for body in server.requests}
    assert (len(server.requests), temperature) == (60, 0.0)
    url = f"{server.url}/chat/completions"
    theirs = Terms(OFFLINE.tasks, engine="local-chat-completions", engine_args=f"model=one,base_url={url}")
    theirs_result = probe(run, theirs, models=["openai:one"])["models"]["openai:one"]["rlpa_offline"]
    sums = sum(" plus " in question or " minus " in question for question in ANSWERS)
    assert ours["value"] == theirs_result["value"] == pytest.approx(sums / 60)
    assert ours["stderr"] == theirs_result["stderr"] > 0
    assert (ours["n"], ours["metric"]) == (60, "exact_match,last-word")
    assert (ours["engine"], theirs_result["engine"]) == ("rlpa-bench", "local-chat-completions")


def test_the_table_holds_it_beside_alignment(
    run: Path, server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code = command("probe", run, "--tasks", "rlpa_offline", "--limit", 12, "--reference", "openai:two")
    assert code == 0 and len(server.requests) == 24, "each model once, not each candidate"
    shown = capsys.readouterr().out
    assert "openai:one" in shown and "exact_match,last-word" in shown
    general, kept = cells(run)["general[rlpa_offline]"], cells(run)["retention[rlpa_offline]"]
    assert (general["mean"], general["planned"], general["low"]) == (1.0, 1, None), "the first twelve are sums"
    assert kept["mean"] == 100.0
    assert cells(run, "echo") == {}
    assert "general[rlpa_offline]" in (run / "table.md").read_text()
    rebuild(run)
    rescore(run, plugins=[Plugin(*KIT)])
    assert cells(run)["general[rlpa_offline]"] == general, "it stays when the run is judged again"


def test_a_trained_candidate_is_probed_by_its_checkpoint_and_kept_against_its_base(
    run: Path, server: OpenAIServer
) -> None:
    server.answer = lambda body: (
        said(body) if body["model"] == "one" or "plus" in body["messages"][-1]["content"] else ""
    )
    command("probe", run, "--tasks", "rlpa_offline", "--as", "openai:one/base=openai:trained")
    pluses = sum(" plus " in question for question in ANSWERS)
    assert cells(run)["general[rlpa_offline]"]["mean"] == pytest.approx(pluses / 60)
    assert cells(run)["retention[rlpa_offline]"]["mean"] == pytest.approx(100 * pluses / 20)
    assert "retention[rlpa_offline]" not in cells(run, "openai:two/base"), "nothing to be kept against"


def test_a_model_in_this_process(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only endpoints: whatever is a model of the harness can be probed."""

    def answer(messages: Sequence[Any]) -> Generation:
        text = ANSWERS.get(messages[-1].content, "")
        return Generation(text, "filter") if text == "Paris" or not text else Generation(text, "length")

    model = puppet(answer)
    model.name, model.takes_argument = "toy", ""  # type: ignore[misc]
    play(out, model, limit=1, seeds=1, baseline="plain")
    monkeypatch.setattr(probing, "Harness", lambda *a, **k: Harness(*a, plugins=Plugins([Plugin(model)]), **k))
    from rlpa_bench.build import Harness
    from rlpa_bench.plugins import Plugins

    found = probe(out, OFFLINE, cache=False)["models"]["toy"]["rlpa_offline"]
    assert (found["value"], found["truncated"], found["refused"]) == (1.0, 60, 0)


def test_a_request_that_fails_is_no_wrong_answer_and_what_was_answered_is_not_asked_again(
    run: Path, server: OpenAIServer
) -> None:
    server.plan = ["ok"] * 50 + ["403"] * 10
    with pytest.raises(ProviderError, match=r"10 of 60 requests of the probe failed.*403"):
        probe(run, OFFLINE, models=["openai:one"])
    assert not (run / results.FILE).exists()
    server.requests.clear()
    assert probe(run, OFFLINE, models=["openai:one"])["models"]["openai:one"]["rlpa_offline"]["n"] == 60
    assert len(server.requests) == 10


@pytest.mark.parametrize(
    ("terms", "settings", "error", "what"),
    [
        pytest.param(
            Terms(("no_such_task",)),
            {},
            UsageError,
            "lm-eval cannot load no_such_task.*rlpa_offline",
            marks=pytest.mark.slow,  # it reads thousands of files before it knows
        ),
        (
            OFFLINE,
            {"stands_for": {"nobody": "openai:x"}},
            UsageError,
            "no candidate 'nobody'; it has echo, openai:one/base",
        ),
        (OFFLINE, {"models": ["nonsense"]}, PluginError, "unknown model 'nonsense'"),
        (OFFLINE, {"options": ["model.colour=red"]}, UsageError, "model.colour"),
        (Terms(("rlpa_offline",), engine="hf"), {}, UsageError, "--engine asks one model"),
    ],
)
def test_bad_requests_are_one_sentence(
    run: Path, terms: Terms, settings: dict[str, Any], error: type[RlpaBenchError], what: str
) -> None:
    with pytest.raises(error, match=what):
        probe(run, terms, **settings)
    assert not (run / results.FILE).exists()


def test_tasks_that_need_log_likelihoods_are_refused(run: Path, tmp_path: Path) -> None:
    for file in (TASKS / "rlpa_offline").glob("*"):
        if file.is_file():
            text = file.read_text().replace("task: rlpa_offline", "task: choices").replace('"{{answer}}"', "0")
            (tmp_path / file.name).write_text(
                text.replace("output_type: generate_until", 'output_type: multiple_choice\ndoc_to_choice: ["a", "b"]')
            )
    (tmp_path / "rlpa_offline.yaml").rename(tmp_path / "choices.yaml")
    with pytest.raises(UsageError, match=r"choices need log-likelihoods.*--engine hf"):
        probe(run, Terms(("choices",), include=tmp_path))


def test_an_engine_that_fails_is_one_sentence(run: Path) -> None:
    with pytest.raises(PluginError, match="lm-eval failed"):
        probe(run, Terms(OFFLINE.tasks, engine="no-such-engine"), models=["openai:one"])


def test_a_run_without_models_and_a_missing_package_are_one_sentence(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(out, ToyModel, Plain, limit=1, seeds=1, model=(), baseline="echo")
    with pytest.raises(UsageError, match="no candidate with a model; name one with --model"):
        probe(out, OFFLINE)
    with pytest.raises(UsageError, match="CANDIDATE=MODEL"):
        command("probe", out, "--tasks", "rlpa_offline", "--as", "nonsense")
    monkeypatch.setattr(probing, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"rlpa-bench\[lm-eval\]"):
        probe(out, OFFLINE)


def test_a_broken_file_loses_its_columns_and_nothing_else(run: Path) -> None:
    (run / results.FILE).write_text('{"schema": "other"}')
    with pytest.raises(DataError, match="no result of `rlpa-bench probe`"):
        probe(run, OFFLINE)
    rebuilt = rebuild(run)
    assert cells(run) == {} and rebuilt.summary["rows"]["openai:one/base"]
    assert any("retention" in problem and "probe.json" in problem for problem in rebuilt.info["problems"])


BASE = {
    "value": 0.5,
    "metric": "acc,none",
    "version": 1,
    "shots": 0,
    "limit": None,
    "engine": "rlpa-bench",
    "lm_eval": "1",
}


@pytest.mark.parametrize(
    ("result", "reference", "expected"),
    [
        ({}, {}, (100.0, "")),
        ({"value": 0.4}, {}, (80.0, "")),
        ({"value": 0.75}, {}, (150.0, "")),
        ({"limit": 5}, {}, (None, "probed with another limit than the reference")),
        ({"engine": "hf"}, {}, (None, "probed with another engine than the reference")),
        ({}, {"value": 0.0}, (None, "the reference got 0")),
        ({"higher_is_better": False}, {}, (None, "lower is better on this task")),
    ],
)
def test_retention_compares_like_with_like(
    result: dict[str, Any], reference: dict[str, Any], expected: tuple[float | None, str]
) -> None:
    value, why = results.retention(BASE | result, BASE | reference)
    assert why == expected[1] and value == (expected[0] and pytest.approx(expected[0]))


def test_what_was_trained_here_is_kept_against_what_it_was_trained_from() -> None:
    candidates = {
        "hf:small/base": {"model": "hf:small", "baseline": "base", "trained_on": None},
        "hf:small/rlpa": {"model": "hf:out/rlpa", "baseline": "rlpa", "trained_on": {"suites": ["training"]}},
    }
    data = results.empty()
    data["models"] = {"hf:small": {"t": BASE}, "hf:out/rlpa": {"t": BASE | {"value": 0.4}}}
    assert [row[0] for row in results.measured(data, candidates)] == list(candidates)
    assert [results.reference_of(data, candidates, name) for name in candidates] == ["", "hf:small"]
    (_, base), (result, kept) = [row[2:] for row in results.measured(data, candidates)]
    assert base is None and kept is not None and results.retention(result, kept)[0] == pytest.approx(80.0)
