"""The page as a web server: plain HTTP and JSON, no cookies, nothing from other hosts, no record of addresses.

Whoever takes part gets a code and sends it in a header of each request; there is no other name for a person, a place
or a file in any address or body, and so nothing to guess but 256 random bits.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib.resources import files
from typing import Any

from aiohttp import web

from rlpa_bench.errors import UsageError
from rlpa_bench.people.study import Study, UnknownCodeError
from rlpa_bench.people.visit import FACT_SLOTS, GRADE_WORDS, LONGEST, Visit, seat

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LARGEST = 64 << 10
"""Bytes of a request."""
PATIENCE = 20.0
"""Seconds that a page waits for news before it asks again."""
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def page() -> str:
    """The one page there is."""
    return files("rlpa_bench").joinpath("people", "page.html").read_text(encoding="utf-8")


def policy(html: str) -> str:
    """A content security policy under which nothing runs but the page's own script and style."""
    hashes: dict[str, str] = {}
    for kind, text in _INLINE.findall(html):
        hashes[kind] = f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
    return (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


class Pages:
    """The requests that are answered."""

    def __init__(self, study: Study, hosts: frozenset[str] | None) -> None:
        self.study = study
        self.hosts = hosts
        """Names under which the server may be called; None is any."""
        self._page = page()
        self._policy = policy(self._page)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=LARGEST)
        app.router.add_get("/", self._index)
        app.router.add_get("/api/study", self._about)
        app.router.add_get("/api/state", self._state)
        app.router.add_get("/api/export", self._export)
        for name in ("join", "say", "leave", "rate", "confirm", "delete"):
            app.router.add_post(f"/api/{name}", getattr(self, f"_{name}"))
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuses what another site may have sent; errors are one sentence; nothing is kept by browsers."""
        try:
            self._refuse_foreign(request)
            answer = await handler(request)
        except UnknownCodeError as error:
            answer = _sentence(401, str(error))
        except UsageError as error:
            answer = _sentence(400, str(error))
        except web.HTTPException as error:
            answer = _sentence(error.status, f"{error.reason}.")
        answer.headers.update({
            "Cache-Control": "no-store", "Content-Security-Policy": self._policy, "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
        })  # fmt: skip
        return answer

    def _refuse_foreign(self, request: web.Request) -> None:
        if self.hosts is not None and request.url.host not in self.hosts:
            raise web.HTTPMisdirectedRequest(reason="This server is not called by that name")
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != request.host:
            raise web.HTTPForbidden(reason="Another site may not send requests to this one")
        if request.method == "POST" and request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(reason="Send JSON")

    async def _index(self, request: web.Request) -> web.Response:
        return web.Response(text=self._page, content_type="text/html")

    async def _about(self, request: web.Request) -> web.Response:
        return web.json_response({
            "consent": self.study.consent, "own": self.study.own, "slots": FACT_SLOTS, "longest": LONGEST,
            "grades": GRADE_WORDS,
        })  # fmt: skip

    async def _join(self, request: web.Request) -> web.Response:
        given = await _given(request)
        facts = given.get("facts", [])
        if not isinstance(facts, list) or not all(isinstance(fact, dict) for fact in facts):
            raise UsageError("“facts” is a list of objects with slot and value.")
        code = seat(self.study, agreed=given.get("agreed") is True, publish=given.get("publish") is True, facts=facts)
        return web.json_response({"code": code, **Visit(self.study, self.study.find(code)).state()})

    async def _state(self, request: web.Request) -> web.Response:
        visit = self._visit(request)
        since = request.query.get("since", "")
        if since.isdecimal():
            await visit.place.changed(int(since), PATIENCE)
            visit = self._visit(request)  # the data may have been deleted meanwhile
        return web.json_response(visit.state())

    async def _say(self, request: web.Request) -> web.Response:
        return await self._act(request, lambda visit, given: visit.say(_text(given, "text")))

    async def _leave(self, request: web.Request) -> web.Response:
        return await self._act(request, lambda visit, given: visit.leave())

    async def _rate(self, request: web.Request) -> web.Response:
        return await self._act(
            request, lambda visit, given: visit.rate(_number(given, "turn"), _number(given, "rating"))
        )

    async def _confirm(self, request: web.Request) -> web.Response:
        def confirm(visit: Visit, given: dict[str, Any]) -> None:
            answers = given.get("items")
            if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
                raise UsageError("“items” is a list with an answer for each line.")
            visit.confirm(answers, _text(given, "missing"))

        return await self._act(request, confirm)

    async def _export(self, request: web.Request) -> web.Response:
        return web.json_response(self._visit(request).export())

    async def _delete(self, request: web.Request) -> web.Response:
        await _given(request)
        self._visit(request).delete()
        return web.json_response({"deleted": True})

    async def _act(self, request: web.Request, act: Callable[[Visit, dict[str, Any]], None]) -> web.Response:
        given, visit = await _given(request), self._visit(request)
        act(visit, given)
        return web.json_response(visit.state())

    def _visit(self, request: web.Request) -> Visit:
        scheme, _, code = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not code:
            raise UnknownCodeError("This needs your code; begin, or give the code that you were given.")
        return Visit(self.study, self.study.find(code.strip()))


async def _given(request: web.Request) -> dict[str, Any]:
    try:
        given = await request.json()
    except ValueError:
        raise UsageError("The request is not JSON.") from None
    if not isinstance(given, dict):
        raise UsageError("The request is not a JSON object.")
    return given


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise UsageError(f"“{name}” is a text.")
    return value.encode("utf-8", "replace").decode()


def _number(given: dict[str, Any], name: str) -> int:
    value = given.get(name)
    if type(value) is not int:
        raise UsageError(f"“{name}” is a whole number.")
    return value


def _sentence(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)


@asynccontextmanager
async def serving(study: Study, host: str, port: int, say: Callable[[str], None]) -> AsyncIterator[asyncio.Event]:
    """Serves the page; the event is never set, so that people can see and delete their data until it is stopped.

    Raises:
        UsageError: if the address cannot be had.
    """
    hosts = frozenset(LOOPBACK) if host in LOOPBACK else None
    runner = web.AppRunner(Pages(study, hosts).app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise UsageError(f"cannot listen on {host} port {port}: {error.strerror}; choose another --port") from None
        shown = f"[{host}]" if ":" in host else host
        say(f"http://{shown}:{runner.addresses[0][1]}/")
        yield asyncio.Event()
    finally:
        await runner.cleanup()
