"""A model as components get it: limited, retried, cached, priced and booked under a role."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from time import perf_counter
from typing import Any

from rlpa_bench.cache import CallCache
from rlpa_bench.errors import PluginError, ProviderError, RlpaBenchError, UsageError
from rlpa_bench.guard import describe, guarded
from rlpa_bench.interfaces import Generation, Guide, Model, Sampling
from rlpa_bench.randomness import Draws
from rlpa_bench.throttle import Throttle
from rlpa_bench.types import Call, Message

MAX_WAIT = 60.0
"""Seconds between two tries, unless the endpoint asks for more."""
MAX_RETRY_AFTER = 600.0
"""Seconds an endpoint may ask to wait; more is a failure, so that nothing hangs for days."""
OVERLOADED = ("429", "503", "529")
"""Reasons for which an endpoint gets fewer calls at once."""


def price(tokens: tuple[int | None, int | None], prices: tuple[float | None, float | None]) -> float | None:
    """US dollars for (prompt, completion) tokens at dollars per million; None where anything is unknown."""
    if None in tokens or None in prices:
        return None
    return sum((n or 0) * (dollars or 0.0) for n, dollars in zip(tokens, prices, strict=True)) / 1e6


@dataclass
class Counters:
    """What the model calls of a run came to, by role; shown live and kept in run.json."""

    calls: dict[str, int] = field(default_factory=dict)
    cache_hits: dict[str, int] = field(default_factory=dict)
    retries: dict[str, int] = field(default_factory=dict)
    """By ``role: reason``."""
    waiting: dict[str, int] = field(default_factory=dict)
    """Calls waiting for a retry right now, by ``role: reason``."""
    prompt_tokens: dict[str, int] = field(default_factory=dict)
    """As far as the endpoint says; answers from the cache do not count."""
    completion_tokens: dict[str, int] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    """US dollars by role; answers from the cache cost nothing."""
    unpriced: dict[str, int] = field(default_factory=dict)
    """Calls whose price or tokens are unknown, by role."""

    @staticmethod
    def add(counts: dict[str, Any], name: str, n: float = 1) -> None:
        counts[name] = counts.get(name, 0) + n

    @property
    def cost(self) -> float:
        return sum(self.costs.values())

    def record(self) -> dict[str, Any]:
        """As JSON, for run.json and for the next resume."""
        return {name: value for name, value in asdict(self).items() if name != "waiting"}

    def take_back(self) -> dict[str, Any]:
        """Everything counted so far, which then counts as not having been."""
        counted = self.record()
        for name in counted:
            setattr(self, name, {})
        return counted

    def take_up(self, record: Mapping[str, Mapping[str, Any]]) -> None:
        """Adds what an earlier try of the run recorded."""
        for name, counts in record.items():
            for role, n in counts.items():
                self.add(getattr(self, name), role, n)


@dataclass
class Endpoint:
    """A model and what is shared by everybody who calls it."""

    model: Model
    spec: str
    options: Mapping[str, Any]
    limit: Throttle
    max_retries: int
    started: asyncio.Lock = field(default_factory=asyncio.Lock)
    ready: bool = False

    async def start(self) -> None:
        async with self.started:
            if not self.ready:
                try:
                    await guarded(f"model {self.spec!r}", self.model.start)
                except RlpaBenchError:
                    raise
                except Exception as error:  # anybody's code: said in one sentence that names it
                    raise PluginError(f"model {self.spec!r} could not start: {describe(error)}") from error
                self.ready = True


class Handle:
    """A :class:`rlpa_bench.interfaces.BoundModel`."""

    def __init__(
        self, endpoint: Endpoint, role: str, counters: Counters, cache: CallCache | None, protocol: str
    ) -> None:
        self.name = endpoint.spec
        self._endpoint = endpoint
        self._role = role
        self._counters = counters
        self._cache = cache if endpoint.model.cacheable else None
        self._protocol = protocol

    async def generate(
        self, messages: Sequence[Message], *, key: str, guide: Guide | None = None, **sampling: Any
    ) -> tuple[str, Call]:
        """See :class:`rlpa_bench.interfaces.BoundModel`."""
        model = self._endpoint.model
        for_contract = guide is not None and guide.kind == "contract"
        if for_contract and model.options.format != "guided":
            guide = None
        seed = Draws("sampling", self._protocol, self._role, key).below(2**31)
        defaults = model.options.sampling()
        sent = replace(defaults, **{"seed": seed, "stop": defaults.stop if for_contract else (), **sampling})
        await self._endpoint.start()
        cache_key = self._key(messages, sent, guide, key) if self._cache else b""
        if self._cache and (kept := self._cache.get(cache_key)):
            Counters.add(self._counters.cache_hits, self._role)
            return kept["text"], self._call(Generation(**kept), kept_seconds=None, cached=True)
        began = perf_counter()
        who = f"model {self.name!r}"
        generation = await self._retried(lambda: guarded(who, model.generate, messages, sent, guide))
        if not isinstance(generation, Generation) or not isinstance(generation.text, str):
            raise TypeError(f"{who} returned {type(generation).__name__}, not a Generation with a text")
        if self._cache and generation.text.strip():
            self._cache.put(cache_key, asdict(generation))
        return generation.text, self._call(generation, perf_counter() - began, cached=False)

    def _key(self, messages: Sequence[Message], sent: Sampling, guide: Guide | None, key: str) -> bytes:
        request = {
            "model": self.name,
            "options": dict(self._endpoint.options),
            "identity": dict(self._endpoint.model.describe()),
            "protocol": self._protocol,
            "role": self._role,
            "draw": key,
            "messages": [[message.role, message.content] for message in messages],
            "sampling": asdict(sent),
            "guide": asdict(guide) if guide else None,
        }
        return CallCache.key(request)

    def _call(self, generation: Generation, kept_seconds: float | None, *, cached: bool) -> Call:
        booked, role = self._counters, self._role
        Counters.add(booked.calls, role)
        tokens = generation.prompt_tokens, generation.completion_tokens
        cost = price(tokens, self._endpoint.model.prices)
        if cost is None:
            Counters.add(booked.unpriced, role)
        if not cached:
            Counters.add(booked.prompt_tokens, role, tokens[0] or 0)
            Counters.add(booked.completion_tokens, role, tokens[1] or 0)
            Counters.add(booked.costs, role, cost or 0.0)
        return Call(
            self._role,
            self.name,
            generation.finish,
            *tokens,
            generation.reasoning_tokens,
            cost,
            kept_seconds,
            cached,
        )

    async def _retried(self, call: Callable[[], Awaitable[Generation]]) -> Generation:
        limit = self._endpoint.limit
        for attempt in range(self._endpoint.max_retries + 1):
            try:
                async with limit:
                    answer = await call()
                limit.succeeded()
                return answer
            except ProviderError as error:
                if error.reason in OVERLOADED:
                    limit.overloaded()
                too_long = (error.retry_after or 0) > MAX_RETRY_AFTER
                if not error.retryable or too_long or attempt == self._endpoint.max_retries:
                    raise
                await self._wait(error, attempt)
        raise UsageError(f"max_retries is {self._endpoint.max_retries}; it must be 0 or more")

    async def _wait(self, error: ProviderError, attempt: int) -> None:
        label = f"{self._role}: {error.reason}"
        Counters.add(self._counters.retries, label)
        Counters.add(self._counters.waiting, label)
        spread = Draws("backoff", id(self), attempt).random()  # jitter decides no result
        wait = min(MAX_WAIT, 0.5 * 2**attempt) * (0.5 + spread / 2)
        try:
            await asyncio.sleep(wait if error.retry_after is None else error.retry_after)
        finally:
            Counters.add(self._counters.waiting, label, -1)
