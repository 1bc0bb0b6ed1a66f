"""An OpenAI endpoint that answers every call after the same time; run in a process of its own.

Arguments: latency in seconds. Prints its port, then serves until it is killed. It writes HTTP by hand, so that it
costs the other core as little as possible.
"""

from __future__ import annotations

import asyncio
import sys

TEXT = (
    r"<profile>\n- Interests: chess\n- Occupation: nurse\n</profile>\n\n<response>\nThat sounds like a good way to "
    r"spend an evening. Do you play at a club, or rather at home with friends?\n</response>"
)
BODY = (
    '{"id":"x","object":"chat.completion","created":1,"model":"served","choices":[{"index":0,"finish_reason":"stop",'
    f'"message":{{"role":"assistant","content":"{TEXT}"}}}}],'
    '"usage":{"prompt_tokens":400,"completion_tokens":60,"total_tokens":460}}'
).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


class Endpoint(asyncio.Protocol):
    """Answers each request on a connection after the latency."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(rest) >= length:
            self._buffer = rest[length:]
            asyncio.get_running_loop().call_later(self._latency, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(ANSWER)  # type: ignore[attr-defined]


async def main(latency: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Endpoint(latency), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
