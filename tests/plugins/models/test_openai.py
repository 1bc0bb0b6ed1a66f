import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai_server import HUGE, LEGAL, OpenAIServer
from rlpa_bench_plugins.models.openai_chat import OpenAI

from rlpa_bench.contract import Contract
from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import Generation, Guide, Sampling
from rlpa_bench.types import Message

KEY = "sk-very/secret+key"
HELLO = [Message("system", "Be kind."), Message("user", "Hello – 你好 \U0001f600")]
PLAIN = Sampling(stop=("</response>",), seed=7)


@pytest.fixture(params=["aiohttp", "sdk"])
def transport(request: pytest.FixtureRequest) -> str:
    if request.param == "sdk":
        pytest.importorskip("openai")
    name: str = request.param
    return name


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def model(build: Any, server: OpenAIServer, transport: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def make(**options: Any) -> OpenAI:
        made: OpenAI = build(OpenAI, "served", base_url=server.url, transport=transport, **options)
        return made

    return make


def ask(model: OpenAI, sampling: Sampling = PLAIN, guide: Guide | None = None) -> Generation:
    async def once() -> Generation:
        await model.start()
        try:
            return await model.generate(HELLO, sampling, guide)
        finally:
            await model.aclose()

    return asyncio.run(once())


def test_sends_every_sampling_field_and_reads_the_answer(model: Any, server: OpenAIServer) -> None:
    assert ask(model()) == Generation(LEGAL, "stop", 11, 7, None)
    (body,) = server.requests
    assert body == {
        "model": "served",
        "messages": [{"role": m.role, "content": m.content} for m in HELLO],
        "temperature": 0.7,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "max_tokens": 320,
        "seed": 7,
    }
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("no-usage", Generation(LEGAL)),
        ("length", Generation("<profile>\n- Inter", "length", 11, 7)),
        ("filter", Generation("", "filter", 11, 7)),
        ("refusal", Generation("", "filter", 11, 7)),
        ("empty", Generation("", "stop", 11, 7)),
        ("null", Generation("", "stop", 11, 7)),
        ("parts", Generation("one two", "stop", 11, 7)),
        ("huge", Generation("a" * HUGE, "stop", 11, 7)),
        ("beyond", Generation(LEGAL, "stop", 11, 7)),
        ("thinking", Generation(LEGAL, "stop", 11, 7, 2)),  # not counted by the endpoint: by characters
        ("thinking-counted", Generation(LEGAL, "stop", 11, 7, 5)),
        ("reasoning", Generation(LEGAL, "stop", 11, 7, 1)),
    ],
)
def test_answers_of_all_kinds(model: Any, server: OpenAIServer, behaviour: str, expected: Generation) -> None:
    server.then = behaviour
    assert ask(model()) == expected


@pytest.mark.parametrize(
    ("behaviour", "reason", "retryable", "wait"),
    [
        ("429", "429", True, 3.0),
        ("429-ms", "429", True, 0.25),
        ("429-nonsense", "429", True, None),
        ("503", "503", True, 0.5),
        ("500", "500", True, None),
        ("408", "408", True, None),
        ("409", "409", True, None),
        ("quota", "quota", False, None),
        ("400", "400", False, None),
        ("401", "401", False, None),
        ("403", "403", False, None),
        ("404", "404", False, None),
        ("overflow", "context_overflow", False, None),
        ("garbage", "bad_body", True, None),
        ("binary", "bad_body", True, None),
        ("nothing", "bad_body", True, None),
        ("list", "bad_body", True, None),
        ("no-choices", "no_choices", True, None),
        ("error-200", "no_choices", True, None),
        ("reset", "connection", True, None),
        ("truncated", "connection", True, None),
    ],
)
def test_failures_of_all_kinds(
    model: Any, server: OpenAIServer, behaviour: str, reason: str, retryable: bool, wait: float | None
) -> None:
    server.then = behaviour
    with pytest.raises(ProviderError) as caught:
        ask(model())
    error = caught.value
    assert (error.reason, error.retryable, error.retry_after) == (reason, retryable, wait)
    assert KEY not in str(error) and "served at http://127.0.0.1" in str(error)
    assert len(server.requests) == 1, "a model makes one call; retries belong to the core"


def test_a_date_in_retry_after_is_a_time_to_wait(model: Any, server: OpenAIServer) -> None:
    server.then = "429-date"
    with pytest.raises(ProviderError) as caught:
        ask(model())
    assert caught.value.retry_after is not None and caught.value.retry_after > 1e9


def test_a_hang_is_a_timeout(model: Any, server: OpenAIServer) -> None:
    server.then = "hang"
    with pytest.raises(ProviderError, match=r"within 0\.2 s") as caught:
        ask(model(timeout=0.2))
    assert (caught.value.reason, caught.value.retryable) == ("timeout", True)


def test_nobody_there_is_a_connection_failure(build: Any, transport: str) -> None:
    with OpenAIServer() as gone:
        url = gone.url
    with pytest.raises(ProviderError, match="check base_url") as caught:
        ask(build(OpenAI, "served", base_url=url, transport=transport))
    assert (caught.value.reason, caught.value.retryable) == ("unreachable", True)


def test_calls_run_at_the_same_time(model: Any, server: OpenAIServer) -> None:
    server.latency = 0.3
    server.answer = lambda body: str(body["messages"][0]["content"])

    async def many() -> list[str]:
        m = model()
        calls = (m.generate([Message("user", str(n))], PLAIN, None) for n in range(40))
        try:
            return [generation.text for generation in await asyncio.gather(*calls)]
        finally:
            await m.aclose()

    assert asyncio.run(many()) == [str(n) for n in range(40)]
    assert server.peak == 40


@pytest.mark.parametrize(
    ("style", "field", "value"),
    [
        ("vllm", "structured_outputs", {"regex": Contract().regex()}),
        ("llamacpp", "grammar", Contract().gbnf()),
    ],
)
def test_the_contract_guide_is_sent_as_the_endpoint_takes_it(
    model: Any, server: OpenAIServer, style: str, field: str, value: Any
) -> None:
    ask(model(guided_style=style, format="guided"), guide=Guide("contract"))
    assert server.requests[0][field] == value


def test_a_json_guide_is_a_response_format(model: Any, server: OpenAIServer) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    ask(model(guided_style="json"), guide=Guide("json", schema))
    assert server.requests[0]["response_format"]["json_schema"]["schema"] == schema


def test_fields_can_be_left_out_and_added(model: Any, server: OpenAIServer) -> None:
    m = model(omit=("top_k", "seed"), extra={"reasoning_effort": "low"})
    ask(m)
    assert not {"top_k", "seed"} & server.requests[0].keys()
    assert server.requests[0]["reasoning_effort"] == "low"
    assert m.describe()["omit"] == ["seed", "top_k"]


def test_guides_nobody_enforces_are_refused(build: Any) -> None:
    with pytest.raises(UsageError, match="smollm2, llamacpp, vllm"):
        build(OpenAI, "served", base_url="http://127.0.0.1:1/v1", format="guided")
    with pytest.raises(UsageError, match="guided_style=json cannot enforce a contract guide"):
        ask(build(OpenAI, "served", base_url="http://127.0.0.1:1/v1", guided_style="json"), guide=Guide("contract"))


def test_openai_itself_gets_no_fields_it_rejects(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    official = build(OpenAI, "gpt-4o-mini")
    assert official.describe() == {
        "base_url": "https://api.openai.com/v1",
        "omit": ["min_p", "repetition_penalty", "top_k"],
    }
    with pytest.raises(UsageError, match="set OPENAI_API_KEY"):
        asyncio.run(official.start())
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1/")
    assert build(OpenAI, "x").describe() == {"base_url": "http://127.0.0.1:9/v1", "omit": []}


def test_no_secret_is_ever_shown(
    build: Any, server: OpenAIServer, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", f"{KEY}\n")
    url = server.url.replace("//", "//ann:p%40ss@") + "?token=t0ken"
    m = build(OpenAI, "served", base_url=url, api_key_env="MY_KEY", transport=transport)
    server.then = "401"
    with pytest.raises(ProviderError) as caught:
        ask(m)
    shown = str(caught.value) + json.dumps(m.describe()) + m.options.model_dump_json()
    assert "***" in shown and server.requests
    for secret in (KEY, "p%40ss", "p@ss", "t0ken"):
        assert secret not in shown


def test_bad_addresses_and_names_are_one_sentence(build: Any) -> None:
    with pytest.raises(UsageError, match="openai:NAME"):
        build(OpenAI)
    for url in ("localhost:8000", "ftp://x/v1", "http://"):
        with pytest.raises(UsageError, match="base_url"):
            asyncio.run(build(OpenAI, "m", base_url=url).start())
