"""A real small model as candidate, user and judge behind servers that nobody here wrote: llama.cpp's and vLLM's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rlpa_bench_plugins.models._vllm_process import VLLMProcess

import rlpa_bench
from rlpa_bench.datasets import SMOLLM2_GGUF, dataset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]


def llamacpp(gguf: Path, folder: Path) -> Iterator[str]:
    xllamacpp: Any = pytest.importorskip("xllamacpp")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    params = xllamacpp.CommonParams()
    params.model.path = str(gguf)
    params.n_parallel, params.n_ctx, params.port = 4, 4 * 4096, port
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


def vllm(gguf: Path, folder: Path) -> Iterator[str]:
    pytest.importorskip("vllm")
    transformers: Any = pytest.importorskip("transformers")
    source = {"gguf_file": gguf.name}
    more = {"quantization_config": transformers.GgufConfig(dequantize=True)}
    transformers.AutoModelForCausalLM.from_pretrained(gguf.parent, **source, **more).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(gguf.parent, **source).save_pretrained(folder)
    served = ["--model", str(folder), "--served-model-name", "smollm2", "--generation-config", "vllm"]
    process = VLLMProcess([*served, "--max-model-len", "4096", "--enforce-eager", "--gpu-memory-utilization", "0.3"])
    asyncio.run(process.ready(1800))
    yield f"{process.url}/v1"
    process.stop()


SERVERS = {"llamacpp": llamacpp, "vllm": vllm}


@pytest.fixture(params=list(SERVERS))
def server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """Which server, and where it serves the model."""
    monkeypatch.delenv("RLPA_BENCH_CACHE_DIR")
    if dataset("smollm2").state() != "here":
        pytest.skip("smollm2 is not fetched: rlpa-bench data fetch smollm2")
    for address in SERVERS[request.param](dataset("smollm2").path() / SMOLLM2_GGUF, tmp_path / "checkpoint"):
        yield request.param, address


def test_one_model_in_three_roles(server: tuple[str, str], out: Path) -> None:
    """Guided verdicts are numbers or say why not, the ledger is extracted, and every role's calls are booked."""
    style, address = server
    run = rlpa_bench.run(
        suite="training", model="openai:smollm2", simulator="rlpa", judge="rlpa-gate,aloe-15,profile", limit=2, turns=3,
        controls=False, cache=False, out=out, max_connections=4,
        options=[
            f"model.base_url={address}", f"model.guided_style={style}", "model.format=guided", "model.max_tokens=90",
            "model.timeout=900",
            "simulator.model=openai:smollm2", "simulator.max_tokens=40", "judge.model=openai:smollm2",
            "judge.format=guided", "judge.max_tokens=60", "judge.rlpa-gate.reasons=false",
        ],
    )  # fmt: skip
    assert run.info["counts"]["played"] == 2
    row = run.summary["rows"]["openai:smollm2/base"]
    for column in ("AVG[rlpa-gate]", "AVG[aloe-15]"):
        cell = row[column]
        assert cell["planned"] == 6
        assert cell["scored"] + sum(cell["missing"].values()) == 6
        assert cell["scored"] >= 4, cell["missing"]
    assert set(run.info["calls"]["calls"]) == {"candidate", "simulator", "judge"}
    assert all(turn.user.extracted for dialogue in run.dialogues() for turn in dialogue.turns[1:])
