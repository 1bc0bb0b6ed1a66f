"""Two ways to post a chat completion: aiohttp (fast), or the openai package (its authentication and proxies)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from rlpa_bench.errors import ProviderError

Reply = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body."""


@dataclass(frozen=True)
class Address:
    """Where to post, and with which credentials."""

    url: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    key: str

    @cached_property
    def proxy(self) -> str | None:
        """The proxy that the environment names; aiohttp's own way would also read a password from ~/.netrc."""
        parts = urlsplit(self.url)
        return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


class Transport(Protocol):
    """Posts one body and gives back whatever the endpoint answered; raises ProviderError if it did not."""

    async def post(self, body: Mapping[str, Any]) -> Reply: ...

    async def aclose(self) -> None: ...


NOBODY = ("ClientConnector", "ConnectError")
"""How aiohttp and httpx call a connection that never came about; others broke off."""


def timed_out(where: str, seconds: float) -> ProviderError:
    message = f"{where} did not answer within {seconds:g} s; raise the model's option timeout if it is only slow"
    return ProviderError(message, reason="timeout", retryable=True)


def unreachable(where: str, error: BaseException) -> ProviderError:
    message = f"the connection to {where} failed ({type(error).__name__}); check base_url and whether it is running"
    nobody = type(error).__name__.startswith(NOBODY)
    return ProviderError(message, reason="unreachable" if nobody else "connection", retryable=True)


class Aiohttp:
    """One session for all calls, opened at the first, without a limit of its own."""

    def __init__(self, address: Address, timeout: float, where: str) -> None:
        self._address, self._timeout, self._where = address, timeout, where
        self._session: Any = None

    def _open(self) -> Any:
        import aiohttp

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            headers={"Content-Type": "application/json", **self._address.headers},
        )

    async def post(self, body: Mapping[str, Any]) -> Reply:
        import aiohttp
        import orjson

        self._session = self._session or self._open()
        try:
            async with self._session.post(
                f"{self._address.url}{self._address.path}",
                params=self._address.query,
                data=orjson.dumps(body),
                proxy=self._address.proxy,
            ) as reply:
                return reply.status, reply.headers, await reply.read()
        except TimeoutError:
            raise timed_out(self._where, self._timeout) from None
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(self._where, error) from None

    async def aclose(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None


class Sdk:
    """The openai package with its own retries off."""

    def __init__(self, address: Address, timeout: float, where: str) -> None:
        self._address, self._timeout, self._where = address, timeout, where
        self._client: Any = None

    async def post(self, body: Mapping[str, Any]) -> Reply:
        import openai

        if self._client is None:
            self._client = openai.AsyncOpenAI(
                base_url=self._address.url,
                default_query=self._address.query,
                api_key=self._address.key or "none",
                timeout=self._timeout,
                max_retries=0,
            )
        rest = {name: value for name, value in body.items() if name not in ("model", "messages")}
        try:
            create = self._client.chat.completions.with_raw_response.create
            reply = await create(model=body["model"], messages=body["messages"], extra_body=rest)
        except openai.APIStatusError as error:
            reply = error.response
        except openai.APITimeoutError:
            raise timed_out(self._where, self._timeout) from None
        except openai.APIConnectionError as error:
            raise unreachable(self._where, error.__cause__ or error) from None
        return reply.status_code, reply.headers, reply.content

    async def aclose(self) -> None:
        if self._client:
            await self._client.close()
            self._client = None
