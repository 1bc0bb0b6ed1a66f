"""Calls one model behind an address; what all models share that are asked over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from rlpa_bench.errors import UsageError
from rlpa_bench.interfaces import Generation, Guide, Sampling
from rlpa_bench.types import Message
from rlpa_bench_plugins.models._failures import failure, refused
from rlpa_bench_plugins.models._transport import Address, Aiohttp, Sdk, Transport
from rlpa_bench_plugins.models._wire import Wire


def without_credentials(url: str) -> str:
    """The address as it may be shown: no user, no password, no query."""
    parts = urlsplit(url)
    return SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", "").geturl()


def _secrets(url: str, key: str) -> list[str]:
    parts = urlsplit(url)
    found = [key, parts.username, parts.password, *(value for _, value in parse_qsl(parts.query))]
    plain = {secret for secret in found if secret}
    return sorted(plain | {quote(secret, safe="") for secret in plain}, key=len, reverse=True)


def _address(url: str, key: str, wire: Wire) -> Address:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2] if key else parts.netloc  # a key stands in place of user and password
    plain = SplitResult(parts.scheme, host, parts.path.rstrip("/"), "", "")
    return Address(plain.geturl(), wire.path, dict(parse_qsl(parts.query)), wire.headers(key), key)


class ChatClient:
    """One model behind one address."""

    def __init__(
        self,
        url: str,
        wire: Wire,
        contract: Any,
        *,
        key: str = "",
        timeout: float = 120,
        transport: Literal["aiohttp", "sdk"] = "aiohttp",
    ) -> None:
        shown = without_credentials(url)
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise UsageError(f"base_url {shown!r} is no address; write it like http://127.0.0.1:8000/v1")
        self._where = f"{wire.model} at {shown}"
        self._wire = wire
        self._contract = contract
        self._hidden = _secrets(url, key)
        make = Aiohttp if transport == "aiohttp" else Sdk
        self._transport: Transport = make(_address(url, key, wire), timeout, self._where)

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        """One completion; a prompt that the provider will not answer is one that ended with ``filter``.

        Secrets are taken out of whatever the endpoint says, also of its answers. Raises ProviderError.
        """
        body = self._wire.request(messages, sampling, guide, self._contract)
        status, headers, content = await self._transport.post(body)
        if status == 200:
            generation = self._wire.answer(content, sampling.stop, self._where)
            return replace(generation, text=self._redacted(generation.text))
        said = self._redacted(content.decode("utf-8", "replace"))
        if refused(status, said):
            return Generation("", "filter")
        raise failure(status, headers, said, self._where)

    def _redacted(self, text: str) -> str:
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text

    async def aclose(self) -> None:
        await self._transport.aclose()
