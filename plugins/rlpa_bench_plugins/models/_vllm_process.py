"""A vLLM server of our own: started on a free local port, watched until it is ready, stopped with its children."""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkstemp

from rlpa_bench.errors import ProviderError

_CAUSE = re.compile(r"\b\w*(?:Error|Exception|Exit|Killed)\b.*:")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class VLLMProcess:
    """``python -m vllm.entrypoints.openai.api_server`` in a process group of its own."""

    def __init__(self, arguments: Sequence[str]) -> None:
        descriptor, name = mkstemp(prefix="rlpa-bench-vllm-", suffix=".log")
        self._log = Path(name)
        self.port = free_port()
        module = ("-m", "vllm.entrypoints.openai.api_server")
        where = ("--host", "127.0.0.1", "--port", str(self.port))
        with os.fdopen(descriptor, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *module, *where, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        atexit.register(self.stop)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ready(self, seconds: float) -> None:
        """Waits until it answers. Raises ProviderError with the causes in its log, after stopping it."""
        try:
            async with asyncio.timeout(seconds):
                while not await self._healthy():
                    if self._process.poll() is not None:
                        raise self._failure(f"ended with code {self._process.returncode} before it was ready")
                    await asyncio.sleep(0.25)
        except TimeoutError:
            raise self._failure(f"was not ready after {seconds:g} s; raise the option startup_timeout") from None

    async def _healthy(self) -> bool:
        import aiohttp

        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/health") as reply:
                return reply.status == 200
        except aiohttp.ClientError:
            return False

    def _failure(self, what: str) -> ProviderError:
        lines = [line.strip() for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines()]
        causes = [line for line in lines if _CAUSE.search(line)][:3] or lines[-3:]
        said = " / ".join(causes)[:1000] or "nothing"
        self.stop(keep_log=True)
        return ProviderError(f"the vLLM server {what}; its log ({self._log}) says: {said}", reason="start")

    def stop(self, *, keep_log: bool = False) -> None:
        """Ends the server and all its children; harmless the second time."""
        atexit.unregister(self.stop)
        for how, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            try:
                os.killpg(self._process.pid, how)
                self._process.wait(patience)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()
        if not keep_log:
            self._log.unlink(missing_ok=True)
