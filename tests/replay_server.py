"""A real HTTP server that answers as a commercial API's documentation says, and refuses what it does not take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aiohttp import web
from threaded_server import ThreadedServer

SESSIONS = Path(__file__).parent / "plugins" / "models" / "sessions"
KEY = "sk-Very/secret+key=42"


def session(provider: str) -> dict[str, Any]:
    """What one API answers, written from its documentation."""
    loaded: dict[str, Any] = json.loads((SESSIONS / f"{provider}.json").read_text(encoding="utf-8"))
    return loaded


class ReplayServer(ThreadedServer):
    """Replays exchanges of a session by name: ``plan`` one after another, then ``then`` for ever.

    A request at another path, without the key, or with a field that the documentation does not name, gets the error
    that the API would send. ``{key}`` in a recorded body becomes the key that was sent, since some APIs repeat it.
    """

    def __init__(self, provider: str, *plan: str, then: str = "answer", key: str = KEY) -> None:
        self.session = session(provider)
        self.path = self.session["path"]
        self.plan = list(plan)
        self.then = then
        self.key = key
        self.requests: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.session['base_url']}"

    async def respond(self, request: web.Request) -> web.Response:
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
