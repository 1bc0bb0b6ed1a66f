"""Checks that hold for every kind. Each takes a Probe and raises Fault, or Skipped where it does not apply."""

from __future__ import annotations

import re
from collections.abc import Callable

from rlpa_bench.guard import describe
from rlpa_bench.plugins import refusal
from rlpa_bench.testing.probe import Answer, Probe, Unbuilt, first
from rlpa_bench.testing.report import Fault, Skipped
from rlpa_bench.testing.script import CALL_LIMIT, UnboundedError
from rlpa_bench.testing.watch import CANARY
from rlpa_bench.transcripts import is_json

Check = Callable[[Probe], None]

_SECRET_OPTION = re.compile(r"(?:^|_)(?:api_?key|key|token|secret|password)$")


def declared(probe: Probe) -> None:
    """Name, options, help and abstract methods are as the kind wants them."""
    component = probe.component
    if why := refusal(f"{probe.kind}s", component):
        raise Fault(why)
    own = component.__dict__.get("__doc__") or ""
    if not own.strip():
        raise Fault(f"{component.__name__} has no docstring; its first line is what `plugins list` shows")
    fields = component.Options.model_fields
    silent = [
        name for name, field in fields.items() if not field.description and name in component.Options.__annotations__
    ]
    first([f"option {name!r} has no description; write Field(…, description=…)" for name in silent])
    if isinstance(component.requires, str):
        raise Fault(f"requires is the text {component.requires!r}; write a tuple of module names")
    if component.Options.model_config.get("extra") != "forbid":
        raise Fault("Options takes unknown options in silence; derive it from rlpa_bench.options.Options")


def builds(probe: Probe) -> None:
    """It can be built from its options and a context, and describes itself in JSON, equally each time."""
    try:
        done, again = probe.performance(), probe.performance(backward=True)
    except Unbuilt as error:
        raise Fault(str(error)) from None
    if not is_json(dict(done.description)):
        raise Fault("describe() is no JSON; give texts, numbers, lists and dicts")
    if dict(done.description) != dict(again.description):
        raise Fault("describe() differs between two equal builds, so that no run could be resumed")


def answers(probe: Probe) -> None:
    """It answers the reference scenes with a model that works; what it refuses, it refuses with an error of ours."""
    done = probe.performance().answers
    first([f"{a.what}: {describe(a.error)}" for a in done if a.error and not a.honest])
    if done and all(a.error for a in done):
        raise Fault(
            f"answers nothing: {describe(done[0].error or Fault())}; if it reads what a model says, pass says=…"
        )


def deterministic(probe: Probe) -> None:
    """Equal questions get equal answers, whatever was asked before, in another instance, from a state read back."""
    done = {answer.what: answer for answer in probe.performance().answers}
    again = {answer.what: answer for answer in probe.performance(backward=True).answers}
    moved = [what for what in done if what in again and done[what].form != again[what].form]
    first([f"{what}: {_shorter(done[what], again[what])}; draw from context.random(purpose, key), keep nothing "
           "between calls" for what in moved])  # fmt: skip


def _shorter(one: Answer, other: Answer) -> str:
    def cut(text: str, at: int) -> str:
        return text[max(0, at - 20) : at + 40]

    at = next((i for i, (a, b) in enumerate(zip(one.form, other.form, strict=False)) if a != b), 0)
    return f"…{cut(one.form, at)}… the second time …{cut(other.form, at)}…"


def unmutated(probe: Probe) -> None:
    """What it is given stays as it was."""
    done = [*probe.performance().answers, *probe.performance(backward=True).answers]
    first([f"{a.what} changes what it was given; copy first" for a in done if a.mutated])


def offline(probe: Probe) -> None:
    """It contacts nobody behind the context's back."""
    hosts = dict.fromkeys(probe.performance().seen.network)
    first([f"contacts {host}; take models from context.model, data from context.data" for host in hosts])


def secretive(probe: Probe) -> None:
    """No key of the environment or of the options gets into answers, prints or the record of a run."""
    done = probe.performance()
    first([f"{a.what} writes a key of the environment" for a in done.answers if CANARY in a.form])
    if CANARY in done.seen.printed:
        raise Fault("prints a key of the environment")
    if CANARY in repr(done.description):
        raise Fault("describe() holds a key of the environment, which run.json would publish")
    for name in probe.component.Options.model_fields:
        if _SECRET_OPTION.search(name) and "Secret" not in str(probe.component.Options.model_fields[name].annotation):
            raise Fault(f"option {name!r} would be written to run.json; make it a pydantic SecretStr")


def unblocking(probe: Probe) -> None:
    """It leaves the event loop to the others while it waits or computes."""
    first(list(dict.fromkeys(probe.performance().seen.blocking)))


def harmless(probe: Probe) -> None:
    """Generators of ``random`` and numpy, environment and working directory stay as they were."""
    seen = probe.performance().seen
    if seen.randomness:
        raise Fault("draws from or reseeds the global generator; use context.random(purpose, key)")
    first([f"changes the {name if ' ' in name else 'environment variable ' + name}" for name in seen.changed])


def fails_honestly(probe: Probe) -> None:
    """When its model fails it raises, so that a failure is booked and nothing stands in for an answer."""
    if not probe.asked_a_model():
        raise Skipped("it asks no model")
    failing = [a for a in probe.performance("fails").answers if a.calls]
    first(
        [f"{a.what} answers although its model failed; let the ProviderError through" for a in failing if not a.error]
    )
    odd = [a for a in failing if not a.honest and not isinstance(a.error, UnboundedError)]
    first([f"{a.what}: {describe(a.error)}; let the ProviderError through" for a in odd if a.error])


def bounded(probe: Probe) -> None:
    """It leaves retries to the harness, which bounds and counts them."""
    if not probe.asked_a_model():
        raise Skipped("it asks no model")
    failing = probe.performance("fails").answers
    first([f"{a.what} asks a failing model more than {CALL_LIMIT} times; the context retries already"
           for a in failing if isinstance(a.error, UnboundedError) or a.calls > CALL_LIMIT])  # fmt: skip


COMMON: dict[str, Check] = {
    "declared": declared,
    "builds": builds,
    "answers": answers,
    "unmutated": unmutated,
    "offline": offline,
    "secretive": secretive,
    "unblocking": unblocking,
    "harmless": harmless,
}
"""Checks of every kind, in the order they are shown."""

ASKING: dict[str, Check] = {"fails honestly": fails_honestly, "bounded": bounded}
"""Checks of kinds that may ask a model."""
