"""A model whose words are decided by a function of the request, for components that ask a model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from toys import Plugin

from rlpa_bench.build import Harness, parse_options
from rlpa_bench.cache import CallCache
from rlpa_bench.errors import ProviderError
from rlpa_bench.interfaces import Generation, Guide, Model, Sampling
from rlpa_bench.options import ModelOptions
from rlpa_bench.plugins import Plugins
from rlpa_bench.types import Message

Say = Callable[[Sequence[Message]], str | Generation | ProviderError]


class Puppet(Model):
    """Says what ``say`` returns, or raises it; keeps every request."""

    name = "puppet"
    Options = ModelOptions
    takes_argument = "anything"
    guides = frozenset({"json"})
    say: Say = staticmethod(lambda messages: "")
    requests: list[tuple[list[Message], Sampling, Guide | None]] = []

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        type(self).requests.append((list(messages), sampling, guide))
        said = type(self).say(messages)
        if isinstance(said, ProviderError):
            raise said
        return said if isinstance(said, Generation) else Generation(said, "stop", 10, 5)


def puppet(say: Say) -> type[Puppet]:
    """A puppet of its own, with an empty list of requests."""
    return type("Puppet", (Puppet,), {"say": staticmethod(say), "requests": []})


def harness(model: type[Model], *options: str, suite: str = "training", cache: CallCache | None = None) -> Harness:
    """A harness that offers the model besides everything bundled."""
    return Harness(suite, plugins=Plugins([Plugin(model)]), options=parse_options(options), cache=cache, max_retries=0)


def nonce(messages: Sequence[Message]) -> str:
    """The nonce that the last message asks for."""
    found = re.search(r"nonce (?:is|是) (\w+)", messages[-1].content)
    assert found, messages[-1].content
    return found[1]


def data(messages: Sequence[Message]) -> Any:
    """The data between the markers of the first user message."""
    found = re.search(r"=== DATA (\w+) ===\n(.*)\n=== END OF DATA \1 ===", messages[1].content, re.DOTALL)
    assert found, messages[1].content
    return json.loads(found[2])


def answering(*fields: dict[str, Any]) -> Say:
    """Answers with the fields and the right nonce, one after another, the last one for ever."""
    left = list(fields)

    def say(messages: Sequence[Message]) -> str:
        now = left.pop(0) if len(left) > 1 else left[0]
        return json.dumps({"nonce": nonce(messages), **now})

    return say


def dutiful(messages: Sequence[Message], guide: Guide | None = None) -> str:
    """Answers every bundled judge and simulator that asks a model as it wants to be answered."""
    if "nonce" not in messages[-1].content:
        return f"Well, depends on the day, number {len(messages)}."
    shown, shape = data(messages), messages[-1].content.strip().splitlines()[-1]
    fields: dict[str, Any] = {"score": 3, "reason": "so it is", "better": "A", "pairs": []}
    fields |= {name: {"reason": "so it is", "verdict": 1} for name in re.findall(r'"(\w+)": \{', shape)}
    fields |= {"text": shown["draft"], "disclosed": list(shown["facts"])} if "draft" in shown else {}
    return json.dumps({"nonce": nonce(messages), **fields})
