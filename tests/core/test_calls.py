"""Calls of models: retried within bounds, cached under all that decides an answer, priced, and silent about keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer
from toyruns import files, play
from toys import Plugin, ToyModel, ToySuite

from rlpa_bench.build import Harness, parse_options
from rlpa_bench.cache import CallCache, cache_dir
from rlpa_bench.calls import MAX_RETRY_AFTER, MAX_WAIT
from rlpa_bench.errors import ProviderError
from rlpa_bench.interfaces import Generation, Guide, Sampling
from rlpa_bench.plugins import Plugins
from rlpa_bench.types import Call, Message

HELLO = (Message("user", "Hello"),)


class Planned(ToyModel):
    """Does what ``plan`` says next: raises it, or writes it; then writes how often it was asked."""

    name = "planned"
    cacheable = True
    plan: list[ProviderError | str] = []
    asked = 0

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        cls = type(self)
        cls.asked += 1
        step = cls.plan.pop(0) if cls.plan else f"answer {cls.asked}"
        if isinstance(step, ProviderError):
            raise step
        return Generation(step, "stop", 10, 5)


class OtherWeights(Planned):
    def describe(self) -> Mapping[str, str]:
        return {"weights": "b"}


class OtherProtocol(ToySuite):
    protocol = "toy/2"


@pytest.fixture(autouse=True)
def fresh() -> None:
    Planned.plan, Planned.asked = [], 0


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds slept, without sleeping."""
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await real(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return slept


def ask(
    *replaced: type, role: str = "candidate", key: str = "case-0/0/1", messages: Sequence[Message] = HELLO,
    options: Sequence[str] = (), cache: bool = False, max_retries: int = 5, watch: Callable[[Any], None] = id,
    **sampling: Any,
) -> tuple[str, Call]:  # fmt: skip
    """One call of the planned model, in a harness of its own."""
    kit = [component for component in replaced if issubclass(component, ToySuite)] or [ToySuite]
    kit += [component for component in replaced if issubclass(component, ToyModel)] or [Planned]

    async def scenario() -> tuple[str, Call]:
        store = CallCache(cache_dir() / "calls.sqlite") if cache else None
        harness = Harness("toy", plugins=Plugins([Plugin(*kit)], entry_point_group=None), cache=store,
                          options=parse_options(options), max_retries=max_retries)  # fmt: skip
        watch(harness.context.counters)
        try:
            return await harness.context.model("planned", role).generate(messages, key=key, **sampling)
        finally:
            await harness.context.aclose()

    return asyncio.run(scenario())


def busy(**how: Any) -> ProviderError:
    return ProviderError("slow down", reason="429", retryable=True, **how)


def test_what_an_endpoint_asks_to_wait_is_waited(sleeps: list[float]) -> None:
    Planned.plan = [busy(retry_after=7.0), busy(retry_after=0.0), busy(retry_after=MAX_RETRY_AFTER)]
    assert ask()[0] == "answer 4"
    assert sleeps == [7.0, 0.0, MAX_RETRY_AFTER]


def test_without_such_a_wish_waits_grow_and_are_bounded(sleeps: list[float]) -> None:
    Planned.plan = [busy() for _ in range(12)]
    assert ask(max_retries=12)[0] == "answer 13"
    for attempt, slept in enumerate(sleeps):
        most = min(MAX_WAIT, 0.5 * 2**attempt)
        assert most / 2 <= slept <= most
    assert len(sleeps) == 12 and max(sleeps) <= MAX_WAIT < sum(sleeps)


def test_a_longer_wait_than_ten_minutes_is_a_failure_at_once(sleeps: list[float]) -> None:
    Planned.plan = [busy(retry_after=MAX_RETRY_AFTER + 1)]
    with pytest.raises(ProviderError, match="slow down"):
        ask()
    assert sleeps == [] and Planned.asked == 1


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_are_as_many_as_said(sleeps: list[float], retries: int) -> None:
    Planned.plan = [busy(retry_after=1.0) for _ in range(9)]
    with pytest.raises(ProviderError, match="slow down"):
        ask(max_retries=retries)
    assert Planned.asked == retries + 1 and sleeps == [1.0] * retries


def test_what_a_retry_cannot_mend_is_not_retried(sleeps: list[float]) -> None:
    Planned.plan = [ProviderError("wrong key", reason="401")]
    with pytest.raises(ProviderError, match="wrong key"):
        ask()
    assert sleeps == [] and Planned.asked == 1


def test_waiting_and_retries_are_counted_by_role_and_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    waiting: list[dict[str, int]] = []

    async def sleep(seconds: float) -> None:
        waiting.append(dict(seen[0].waiting))

    monkeypatch.setattr(asyncio, "sleep", sleep)
    Planned.plan = [busy(), busy(), ProviderError("late", reason="timeout", retryable=True)]
    ask(role="judge", watch=seen.append)
    assert waiting == [{"judge: 429": 1}, {"judge: 429": 1}, {"judge: 429": 0, "judge: timeout": 1}]
    assert seen[0].waiting == {"judge: 429": 0, "judge: timeout": 0}
    assert seen[0].retries == {"judge: 429": 2, "judge: timeout": 1} and seen[0].calls == {"judge": 1}


def test_calls_at_once_are_as_many_as_allowed() -> None:
    active = peak = 0

    class Slow(Planned):
        async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
            nonlocal active, peak
            active += 1
            peak = max(peak, active)
            await asyncio.sleep(0.002)
            active -= 1
            return Generation("done")

    async def scenario() -> None:
        harness = Harness("toy", plugins=Plugins([Plugin(ToySuite, Slow)], entry_point_group=None), max_connections=3)
        roles = [harness.context.model("planned", role) for role in ("candidate", "judge")]
        await asyncio.gather(*(roles[i % 2].generate(HELLO, key=str(i)) for i in range(20)))

    asyncio.run(scenario())
    assert peak == 3, "roles share one limit"


def test_the_same_question_is_asked_once_whatever_the_run() -> None:
    first, call = ask(cache=True)
    again, kept = ask(cache=True)
    assert again == first == "answer 1" and Planned.asked == 1
    assert (call.cached, kept.cached) == (False, True)
    assert (kept.finish, kept.prompt_tokens, kept.completion_tokens) == ("stop", 10, 5)
    assert call.seconds is not None and kept.seconds is None


@pytest.mark.parametrize(
    "other",
    [
        {"key": "case-0/0/2"},
        {"key": "case-0/1/1"},
        {"key": "case-0/0/1#1"},
        {"role": "judge"},
        {"messages": (Message("system", "Hello"),)},
        {"messages": (*HELLO, Message("assistant", "Hi"))},
        {"temperature": 0.1},
        {"max_tokens": 7},
        {"seed": 3},
        {"stop": ("x",)},
        {"guide": Guide("json", {"type": "object"})},
        {"options": ["model.top_k=3"]},
        {"replaced": (OtherProtocol,)},
        {"replaced": (OtherWeights,)},
    ],
    ids=str,
)
def test_another_question_is_asked_anew(other: dict[str, Any]) -> None:
    ask(cache=True)
    replaced = other.pop("replaced", ())
    assert ask(*replaced, cache=True, **other)[1].cached is False
    assert ask(*replaced, cache=True, **other)[1].cached, "the other question is cached too"


def test_an_empty_reply_or_an_error_is_never_kept() -> None:
    for step in ("", " \n", ProviderError("down", reason="503")):
        Planned.plan = [step]
        if isinstance(step, str):
            assert ask(cache=True)[0] == step
        else:
            with pytest.raises(ProviderError):
                ask(cache=True)
    assert ask(cache=True)[1].cached is False
    assert Planned.asked == 4


def test_a_model_that_costs_nothing_is_not_cached() -> None:
    class Free(Planned):
        cacheable = False

    ask(Free, cache=True)
    assert ask(Free, cache=True)[1].cached is False


def test_no_cache_asks_again() -> None:
    ask(cache=True)
    assert ask(cache=False)[0] == "answer 2"


def test_the_sampling_seed_follows_from_the_protocol_role_and_key_alone() -> None:
    seeds: list[int | None] = []

    class Noting(Planned):
        async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
            seeds.append(sampling.seed)
            return Generation("noted")

    for how in ({}, {}, {"messages": (Message("user", "Bye"),)}, {"role": "judge"}, {"key": "other"}):
        ask(Noting, **how)
    assert len(set(seeds[:3])) == 1 and len(set(seeds)) == 3
    assert all(seed is not None and 0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize(
    ("options", "cost"),
    [
        (["model.price_prompt=3", "model.price_completion=6"], (10 * 3 + 5 * 6) / 1e6),
        (["model.price_prompt=0", "model.price_completion=0"], 0.0),
        (["model.price_prompt=3"], None),
        ([], None),
    ],
)
def test_an_unknown_price_is_none_and_not_zero(options: list[str], cost: float | None) -> None:
    seen: list[Any] = []
    _, call = ask(options=options, watch=seen.append)
    assert call.cost == (None if cost is None else pytest.approx(cost))
    assert seen[0].unpriced == ({"candidate": 1} if cost is None else {})
    assert seen[0].cost == pytest.approx(cost or 0.0)
    assert (seen[0].prompt_tokens, seen[0].completion_tokens) == ({"candidate": 10}, {"candidate": 5})


def test_unknown_tokens_are_unpriced() -> None:
    class Silent(Planned):
        async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
            return Generation("text", "stop", 10, None)

    call = ask(Silent, options=["model.price_prompt=1", "model.price_completion=1"])[1]
    assert call.cost is None and call.completion_tokens is None


def test_a_cached_answer_is_worth_its_price_and_costs_nothing_again() -> None:
    priced = ["model.price_prompt=3", "model.price_completion=6"]
    seen: list[Any] = []
    first = ask(cache=True, options=priced, watch=seen.append)[1]
    again = ask(cache=True, options=priced, watch=seen.append)[1]
    assert first.cost == again.cost
    assert seen[0].cost == first.cost and seen[1].cost == 0.0
    assert seen[1].cache_hits == {"candidate": 1}


def test_a_run_shows_unpriced_cost_as_missing(out: Path) -> None:
    run = play(out, limit=2)
    cell = run.summary["rows"]["toy/plain"]["cost"]
    assert cell["mean"] is None and cell["missing"] == {"unpriced": 4}
    assert "cost" not in run.summary["rows"]["counter"], "a control without calls costs neither 0 nor nothing"


def test_a_run_from_the_cache_has_the_same_bytes(tmp_path: Path) -> None:
    terms: dict[str, Any] = {"model": "planned", "baseline": "plain", "limit": 2, "seeds": 1, "cache": True}
    first = play(tmp_path / "first", Planned, **terms)
    assert Planned.asked == 10
    again = play(tmp_path / "again", Planned, **terms)
    assert Planned.asked == 10 and files(first.path) == files(again.path)
    assert again.info["calls"]["cache_hits"] == {"candidate": 10}


KEY = "sk-planted-0123456789abcdefghijklmnop"


@pytest.mark.parametrize("behaviour", ["ok", "401"])
def test_a_planted_key_is_in_no_file(out: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY + "-2")
    with OpenAIServer(then=behaviour) as server:  # its 401 repeats the key, as some endpoints do
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        run = play(out, model="openai:served", baseline="plain", limit=2, seeds=1, cache=True, max_retries=0)
        assert KEY in server.headers[0]["Authorization"]
    assert run.info["counts"]["failed"] == (0 if behaviour == "ok" else 2)
    kept = [path for folder in (out, cache_dir()) for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sqlite" for path in kept) and out / "dialogues.jsonl" in kept
    assert [path.name for path in kept if KEY.encode() in path.read_bytes()] == []
    if behaviour == "ok":
        assert sum(b"Who do you play with?" in path.read_bytes() for path in kept if "sqlite" in path.name) >= 1
