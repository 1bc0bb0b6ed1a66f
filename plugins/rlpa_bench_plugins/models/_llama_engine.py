"""One llama.cpp server in this process: continuous batching over its slots, prompt cache, grammars."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from secrets import token_hex
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from rlpa_bench.errors import ProviderError
from rlpa_bench.interfaces import Generation
from rlpa_bench_plugins.models._text import cut

PROMPT_CACHE_MIB = 512
"""Memory, over all engines, for the histories of dialogues that have no slot just now."""


class Engine:
    """A server and how many calls it is busy with."""

    def __init__(
        self, path: Path, slots: int, context: int, threads: int, gpu_layers: int, cache_mib: int, states: Path
    ) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_parallel = slots
        params.n_ctx = slots * context
        params.n_gpu_layers = gpu_layers
        for cpu in (params.cpuparams, params.cpuparams_batch):
            cpu.n_threads = threads
            cpu.poll = 0  # threads that spin while they wait are slower than none on a busy machine
        params.cache_ram_mib = cache_mib
        params.slot_save_path = f"{states}/"
        params.warmup = False
        params.ui = False
        params.verbosity = -1
        self._secret = token_hex()
        params.api_keys = [self._secret]  # it also listens on a local port, which is for nobody but us
        self.slots = slots
        self.busy = 0
        try:
            self._server = xllamacpp.Server(params)
        except Exception as error:
            reason = (
                f"llama.cpp cannot load {path} ({error}); check the file, and lower slots or context if memory is short"
            )
            raise ProviderError(reason, reason="load") from None

    def chat(self, body: Mapping[str, Any], stops: tuple[str, ...], cancelled: Event) -> Generation:
        """One completion; blocks, and ends early when ``cancelled`` is set. Raises ProviderError."""
        text, finish, error = "", "", None
        counts: dict[str, int] = {}

        def take(chunk: dict[str, Any]) -> bool:
            nonlocal text, finish, error
            error = chunk.get("error", error)
            counts.update(chunk.get("timings", {}))
            for choice in chunk.get("choices", ()):
                text += choice["delta"].get("content") or ""
                finish = choice["finish_reason"] or finish
            text, ended = cut(text, stops)
            finish = "stop" if ended else finish
            return ended or error is not None or cancelled.is_set()

        self._server.handle_chat_completions({**body, "stream": True, "timings_per_token": True}, take)
        if error is not None:
            raise _failure(error)
        if not finish:
            raise ProviderError("llama.cpp ended a call without an answer", reason="cancelled", retryable=True)
        prompt = counts["prompt_n"] + counts["cache_n"] if counts else None
        return Generation(text, "length" if finish == "length" else "stop", prompt, counts.get("predicted_n"))

    def keep_state(self, slot: int, name: str) -> bool:
        """Saves what a slot has read, to be loaded into others."""
        return self._slot(slot, "save", name)

    def load_state(self, slot: int, name: str) -> bool:
        return self._slot(slot, "restore", name)

    def _slot(self, slot: int, action: str, name: str) -> bool:
        address = urlsplit(self._server.listening_address)
        connection = HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=60)
        headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"}
        try:
            connection.request("POST", f"/slots/{slot}?action={action}", json.dumps({"filename": name}), headers)
            return connection.getresponse().status == 200
        finally:
            connection.close()


def _failure(error: Mapping[str, Any]) -> ProviderError:
    message = f"llama.cpp refused a call: {error.get('message', error)}"
    if error.get("type") == "exceed_context_size_error":
        return ProviderError(f"{message}; raise the model's option context", reason="context_overflow")
    code = int(error.get("code", 500))
    return ProviderError(message, reason=str(code), retryable=code >= 500)
