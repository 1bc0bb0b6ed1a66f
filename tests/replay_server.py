"""A real HTTP server that answers as a commercial API's documentation says, and refuses what it does not take."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web

SESSIONS = Path(__file__).parent / "plugins" / "models" / "sessions"
KEY = "sk-Very/secret+key=42"


def session(provider: str) -> dict[str, Any]:
    """What one API answers, written from its documentation."""
    loaded: dict[str, Any] = json.loads((SESSIONS / f"{provider}.json").read_text(encoding="utf-8"))
    return loaded


class ReplayServer:
    """Replays exchanges of a session by name: ``plan`` one after another, then ``then`` for ever.

    A request at another path, without the key, or with a field that the documentation does not name, gets the error
    that the API would send. ``{key}`` in a recorded body becomes the key that was sent, since some APIs repeat it.
    """

    def __init__(self, provider: str, *plan: str, then: str = "answer", key: str = KEY) -> None:
        self.session = session(provider)
        self.plan = list(plan)
        self.then = then
        self.key = key
        self.requests: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.session['base_url']}"

    def __enter__(self) -> ReplayServer:
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        assert started.wait(10), "the replay server did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_post(self.session["path"], self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        started.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append(body)
        header, value = self.session["auth"]
        wanted = {header: value.format(key=self.key), **self.session.get("requires", {})}
        if any(request.headers.get(name) != expected for name, expected in wanted.items()):
            return self._send(self.session["exchanges"]["wrong key"], request)
        roles = self.session.get("roles", ["system", "user", "assistant"])
        odd = [*(body.keys() - set(self.session["accepts"])),
               *(m["role"] for m in body["messages"] if m["role"] not in roles)]  # fmt: skip
        if odd:
            unknown = json.dumps(self.session["unknown"]).replace("{field}", odd[0])
            return web.Response(status=400, text=unknown, content_type="application/json")
        return self._send(self.session["exchanges"][self.plan.pop(0) if self.plan else self.then], request)

    def _send(self, exchange: dict[str, Any], request: web.Request) -> web.Response:
        body, (header, _) = exchange["body"], self.session["auth"]
        sent = request.headers.get(header, "").removeprefix("Bearer ")
        text = (body if isinstance(body, str) else json.dumps(body)).replace("{key}", sent)
        return web.Response(
            status=exchange["status"], headers=exchange["headers"], text=text, content_type="application/json"
        )
