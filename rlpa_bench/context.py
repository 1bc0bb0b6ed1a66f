"""What components get from the harness: models by role, counter-based randomness, data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rlpa_bench.cache import CallCache
from rlpa_bench.calls import Counters, Endpoint, Handle
from rlpa_bench.contract import Contract
from rlpa_bench.interfaces import Model
from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.throttle import Throttle

ModelFactory = Callable[[str], tuple[Model, Mapping[str, Any]]]
"""Builds the model of a ``name`` or ``name:argument`` and says which options it got."""


CONNECTIONS = 16
"""Calls at once per endpoint, and dialogues at once, unless somebody says otherwise."""


class RunContext:
    """The :class:`rlpa_bench.interfaces.Context` of one run: everything is booked here."""

    def __init__(
        self,
        *,
        contract: Contract,
        ontology: Ontology,
        protocol: str,
        model_factory: ModelFactory,
        cache: CallCache | None = None,
        max_retries: int = 5,
        max_connections: int | None = None,
    ) -> None:
        self.contract = contract
        self.ontology = ontology
        self.protocol = protocol
        self.counters = Counters()
        self.endpoints: dict[str, Endpoint] = {}
        self.roles: dict[tuple[str, str], None] = {}
        """(model, role) of every handle given out, in order."""
        self._factory = model_factory
        self._cache = cache
        self.max_retries = max_retries
        self._max_connections = max_connections

    def endpoint(self, spec: str) -> Endpoint:
        """The one endpoint of a model, shared by all roles."""
        if spec not in self.endpoints:
            model, options = self._factory(spec)
            limit = Throttle(self._max_connections or model.concurrency or CONNECTIONS)
            self.endpoints[spec] = Endpoint(model, spec, options, limit, self.max_retries)
        return self.endpoints[spec]

    def model(self, spec: str, role: str) -> Handle:
        """See :class:`rlpa_bench.interfaces.Context`."""
        self.roles.setdefault((spec, role))
        return Handle(self.endpoint(spec), role, self.counters, self._cache, self.protocol)

    def random(self, purpose: str, *key: object) -> Draws:
        """See :class:`rlpa_bench.interfaces.Context`."""
        return Draws(self.protocol, purpose, *key)

    def data(self, name: str) -> Path:
        """See :class:`rlpa_bench.interfaces.Context`."""
        from rlpa_bench.datasets import dataset

        return dataset(name).path()

    async def aclose(self) -> None:
        for endpoint in self.endpoints.values():
            await endpoint.model.aclose()
        if self._cache:
            self._cache.close()
