"""Commercial APIs: every documented shape of answer, replayed over HTTP, and with a key in the environment live."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import Any

import pytest
from replay_server import KEY, ReplayServer, session
from rlpa_bench_plugins.models._failures import wait
from rlpa_bench_plugins.models.openai_chat import OpenAI
from rlpa_bench_plugins.models.providers import Anthropic, DeepSeek, Gemini

from rlpa_bench.contract import Contract
from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import Generation, Guide, Sampling

PROVIDERS: dict[str, type[OpenAI]] = {
    "openai": OpenAI, "anthropic": Anthropic, "deepseek": DeepSeek, "gemini": Gemini,
}  # fmt: skip
VARIABLES = {name: f"{name.upper()}_API_KEY" for name in PROVIDERS}
KEYS = {name: os.environ.get(variable, "") for name, variable in VARIABLES.items()}
"""As they were before any test blanked them."""
SHAPES = [(name, shape) for name in PROVIDERS for shape in session(name)["exchanges"]]
PROVOKED = [(name, shape) for name, shape in SHAPES if "live" in session(name)["exchanges"][shape]]
MODES = ["replayed", pytest.param("live", marks=(pytest.mark.slow, pytest.mark.live))]
HELLO = Contract().render((), "Hello, I play chess.")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES.values():
        monkeypatch.setenv(variable, KEY)


def ask(model: OpenAI, max_tokens: int = 320, guide: Guide | None = None) -> Generation:
    async def once() -> Generation:
        await model.start()
        try:
            return await model.generate(HELLO, Sampling(max_tokens=max_tokens, seed=7, stop=("</response>",)), guide)
        finally:
            await model.aclose()

    return asyncio.run(once())


class Api:
    """One provider, at the replay server's address or at its own."""

    def __init__(self, name: str, mode: str, build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name, self.mode, self._build, self._set = name, mode, build, monkeypatch
        if mode == "live" and not KEYS[name]:
            pytest.skip(f"needs {VARIABLES[name]}")
        self.key(KEYS[name] if mode == "live" else KEY)

    def key(self, value: str) -> None:
        self._set.setenv(VARIABLES[self.name], value)

    def model(self, server: ReplayServer, name: str = "", **options: Any) -> OpenAI:
        component = PROVIDERS[self.name]
        if self.mode == "replayed":
            self._set.setattr(component, "provider", replace(component.provider, url=server.url, variable=""))
        made: OpenAI = self._build(component, name or server.session["model"], **options)
        return made

    def play(self, shape: str) -> tuple[Generation | ProviderError, ReplayServer]:
        with ReplayServer(self.name, then=shape) as server:
            asked = dict(server.session["exchanges"][shape].get("live", {}))
            if "key" in asked:
                self.key(asked.pop("key"))
            try:
                return ask(self.model(server, asked.pop("model", "")), **asked), server
            except ProviderError as error:
                return error, server


@pytest.fixture
def api(build: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda name, mode="replayed": Api(name, mode, build, monkeypatch)


@pytest.mark.parametrize(("name", "shape"), SHAPES)
def test_every_documented_shape_is_an_answer_or_a_failure_of_its_kind(api: Any, name: str, shape: str) -> None:
    got, server = api(name).play(shape)
    recorded = server.session["exchanges"][shape]
    assert len(server.requests) == 1
    if "gives" in recorded:
        assert got == Generation(**recorded["gives"])
        return
    assert isinstance(got, ProviderError)
    assert {"reason": got.reason, "retryable": got.retryable, "retry_after": got.retry_after} == recorded["raises"]
    assert recorded.get("says", "") in str(got)
    assert not any(key in str(got) for key in (KEY, recorded.get("live", {}).get("key", KEY)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("name", "shape"), PROVOKED)
def test_what_can_be_provoked_is_as_recorded(api: Any, name: str, shape: str, mode: str) -> None:
    """The same expectations of the replayed session and, with a key, of the API itself."""
    got, server = api(name, mode).play(shape)
    recorded = server.session["exchanges"][shape]
    if "raises" in recorded:
        assert isinstance(got, ProviderError), got
        assert (got.reason, got.retryable) == (recorded["raises"]["reason"], recorded["raises"]["retryable"])
        assert recorded.get("says", "") in str(got)
        return
    assert isinstance(got, Generation), got
    assert got.finish == recorded["gives"]["finish"]
    assert got.prompt_tokens and got.completion_tokens and got.text
    assert (got.reasoning_tokens or 0) <= got.completion_tokens


@pytest.mark.parametrize("name", PROVIDERS)
def test_only_documented_fields_are_sent(api: Any, name: str) -> None:
    """The server refuses others as the API would."""
    with ReplayServer(name) as server:
        ask(api(name).model(server))
        (body,) = server.requests
        limit = "max_completion_tokens" if name == "openai" else "max_tokens"
        assert (body["temperature"], body[limit], body.get("stream", False)) == (0.7, 320, False)
        assert ("seed" in body) == (name == "openai")
        with pytest.raises(ProviderError, match=r"400.*omit names fields"):
            ask(api(name).model(server, extra={"best_of": 2}))


def test_anthropic_gets_the_system_text_apart_and_a_schema_as_output_config(api: Any) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    with ReplayServer("anthropic") as server:
        ask(api("anthropic").model(server, top_p=0.9), guide=Guide("json", schema))
        (body,) = server.requests
    assert body["system"] == HELLO[0].content
    assert [m["role"] for m in body["messages"]] == ["user"]
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    assert "top_p" not in body, "the sampling that was asked for has it off"


@pytest.mark.parametrize(
    ("name", "model", "omitted"),
    [
        ("openai", "o4-mini", True), ("openai", "gpt-5.2", True), ("openai", "gpt-5-mini-2025-08-07", True),
        ("openai", "gpt-4.1-nano", False), ("openai", "gpt-5-chat-latest", False), ("openai", "gpt-4o", False),
        ("anthropic", "claude-opus-4-7", True), ("anthropic", "claude-sonnet-5", True),
        ("anthropic", "claude-opus-5-5", True), ("anthropic", "claude-haiku-4-5-20251001", False),
        ("anthropic", "claude-opus-4-6", False), ("anthropic", "claude-3-5-haiku-20241022", False),
    ],
)  # fmt: skip
def test_models_that_take_no_sampling_get_none_and_the_run_says_so(
    api: Any, name: str, model: str, omitted: bool
) -> None:
    with ReplayServer(name) as server:
        made = api(name).model(server, model)
        ask(made)
        assert ("temperature" not in server.requests[0]) == omitted
        assert ("temperature" in made.describe()["omit"]) == omitted  # type: ignore[operator]
        ask(api(name).model(server, model, omit=("top_k", "min_p", "repetition_penalty", "seed")))
        assert "temperature" in server.requests[1], "the option overrides it"


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_missing_key_is_one_sentence_before_anything_is_asked(
    build: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build(PROVIDERS[name], "some-model")
    with pytest.raises(UsageError, match=f"{name}.*set {VARIABLES[name]}"):
        asyncio.run(made.start())
    with pytest.raises(UsageError, match=f"write {name}:NAME"):
        build(PROVIDERS[name])


def test_guides_that_no_api_enforces_are_refused(build: Any) -> None:
    for name in ("anthropic", "deepseek", "gemini"):
        with pytest.raises(UsageError, match="cannot enforce a format"):
            build(PROVIDERS[name], "some-model", format="guided")
    assert build(DeepSeek, "some-model").guides == frozenset()
    assert build(Anthropic, "some-model").guides == build(Gemini, "some-model").guides == {"json"}
    with pytest.raises(UsageError, match="contract guide"):
        ask(build(Anthropic, "some-model", base_url="http://127.0.0.1:1"), guide=Guide("contract"))


def test_list_prices_are_those_of_the_provider(build: Any) -> None:
    assert build(Anthropic, "claude-haiku-4-5-20251001").prices == (1.0, 5.0)
    assert build(DeepSeek, "deepseek-v4-flash").prices == (0.3, 1.2)
    assert build(Gemini, "gemini-2.5-flash").prices == (0.3, 2.5)
    assert build(Gemini, "gemini-2.5-flash", base_url="https://proxy.example/v1").prices == (None, None)
    assert build(Anthropic, "claude-nobody").prices == (None, None)


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, "", None),
        ({"Retry-After": "7"}, "", 7.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, "", 360.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1h2m3.5s"}, "", 3723.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "17ms"}, "", 0.017),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "17s"}, "", None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "soon"}, "", None),
        ({"x-ratelimit-remaining-tokens": "0"}, "", None),
        ({"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2001-01-01T00:00:00Z"},
         "", 0.0),
        ({}, '[{"error": {"details": [{"@type": "google.rpc.RetryInfo", "retryDelay": "37.5s"}]}}]', 37.5),
        ({}, '[{"error": {"details": [{"@type": "google.rpc.RetryInfo"}, 3]}}]', None),
        ({}, '{"error": "slow down"}', None),
    ],
)  # fmt: skip
def test_how_long_to_wait(headers: dict[str, str], body: str, seconds: float | None) -> None:
    assert wait(headers, body) == (None if seconds is None else pytest.approx(seconds))


def test_a_reset_in_the_future_is_waited_for() -> None:
    """Anthropic gives times of day; the wait is what is left until then."""
    ahead = {
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2999-12-31T00:00:00Z",
    }
    assert (wait(ahead) or 0) > 1e9
