"""A real HTTP server that speaks the OpenAI chat protocol, well and badly, for tests of clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web
from threaded_server import ThreadedServer

LEGAL = "<profile>\n- Interests: chess\n</profile>\n\n<response>\nWho do you play with?\n</response>"
HUGE = 4_000_000


def completion(content: Any, finish: str = "stop", *, usage: bool = True, **message: Any) -> dict[str, Any]:
    """A chat completion as an endpoint sends it."""
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "served",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
        ],
    }
    if usage:
        body["usage"] = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return body


class OpenAIServer(ThreadedServer):
    """Listens on 127.0.0.1 in a thread; ``plan`` names the behaviour of each next call, then ``then`` holds.

    Attributes:
        requests: the body of every call, in order.
        headers: the headers of every call, in order.
        active: calls being answered right now; ``peak`` is the most there were at once.
    """

    path = "/v1/chat/completions"

    def __init__(self, *plan: str, then: str = "ok", latency: float = 0.0, text: str = LEGAL) -> None:
        self.plan = list(plan)
        self.then = then
        self.latency = latency
        self.text = text
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.active = self.peak = 0
        self.answer: Callable[[dict[str, Any]], Any] | None = None
        """Writes the text of an ``ok`` from the request, if set."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def respond(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            await asyncio.sleep(self.latency)
            behaviour = self.plan.pop(0) if self.plan else self.then
            return await self._behave(behaviour, request, body)
        finally:
            self.active -= 1

    async def _behave(self, behaviour: str, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if behaviour == "hang":
            await self._stop.wait()
            return web.Response(status=503)
        if behaviour in ("reset", "truncated"):
            return await self._break(behaviour, request)
        if behaviour in BYTES:
            return web.Response(body=BYTES[behaviour], content_type="application/json")
        if behaviour in STATUSES:
            status, headers, message, code = STATUSES[behaviour]
            error = {"error": {"message": message.format(**request.headers), "type": code, "code": code}}
            return web.json_response(error, status=status, headers=headers)
        if behaviour in ANSWERS:
            return web.json_response(ANSWERS[behaviour])
        if behaviour == "echo":
            return web.json_response(completion(json.dumps(body)))
        assert behaviour == "ok", f"no behaviour {behaviour!r}"
        text = self.answer(body) if self.answer else self.text
        return web.json_response(completion(text))

    async def _break(self, behaviour: str, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "5000", "Content-Type": "application/json"})
        if behaviour == "truncated":
            await response.prepare(request)
            await response.write(b'{"choices": [{"mess')
        assert request.transport is not None
        request.transport.abort() if behaviour == "reset" else request.transport.close()
        return response


def _thinking(**usage: Any) -> dict[str, Any]:
    answer = completion(f"<think>They said </response> chess.</think>\n{LEGAL}")
    answer["usage"] |= usage
    return answer


ANSWERS: dict[str, Any] = {
    "no-usage": completion(LEGAL, usage=False),
    "length": completion("<profile>\n- Inter", "length"),
    "filter": completion(None, "content_filter"),
    "refusal": completion(None, refusal="I would rather not."),
    "empty": completion(""),
    "null": completion(None),
    "no-choices": {"id": "x", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 0}},
    "error-200": {"error": {"message": "upstream is gone", "code": 502}},
    "huge": completion("a" * HUGE),
    "parts": completion([{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]),
    "thinking": _thinking(),
    "thinking-counted": _thinking(completion_tokens_details={"reasoning_tokens": 5}),
    "reasoning": completion(LEGAL, reasoning_content="They play chess."),
    "beyond": completion(f"{LEGAL}\n\nUser: and then?"),
}
BYTES: dict[str, bytes] = {
    "garbage": b"<html><body>Bad gateway</body></html>",
    "binary": bytes(range(256)) * 8,
    "nothing": b"",
    "list": b"[1, 2]",
}
STATUSES: dict[str, tuple[int, dict[str, str], str, str]] = {
    "429": (429, {"Retry-After": "3"}, "slow down", "rate_limit_exceeded"),
    "429-ms": (429, {"retry-after-ms": "250"}, "slow down", "rate_limit_exceeded"),
    "429-date": (429, {"Retry-After": "Fri, 31 Dec 2999 23:59:59 GMT"}, "slow down", "rate_limit_exceeded"),
    "429-nonsense": (429, {"Retry-After": "soon"}, "slow down", "rate_limit_exceeded"),
    "quota": (429, {}, "you exceeded your current quota", "insufficient_quota"),
    "408": (408, {}, "request timeout", "timeout"),
    "409": (409, {}, "conflict", "conflict"),
    "500": (500, {}, "internal error", "server_error"),
    "503": (503, {"Retry-After": "0.5"}, "overloaded", "overloaded"),
    "400": (400, {}, "unknown field top_k", "invalid_request_error"),
    "401": (401, {}, "wrong key: {Authorization}", "invalid_api_key"),
    "403": (403, {}, "not allowed", "permission"),
    "404": (404, {}, "no such model", "model_not_found"),
    "overflow": (400, {}, "This model's maximum context length is 4096 tokens.", "context_length_exceeded"),
}
