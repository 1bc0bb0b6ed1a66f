"""The life of the server process, with a stand-in for vLLM; the real one is in the slow lane."""

import asyncio
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest
from openai_server import LEGAL, OpenAIServer
from rlpa_bench_plugins.models.vllm_server import VLLM

from rlpa_bench.contract import Contract
from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import Generation, Guide, Sampling
from rlpa_bench.types import Message

STAND_IN = """
import http.server, json, os, subprocess, sys, time
from pathlib import Path

folder, mode = Path(os.environ["STAND_IN"]), os.environ["STAND_IN_MODE"]
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(folder / "pids").write_text(f"{os.getpid()} {child.pid}")
(folder / "argv").write_text(json.dumps(sys.argv[1:]))
print("loading weights", flush=True)
if mode == "dies":
    raise SystemExit("ValueError: no such architecture")
if mode == "hangs":
    time.sleep(600)

class Handler(http.server.BaseHTTPRequestHandler):
    def _send(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self._send(b"")

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": asked}}
        self._send(json.dumps({"choices": [choice]}).encode())

port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package named vllm for child processes; returns the folder where it leaves its traces."""
    package = tmp_path / "path" / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()
    (package / "api_server.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.setenv("STAND_IN", str(tmp_path))
    monkeypatch.setenv("STAND_IN_MODE", "works")
    return tmp_path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "chat_template.jinja").write_text("template")
    return folder


def alive(folder: Path) -> list[int]:
    """Processes of the stand-in that still run after a moment of grace."""
    pids = [int(pid) for pid in (folder / "pids").read_text().split()]
    for _ in range(50):
        if not (left := [pid for pid in pids if _runs(pid)]):
            return []
        time.sleep(0.1)
    return left


def _runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        os.kill(pid, 0)
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_it_starts_a_server_asks_it_and_stops_it(build: Any, stand_in: Path, checkpoint: Path) -> None:
    async def once() -> Generation:
        model = build(VLLM, str(checkpoint), context=2048, args=("--enforce-eager",), format="guided")
        await model.start()
        try:
            generation: Generation = await model.generate([Message("user", "Hi")], Sampling(seed=3), Guide("contract"))
            return generation
        finally:
            await model.aclose()

    sent = asyncio.run(once()).text
    for part in ('"top_k":0', '"min_p":0.0', '"repetition_penalty":1.0', '"seed":3', "structured_outputs"):
        assert part in sent
    arguments = (stand_in / "argv").read_text()
    for part in ('"--generation-config", "vllm"', '"--max-model-len", "2048"', "--enforce-eager", str(checkpoint)):
        assert part in arguments
    assert alive(stand_in) == []


@pytest.mark.parametrize(
    ("mode", "what"),
    [("dies", "ended with code 1 before it was ready"), ("hangs", r"was not ready after 2 s.*startup_timeout")],
)
def test_a_server_that_does_not_come_up_shows_its_log_and_leaves_nothing(
    build: Any, stand_in: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, mode: str, what: str
) -> None:
    monkeypatch.setenv("STAND_IN_MODE", mode)
    model = build(VLLM, str(checkpoint), startup_timeout=2 if mode == "hangs" else 60)
    with pytest.raises(ProviderError, match=what) as caught:
        asyncio.run(model.start())
    assert ("no such architecture" if mode == "dies" else "loading weights") in str(caught.value)
    assert not caught.value.retryable
    assert alive(stand_in) == []


def test_a_running_server_is_reused_and_told_to_keep_stop_strings(build: Any) -> None:
    async def once(url: str) -> Generation:
        model = build(VLLM, "served", base_url=url)
        await model.start()
        try:
            generation: Generation = await model.generate([Message("user", "Hi")], Sampling(stop=("chess",)), None)
            return generation
        finally:
            await model.aclose()

    with OpenAIServer() as server:
        assert asyncio.run(once(server.url)).text == LEGAL.partition("chess")[0] + "chess"
        (body,) = server.requests
    assert body["stop"] == ["chess"] and body["include_stop_str_in_output"] is True


def test_its_description_names_weights_and_template(build: Any, checkpoint: Path) -> None:
    told = build(VLLM, str(checkpoint)).describe()
    assert told["weights"] == f"sha256 {hashlib.sha256(b'weights').hexdigest()}"
    assert told["chat_template_sha256"] == hashlib.sha256(b"template").hexdigest()


def test_a_checkpoint_that_is_not_there_is_one_sentence(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match="check the path or the hub id"):
        asyncio.run(build(VLLM, "nobody/nothing-at-all").start())
    with pytest.raises(UsageError, match="vllm:PATH"):
        build(VLLM)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_real_server_keeps_the_contract(build: Any, smollm2: Path, tmp_path: Path) -> None:
    pytest.importorskip("vllm", reason="needs the extra 'vllm'")
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    source = {"gguf_file": smollm2.name}
    more = {"quantization_config": GgufConfig(dequantize=True)}
    AutoModelForCausalLM.from_pretrained(smollm2.parent, **source, **more).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(smollm2.parent, **source).save_pretrained(tmp_path)

    async def once() -> list[Generation]:
        model = build(
            VLLM,
            str(tmp_path),
            context=2048,
            args=("--enforce-eager", "--gpu-memory-utilization", "0.3"),
            format="guided",
        )
        await model.start()
        try:
            calls = []
            for n, said in enumerate(("Hello", "I am a nurse.", "I bake bread.", "Bye!")):
                sampling = Sampling(max_tokens=200, seed=n, stop=("</response>",))
                calls.append(model.generate(Contract().render((), said), sampling, Guide("contract")))
            free = model.generate([Message("user", "Count to nine.")], Sampling(max_tokens=40, stop=("e",)), None)
            return list(await asyncio.gather(*calls, free))
        finally:
            await model.aclose()

    *guided, free = asyncio.run(once())
    finished = [generation for generation in guided if generation.finish == "stop"]
    assert len(finished) >= 2
    assert all(Contract.parse(generation.text).malformed == "" for generation in finished)
    assert "e" not in free.text[:-1] and all(generation.completion_tokens for generation in guided)
