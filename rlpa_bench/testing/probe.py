"""A component on the bench: built in a context of its own, asked, and watched while it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Any

from rlpa_bench.aio import blocking
from rlpa_bench.context import RunContext
from rlpa_bench.contract import Contract
from rlpa_bench.errors import BoundaryError
from rlpa_bench.guard import describe, guarded
from rlpa_bench.interfaces import Component, Model
from rlpa_bench.ontology import Ontology
from rlpa_bench.options import ModelOptions
from rlpa_bench.testing.report import Fault, Skipped
from rlpa_bench.testing.script import Says, Script, UnboundedError
from rlpa_bench.testing.watch import Seen, timed, watched
from rlpa_bench.types import Case, View


@dataclass(frozen=True)
class Settings:
    """How a component is to be exercised."""

    options: Mapping[str, Any] = field(default_factory=dict)
    argument: str = ""
    says: Says | str | None = None
    hosts: Collection[str] = ()
    cases: Sequence[Case] = ()
    skip: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Answer:
    """One call of a component and what came of it."""

    what: str
    about: Any = None
    """The state, record or subject it is about."""
    raw: Any = None
    error: BaseException | None = None
    calls: int = 0
    """Model calls it made."""
    mutated: bool = False
    """Whether what it was given looks different afterwards."""

    @property
    def form(self) -> str:
        """What two equal answers share: everything but clocks."""
        if self.error is not None:
            return f"{type(self.error).__name__}: {self.error}"
        return repr(without_clocks(self.raw))

    @property
    def honest(self) -> bool:
        """Whether it failed in a way that the harness books as a failure."""
        return isinstance(self.error, BoundaryError)


def look(given: Sequence[Any]) -> str:
    """What may not change of the things given; a view's memory is the candidate's own copy."""
    return repr([replace(value, memory=None) if isinstance(value, View) else value for value in given])


def without_clocks(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type) and getattr(value, "calls", None):
        return replace(value, calls=tuple(replace(call, seconds=None) for call in value.calls))  # type: ignore[attr-defined]
    return value


@dataclass
class Performance:
    """A whole exercise."""

    answers: list[Answer]
    seen: Seen
    description: Any
    component: Component


class Unbuilt(Skipped):
    """The component could not be built; only one check says so."""


class Bench:
    """A component, its context and its scripted model."""

    def __init__(self, component: type[Component], settings: Settings, seen: Seen, mode: str) -> None:
        self.settings = settings
        self.seen = seen
        self.scripts: list[Script] = []
        self.mode = mode
        self.context = RunContext(
            contract=Contract(), ontology=Ontology.load(), protocol="conformance/1", model_factory=self._script,
            max_retries=0,
        )  # fmt: skip
        self.who = component.name
        more = {"model": self.context.model("script", "candidate")} if getattr(component, "needs_model", False) else {}
        options = component.Options(**settings.options)
        self.component = component(options, self.context, settings.argument, **more)
        self.answers: list[Answer] = []

    def _script(self, spec: str) -> tuple[Model, Mapping[str, Any]]:
        script = Script(ModelOptions.model_validate({}), self.context)
        says = self.settings.says
        script.says = (lambda messages, guide: says) if isinstance(says, str) else says
        script.mode = "works" if self.mode == "granted" else self.mode
        self.scripts.append(script)
        return script, {}

    @property
    def calls(self) -> int:
        return sum(script.calls for script in self.scripts)

    async def ask(self, what: str, method: Callable[..., Awaitable[Any]], *given: Any) -> Answer:
        """Calls the component and notes all about it; raises nothing that the component raises."""
        before, calls = look(given), self.calls
        for script in self.scripts:
            script.since = 0
        answer = Answer(what, given[0] if given else None)
        try:
            answer.raw = await guarded(f"{what} of {self.who}", timed, self.seen, what, method, *given)
        except (Exception, UnboundedError) as error:  # the check decides what it means
            answer.error = error
        answer.calls = self.calls - calls
        answer.mutated = look(given) != before
        self.answers.append(answer)
        return answer


Perform = Callable[[Bench, bool], Awaitable[None]]
"""Asks a component everything; backward, in another order and with states that went through JSON."""


class Probe:
    """A component under examination; each exercise is done once and shared by the checks."""

    def __init__(self, kind: str, component: type[Component], settings: Settings, perform: Perform) -> None:
        self.kind = kind
        self.component = component
        self.settings = settings
        self._perform = perform
        self._done: dict[tuple[str, bool], Performance | Exception] = {}

    def performance(self, mode: str = "works", *, backward: bool = False) -> Performance:
        """An exercise with a model that works, fails, or always says the same; ``granted``: with every grant.

        Raises:
            Unbuilt: if the component cannot be built.
        """
        key = (mode, backward)
        if key not in self._done:
            try:
                self._done[key] = self._exercise(mode, backward)
            except Exception as error:  # building is anybody's code; kept, so that it is tried once
                self._done[key] = error
        done = self._done[key]
        if isinstance(done, Exception):
            raise Unbuilt(f"it cannot be built: {describe(done)}") from done
        return done

    def _exercise(self, mode: str, backward: bool) -> Performance:
        with watched(hosts=self.settings.hosts, seed=1 + backward, hasty=self.kind != "model") as seen:
            bench = Bench(self.component, self.settings, seen, mode)

            async def work() -> None:
                try:
                    await self._perform(bench, backward)
                finally:
                    await bench.component.aclose()

            blocking(work)
            description = bench.component.describe()
        return Performance(bench.answers, seen, description, bench.component)

    def asked_a_model(self) -> bool:
        return any(answer.calls for answer in self.performance().answers)


def first(faults: Sequence[str]) -> None:
    """Raises a Fault for the first of the findings, with the number of the others."""
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise Fault(f"{faults[0]}{more}")
