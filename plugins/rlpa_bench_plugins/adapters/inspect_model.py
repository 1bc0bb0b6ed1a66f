"""Any model of Inspect AI's providers as one of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from rlpa_bench.errors import ProviderError, UsageError
from rlpa_bench.interfaces import Generation, Guide, Model, Sampling
from rlpa_bench.options import ModelOptions
from rlpa_bench.types import Message

FIELDS = ("temperature", "top_p", "max_tokens", "seed")
"""Sampling fields that Inspect's configuration knows by the same name; ``stop`` is ``stop_seqs`` there."""

UNLIMITED = 100_000
"""Calls at once that we let through in a task, where Inspect limits them."""


class Inspect(Model):
    """A model of Inspect AI, by its name there; in an Inspect task, the model that is being evaluated.

    In a task, what Inspect's own configuration says (``inspect eval --temperature 0``) wins over our options, and
    Inspect retries, limits connections and records every call in its log. In a run of ours the run's limits hold.
    """

    name = "inspect"
    Options = ModelOptions
    requires = ("inspect_ai",)
    extra = "inspect"
    takes_argument = "a model of Inspect AI, such as openai/gpt-4o-mini; none is the one under evaluation"

    def __init__(self, options: Any, context: Any, argument: str = "") -> None:
        super().__init__(options, context, argument)
        if self.options.format == "guided":
            raise UsageError("model 'inspect' cannot enforce a format; use format=free")

    @cached_property
    def _model(self) -> Any:
        from inspect_ai.model import GenerateConfig, get_model

        try:
            if not self.argument:
                return get_model()
            return get_model(self.argument, config=GenerateConfig(max_retries=0), memoize=False)
        except Exception as error:  # each provider complains in its own way
            first = str(error).strip().partition("\n")[0]
            raise UsageError(f"Inspect has no model {self.argument or 'under evaluation'!r} ({first})") from None

    @property
    def concurrency(self) -> int | None:
        return None if self.argument else UNLIMITED

    async def start(self) -> None:
        await asyncio.to_thread(lambda: self._model)  # importing a provider takes a second

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser
        from inspect_ai.util import LimitExceededError

        kinds = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
        if guide is not None:
            raise UsageError(f"model 'inspect' cannot enforce a {guide.kind} guide; call it without one")
        talk = [kinds[message.role](content=message.content) for message in messages]
        try:
            output = await self._model.generate(talk, config=self._config(sampling))
        except LimitExceededError:  # a limit of the sample, which Inspect handles
            raise
        except Exception as error:  # as above
            raise self._failure(error) from error
        if output.error:
            raise ProviderError(output.error, reason="inspect")
        usage = output.usage
        return Generation(
            output.completion,
            {"max_tokens": "length", "model_length": "length", "content_filter": "filter"}.get(
                output.stop_reason, "stop"
            ),
            _prompt(usage) if usage else None,
            usage.output_tokens if usage else None,
            usage.reasoning_tokens if usage else None,
        )

    def _failure(self, error: Exception) -> ProviderError:
        """A provider's error as ours; in a task Inspect has retried already."""
        last = getattr(error, "last_attempt", None)  # tenacity's, around the error of the last try
        cause = last.exception() if last else error
        again = bool(self.argument) and isinstance(cause, Exception) and bool(self._model.api.should_retry(cause))
        name = type(cause).__name__
        return ProviderError(f"{name}: {' '.join(str(cause).split())}", reason=name, retryable=again)

    async def aclose(self) -> None:
        if self.argument and "_model" in self.__dict__:
            await self._model.api.aclose()

    def _config(self, sampling: Sampling) -> Any:
        """Our sampling, where Inspect's configuration of this model and of the running evaluation says nothing."""
        from inspect_ai.model import GenerateConfig
        from inspect_ai.model._generate_config import active_generate_config

        said = self._model.config
        if not self.argument:
            said = said.merge(active_generate_config())
        ours = {name: getattr(sampling, name) for name in FIELDS} | {"stop_seqs": list(sampling.stop) or None}
        return GenerateConfig(**{name: value for name, value in ours.items() if getattr(said, name) is None})


def _prompt(usage: Any) -> int:
    """Prompt tokens; Inspect counts those that came from or went to the provider's cache apart."""
    return int(usage.input_tokens + (usage.input_tokens_cache_read or 0) + (usage.input_tokens_cache_write or 0))
