"""Whole runs against recorded sessions of commercial APIs: refusals apart from failures, prices, and keys unseen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from replay_server import KEY, ReplayServer

import rlpa_bench
from rlpa_bench.runner.batch import RunStoppedError

TERMS: dict[str, Any] = {
    "suite": "training", "limit": 2, "turns": 5, "controls": False, "cache": False, "preflight": False,
}  # fmt: skip


def test_refusals_are_answers_overload_is_retried_and_neither_is_a_failure(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with ReplayServer("anthropic", "answer", "overloaded", "refusal", "thinking", "truncated") as server:
        options = [f"model.base_url={server.url}", "model.price_prompt=1", "model.price_completion=5"]
        run = rlpa_bench.run(model="anthropic:claude-haiku-4-5", options=options, out=out, **TERMS)
        assert len(server.requests) == 11
    row = run.summary["rows"]["anthropic:claude-haiku-4-5/base"]
    assert (row["refused"]["mean"], row["truncated"]["mean"], row["malformed"]["mean"]) == (10.0, 10.0, 20.0)
    assert (row["refused"]["planned"], run.info["counts"]["failed"]) == (10, 0)
    assert row["reasoning tokens"]["scored"] == 1, "told for one turn only, and not made up for the others"
    calls = run.info["calls"]
    assert calls["retries"] == {"candidate: 529": 1}
    tokens = 7 * (2095 + 5 * 503) + (564 + 5) + (30 + 5 * 412) + (2095 + 5 * 503)
    assert calls["costs"]["candidate"] == pytest.approx(tokens / 1e6)


def test_a_prompt_that_is_refused_with_an_error_is_a_refusal_too(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    with ReplayServer("deepseek", then="prompt refused") as server:
        options = [f"model.base_url={server.url}"]
        run = rlpa_bench.run(model="deepseek:deepseek-v4-flash", options=options, out=out, **TERMS)
    assert run.summary["rows"]["deepseek:deepseek-v4-flash/base"]["refused"]["mean"] == 100.0
    assert run.info["counts"]["failed"] == 0


def test_an_empty_account_stops_the_run_in_one_sentence(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    with ReplayServer("gemini", then="daily quota") as server:
        options = [f"model.base_url={server.url}"]
        with pytest.raises(RunStoppedError, match="check the plan"):
            rlpa_bench.run(model="gemini:gemini-2.5-flash", options=options, out=out, stop_after=1, **TERMS)
        assert len(server.requests) <= 2, "waiting would not help"


LEAK = "Your key is {key}."
REPEATS: dict[str, tuple[int, Any]] = {
    "anthropic": (200, {"content": [{"type": "text", "text": LEAK}], "stop_reason": "end_turn"}),
    "deepseek": (401, {"error": {"message": LEAK, "type": "authentication_error"}}),
    "gemini": (200, {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": LEAK}}]}),
}


@pytest.mark.parametrize("provider", REPEATS)
def test_keys_are_nowhere_to_be_seen(provider: str, out: Path, tmp_path: Path) -> None:
    """Not in any file that the program leaves behind, not on the terminal, though the API repeats the key."""
    with ReplayServer(provider, then="leak") as server:
        status, body = REPEATS[provider]
        server.session["exchanges"]["leak"] = {"status": status, "headers": {}, "body": body}
        done = subprocess.run(
            [sys.executable, "-c", "from rlpa_bench.cli.main import main; main()", "run", "--suite", "training",
             "--limit", "1", "--turns", "2", "--no-controls", "--no-preflight", "--model", f"{provider}:some-model",
             "-o", f"model.base_url={server.url}", "--out", str(out), "--max-retries", "0"],
            env=os.environ | {f"{provider.upper()}_API_KEY": KEY, "RLPA_BENCH_CACHE_DIR": str(tmp_path / "cache")},
            capture_output=True, text=True, timeout=280,
        )  # fmt: skip
    assert server.requests, done.stderr
    written = [done.stdout + done.stderr]
    written += [path.read_bytes().decode("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert any("Your key is" in text for text in written), "what was said is kept, but for the key"
    for form in (KEY, KEY.replace("/", "\\/"), KEY.replace("/", "%2F")):
        assert not any(form in text for text in written)
