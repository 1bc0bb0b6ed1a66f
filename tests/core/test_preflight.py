"""What can be known before the first turn is said before the first turn: cost, dead endpoints, blind judges."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer
from toyruns import KIT, TERMS, play
from toys import Plugin, ToyJudge

from rlpa_bench.errors import JudgeError, UsageError
from rlpa_bench.estimate import total
from rlpa_bench.pipeline import dry_run
from rlpa_bench.types import TurnSubject, Verdict

SERVED: dict[str, Any] = {"model": "openai:served", "baseline": "plain", "seeds": 1, "limit": 2}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    with OpenAIServer() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


def test_each_role_is_asked_once_before_the_first_turn(server: OpenAIServer, out: Path) -> None:
    run = play(out, preflight=True, **SERVED)
    assert len(server.requests) == 1 + 2 * 5
    assert (
        server.requests[0]["messages"][-1]["content"] == "Say hello in one word."
        and server.requests[0]["max_tokens"] == 16
    )
    assert run.info["calls"]["calls"] == {"candidate": 10}
    assert run.info["preflight"]["notes"] == [] and run.info["preflight"]["calls"]["calls"] == {"candidate": 1}
    play(out, preflight=True, **SERVED)
    assert len(server.requests) == 11, "a resume rehearses again"


def test_a_dead_endpoint_stops_in_one_sentence_and_leaves_no_directory(
    monkeypatch: pytest.MonkeyPatch, out: Path
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(UsageError, match=r"the candidate's model openai:served does not answer: .*nothing was started"):
        play(out, preflight=True, **SERVED)
    assert not out.exists()


def test_a_key_that_is_refused_stops_and_a_busy_endpoint_does_not(
    monkeypatch: pytest.MonkeyPatch, out: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody")
    with OpenAIServer(then="401") as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        with pytest.raises(UsageError, match=r"401.*nothing was started"):
            play(out, preflight=True, **SERVED)
    with OpenAIServer("500", "500") as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        run = play(tmp_path / "busy", preflight=True, **SERVED)
    assert run.info["counts"]["played"] == 2
    assert "before the run the candidate's model openai:served did not answer" in run.info["preflight"]["notes"][0]


class Yes(ToyJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        return {"asks": Verdict(1.0), "length": Verdict(1.0)}


class Mute(ToyJudge):
    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        raise JudgeError("no words", reason="unparseable")


@pytest.mark.parametrize(
    ("judge", "said"),
    [(Yes, "gives the full asks 1 to the nonsense"), (Mute, "gave no verdict on 'asks'"), (ToyJudge, "")],
)
def test_a_judge_that_praises_nonsense_or_fails_is_named(out: Path, judge: type, said: str) -> None:
    notes = play(out, judge, preflight=True, limit=1).info["preflight"]["notes"]
    assert [note for note in notes if said in note] == notes and bool(notes) == bool(said)
    assert not said or said.replace("'", "&#39;") in (out / "report.html").read_text(encoding="utf-8")


def test_a_dry_run_tells_calls_tokens_and_price_and_asks_nobody(server: OpenAIServer, tmp_path: Path) -> None:
    terms = {name: value for name, value in TERMS.items() if name not in ("cache", "preflight")}
    options = ["model.openai.price_prompt=1", "model.openai.price_completion=2", "model.openai.max_tokens=200"]
    found = dry_run(**terms | SERVED, plugins=[Plugin(*KIT)], options=options)
    assert server.requests == [] and not list(tmp_path.iterdir())
    (part,) = found
    assert (part.role, part.model, part.calls, part.most_completion_tokens) == ("candidate", "openai:served", 10, 2000)
    assert 0 < part.completion_tokens < 2000 and part.prompt_tokens > 1000
    assert part.dollars == pytest.approx((part.prompt_tokens + 2 * part.completion_tokens) / 1e6)
    assert total(found) == part.dollars
    unpriced = dry_run(**terms | SERVED, plugins=[Plugin(*KIT)])
    assert unpriced[0].dollars is None and total(unpriced) is None


def test_a_dry_run_counts_what_the_run_then_does(server: OpenAIServer, out: Path) -> None:
    terms = {name: value for name, value in TERMS.items() if name not in ("cache", "preflight")}
    terms |= SERVED | {"baseline": "self-critic,cot"}
    calls = {e.model: 0 for e in dry_run(**terms, plugins=[Plugin(*KIT)])}
    for part in dry_run(**terms, plugins=[Plugin(*KIT)]):
        calls[part.model] += part.calls
    play(out, **SERVED | {"baseline": "self-critic,cot"})
    assert len(server.requests) == calls["openai:served"] == 2 * 5 * (3 + 2)


def test_list_prices_are_those_of_the_provider_only() -> None:
    from rlpa_bench_plugins.models._prices import list_price, table

    prices = table()["prices"]["api.openai.com"]
    assert list_price("api.openai.com", "gpt-4o-mini") == tuple(prices["gpt-4o-mini"])
    assert list_price("api.openai.com", "gpt-4o-mini-2024-07-18") == tuple(prices["gpt-4o-mini"])
    assert list_price("api.openai.com", "gpt-9") == list_price("127.0.0.1", "gpt-4o-mini") == (None, None)
    assert table()["as_of"] >= "2026" and table()["source"]
