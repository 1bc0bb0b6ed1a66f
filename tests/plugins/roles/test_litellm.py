"""LiteLLM's proxy, a server with habits of its own, in front of mock answers. It needs the program ``litellm``."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from openai_server import LEGAL
from rlpa_bench_plugins.models.openai_chat import OpenAI

import rlpa_bench
from rlpa_bench.errors import ProviderError
from rlpa_bench.interfaces import Sampling
from rlpa_bench.types import Message

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
KEY = "sk-proxy-1234567890"
MOCKS = {
    "candidate": LEGAL,
    "user": "Depends on the day, really.",
    "judge": "I liked this one!",
    "busy": "litellm.RateLimitError",
    "small": "litellm.ContextWindowExceededError",
}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("litellm")
    if program is None:
        pytest.skip("needs the program litellm, from litellm[proxy] in an environment of its own, on PATH")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    parameters = {"model": "openai/mock", "api_key": "none"}
    models = [{"model_name": n, "litellm_params": parameters | {"mock_response": m}} for n, m in MOCKS.items()]
    settings = {"model_list": models, "litellm_settings": {"num_retries": 0}, "general_settings": {"master_key": KEY}}
    config = tmp_path_factory.mktemp("litellm") / "config.yaml"
    config.write_text(json.dumps(settings))  # which is YAML too
    command = [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(f"http://127.0.0.1:{port}/health/liveliness", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "litellm ended before it was ready"
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.5)
    raise TimeoutError("litellm was not ready after 5 minutes")


def test_three_roles_behind_the_proxy(proxy: str, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge only chatters: its verdicts are missing with their reason and bounds, and never a number."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    run = rlpa_bench.run(
        suite="training", model="openai:candidate", simulator="rlpa", judge="rlpa-gate,profile", limit=2, turns=3,
        controls=False, cache=False, preflight=False, out=out,
        options=[f"model.base_url={proxy}", "simulator.model=openai:user", "judge.model=openai:judge",
                 "judge.rlpa-gate.reasons=false"],
    )  # fmt: skip
    assert (run.info["counts"]["played"], run.info["counts"]["failed"]) == (2, 0)
    row = run.summary["rows"]["openai:candidate/base"]
    assert row["malformed"]["mean"] == 0.0
    gate = row["AVG[rlpa-gate]"]
    assert (gate["planned"], gate["scored"], gate["mean"], gate["bounds"]) == (6, 0, None, [0.0, 100.0])
    assert gate["missing"] == {"error: unparseable": 6}
    calls = run.info["calls"]["calls"]
    assert calls["candidate"] == 6 and calls["judge"] == 12, "each verdict was asked for once more"
    for path in out.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("model", "key", "reason", "retryable"),
    [
        ("busy", KEY, "429", True), ("small", KEY, "context_overflow", False), ("nobody", KEY, "400", False),
        ("candidate", "sk-wrong-0000000", None, False),
    ],
)  # fmt: skip
def test_its_failures_are_of_their_kinds(
    proxy: str, model: str, key: str, reason: str | None, retryable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong key is 400 or 401, by version; either way it is no try to repeat."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    made = OpenAI(OpenAI.Options(base_url=proxy), SimpleNamespace(contract=None), model)

    async def once() -> None:
        try:
            await made.generate([Message("user", "Hello")], Sampling(), None)
        finally:
            await made.aclose()

    with pytest.raises(ProviderError) as caught:
        asyncio.run(once())
    assert caught.value.reason in ((reason,) if reason else ("400", "401")) and caught.value.retryable == retryable
    assert key not in str(caught.value)
