"""Conformance of models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from rlpa_bench.errors import ProviderError
from rlpa_bench.guard import describe
from rlpa_bench.interfaces import Generation, Guide, Model, Sampling
from rlpa_bench.options import ModelOptions
from rlpa_bench.testing.common import COMMON
from rlpa_bench.testing.probe import Answer, Bench, Probe, first
from rlpa_bench.testing.report import Fault, Skipped
from rlpa_bench.types import Message

SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 0, "maximum": 5}},
    "required": ["score"],
    "additionalProperties": False,
}
STOP = "</response>"
AT_ONCE = 4


async def perform(bench: Bench, backward: bool) -> None:
    """Requests of every sort, and a few at once."""
    model = cast(Model, bench.component)
    await bench.ask("start", model.start)
    sampling = model.options.sampling()
    for what, (messages, sent, guide) in _requests(model, bench, replace(sampling, seed=1)).items():
        await bench.ask(what, model.generate, messages, sent, guide)
    plain = (bench.context.contract.render((), "Hello"), replace(sampling, seed=2, max_tokens=16), None)
    await asyncio.gather(*(bench.ask(f"request {i} of {AT_ONCE} at once", model.generate, *plain)
                           for i in range(AT_ONCE)))  # fmt: skip


def _requests(
    model: Model, bench: Bench, sampling: Sampling
) -> dict[str, tuple[Sequence[Message], Sampling, Guide | None]]:
    contract = bench.context.contract
    first_turn = list(contract.render((), "Hello"))
    longer = [*first_turn, Message("assistant", "Hello! How are you?"), Message("user", "Fine. I am a nurse.")]
    short = replace(sampling, max_tokens=1)
    requests: dict[str, tuple[Sequence[Message], Sampling, Guide | None]] = {
        "a first turn": (first_turn, replace(sampling, stop=(STOP,)), None),
        "a second turn": (longer, sampling, None),
        "one token": (first_turn, short, None),
    }
    if "contract" in model.guides:
        requests["the contract's form"] = (longer, sampling, Guide("contract"))
    if "json" in model.guides:
        requests["JSON"] = ([Message("user", "Score this from 0 to 5.")], sampling, Guide("json", SCHEMA))
    return requests


def _answered(probe: Probe) -> list[Answer]:
    done = [answer for answer in probe.performance().answers if answer.what != "start"]
    if done and all(answer.error for answer in done):
        raise Skipped("it answered nothing; see answers")
    return [answer for answer in done if not answer.error]


def options(probe: Probe) -> None:
    """Its options are those of every model, and more if it likes."""
    if not issubclass(probe.component.Options, ModelOptions):
        raise Fault("Options does not extend rlpa_bench.options.ModelOptions, so that its sampling is not recorded")
    if unknown := cast("type[Model]", probe.component).guides - {"contract", "json"}:
        raise Fault(f"guides names {sorted(unknown)[0]!r}; there are contract and json")


def generations(probe: Probe) -> None:
    """Every answer is a Generation with a text, a finish we know, and counts that are numbers or None."""
    for answer in _answered(probe):
        made = answer.raw
        if not isinstance(made, Generation) or not isinstance(made.text, str):
            raise Fault(f"{answer.what} is a {type(made).__name__}, not a Generation with a text")
        if made.finish not in ("stop", "length", "filter"):
            raise Fault(f"{answer.what} finished with {made.finish!r}; there are stop, length and filter")
        counts = (made.prompt_tokens, made.completion_tokens, made.reasoning_tokens)
        if any(count is not None and (not isinstance(count, int) or count < 0) for count in counts):
            raise Fault(f"{answer.what} counts {counts} tokens; give whole numbers, None where the engine does not say")


def sampling(probe: Probe) -> None:
    """It stops behind a stop string and at the number of tokens it was given."""
    made = {answer.what: answer.raw for answer in _answered(probe)}
    if (one := made.get("a first turn")) and STOP in one.text and not one.text.rstrip().endswith(STOP):
        raise Fault(f"it goes on behind the stop string {STOP!r}")
    if (short := made.get("one token")) and (short.completion_tokens or 0) > 1:
        raise Fault(f"it wrote {short.completion_tokens} tokens where max_tokens was 1")


def guides(probe: Probe) -> None:
    """What it says it can enforce, it enforces."""
    from rlpa_bench.contract import Contract

    declared = cast(Model, probe.performance().component).guides
    if not declared:
        raise Skipped("it enforces no form")
    made: dict[str, Any] = {answer.what: answer.raw for answer in _answered(probe)}
    if "contract" in declared and (guided := made.get("the contract's form")):
        parsed = Contract.parse(guided.text)
        if parsed.malformed and guided.finish != "length":
            raise Fault(f"guided by the contract it wrote what breaks it: {parsed.malformed}")
    if "json" in declared and (guided := made.get("JSON")):
        try:
            json.loads(guided.text)
        except ValueError:
            if guided.finish != "length":
                raise Fault(f"guided by a schema it wrote no JSON: {guided.text[:60]!r}") from None


def refused(probe: Probe) -> None:
    """Where its endpoint cannot be reached it raises ProviderError, marked retryable, after few tries of its own."""
    done = probe.performance()
    tried = len(done.seen.network)
    if not tried:
        raise Skipped("it contacts nobody, or only hosts that were allowed")
    odd = [a for a in done.answers if a.what != "start" and not isinstance(a.error, ProviderError)]
    first([f"{a.what}: {describe(a.error) if a.error else 'an answer'} without a connection; raise ProviderError"
           for a in odd])  # fmt: skip
    if tried > 10 * len(done.answers):
        raise Fault(f"it tried to connect {tried} times for {len(done.answers)} requests; the context retries already")


def local(probe: Probe) -> None:
    """It contacts only hosts that it was allowed to."""
    if probe.settings.hosts or not probe.performance().seen.network:
        COMMON["offline"](probe)
    else:
        raise Skipped("its endpoint is not allowed here; pass hosts=(…,) to let it be asked")


def answers(probe: Probe) -> None:
    """It answers, where its endpoint may be asked."""
    if probe.performance().seen.network and not probe.settings.hosts:
        raise Skipped("its endpoint is not allowed here; pass hosts=(…,) to let it be asked")
    COMMON["answers"](probe)


CHECKS = {
    **{name: check for name, check in COMMON.items() if name != "harmless"},
    "answers": answers,
    "offline": local,
    "options": options,
    "generations": generations,
    "sampling": sampling,
    "guides": guides,
    "unreachable": refused,
}
