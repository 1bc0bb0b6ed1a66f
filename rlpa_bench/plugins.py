"""Finding plugins: entry points of the group ``rlpa_bench``, one at a time, so that one broken plugin stops nobody.

Where they come from is in :mod:`rlpa_bench.sources`, how their code is kept from harm in :mod:`rlpa_bench.guard`, how
those that watch a run are told in :mod:`rlpa_bench.observing`.

pluggy's own loader skips a second entry point of the same name, stops at the first plugin whose import fails and
accepts a misspelt hook; here each of these is kept as a problem that ``plugins list`` shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from inspect import isabstract
from typing import TYPE_CHECKING, Any

import pluggy

from rlpa_bench import hookspecs
from rlpa_bench.api import API_VERSION, mismatch
from rlpa_bench.errors import PluginError
from rlpa_bench.guard import guarding, patience
from rlpa_bench.interfaces import KINDS, Baseline, Component, Judge, Metric, Model, Simulator, Suite
from rlpa_bench.sources import Source, sources

if TYPE_CHECKING:
    import click

    from rlpa_bench.observing import Observer

GROUP = "rlpa_bench"
BASES: dict[str, type[Component]] = dict(zip(KINDS, (Suite, Simulator, Judge, Baseline, Model, Metric), strict=True))
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Offer:
    """A component class and the distribution it comes from."""

    kind: str
    name: str
    component: type[Component]
    distribution: str
    version: str
    plugin: str = ""
    """The entry point or file it comes by."""

    @property
    def summary(self) -> str:
        return (self.component.__doc__ or "").strip().split("\n")[0]

    @property
    def missing(self) -> tuple[str, ...]:
        """Modules it requires that are not installed."""
        return tuple(module for module in self.component.requires if not installed(module))

    @property
    def problem(self) -> str:
        """Why it cannot be used here; empty if it can."""
        if not self.missing:
            return ""
        extra = f"pip install 'rlpa-bench[{self.component.extra}]'" if self.component.extra else "install them"
        return f"needs {', '.join(self.missing)}: {extra}"

    @property
    def origin(self) -> str:
        """Kind, name and where it comes from, for messages."""
        return f"{self.kind[:-1]} {self.name!r} of {self.distribution} {self.version}".strip()


def refusal(kind: str, component: object) -> str:
    """Why something that a hook returned cannot be a component of this kind; empty if it can."""
    base = BASES[kind]
    if not isinstance(component, type) or not issubclass(component, base):
        return f"{getattr(component, '__name__', repr(component))} is no subclass of {base.__name__}"
    name = getattr(component, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"{component.__name__}.name is {name!r}; write lower-case letters, digits and - . _"
    if isabstract(component):
        missing = ", ".join(sorted(component.__abstractmethods__))
        return f"{component.__name__} does not define {missing}"
    if not hasattr(getattr(component, "Options", None), "model_fields"):
        return f"{component.__name__}.Options is no pydantic model; derive it from rlpa_bench.options.Options"
    return ""


def installed(module: str) -> bool:
    """Whether there is such a module; looks without importing it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that would hold it
        return False


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a plugin."""

    plugin: str
    distribution: str
    version: str
    message: str
    skipped: bool = True
    """Whether it takes no part; else it did something wrong when it was used."""

    def __str__(self) -> str:
        who = f"plugin {self.plugin!r} of {self.distribution} {self.version}".rstrip()
        return f"{who}{' was skipped' if self.skipped else ''}: {self.message}"


class Plugins:
    """All plugins that could be loaded, and what is wrong with the others."""

    def __init__(self, extra: Iterable[object] = (), *, entry_point_group: str | None = GROUP) -> None:
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.problems: list[Problem] = []
        self._origin: dict[int, tuple[str, str, str]] = {}
        """id of a plugin -> entry point or file, distribution and version that it comes from."""
        self._offers: dict[str, list[Offer]] = {}
        self._observers: list[Observer] | None = None
        patience()  # a setting that is no number is said before anything runs
        for source in sources(entry_point_group):
            self._load(source)
        for plugin in extra:
            self._register(plugin, getattr(plugin, "__name__", type(plugin).__name__), "this process", "")

    def notify(self, event: str, **facts: Any) -> None:
        """Tells the plugins that observe runs; waits for them only when a run is over, and notes what they lost."""
        from rlpa_bench import observing  # here, since listing plugins needs none of it

        if self._observers is None and event != observing.STOP:
            self._observers = self._observing(observing.EVENTS)
        observers = self._observers or []
        for observer in observers:
            observer.put(event, facts)
        if event in observing.WAIT:
            self._observers = None
            for observer, lost in observing.losses(observers, event):
                self.problems.append(Problem(*observer.origin, lost, skipped=False))

    def _observing(self, events: Iterable[str]) -> list[Observer]:
        from rlpa_bench.observing import Observer

        found: dict[int, dict[str, pluggy.HookImpl]] = {}
        for event in events:
            for hook in getattr(self.manager.hook, f"rlpa_bench_{event}").get_hookimpls():
                found.setdefault(id(hook.plugin), {})[event] = hook
        return [Observer(self._origin[plugin], hooks) for plugin, hooks in found.items()]

    def add_commands(self, group: click.Group) -> None:
        """Lets the plugins add their commands; one that fails at it is noted."""
        for hook in self.manager.hook.rlpa_bench_commands.get_hookimpls():
            try:
                with guarding("rlpa_bench_commands()"):
                    hook.function(group)
            except PluginError as error:
                self.problems.append(Problem(*self._origin[id(hook.plugin)], str(error), skipped=False))

    def report(self, offer: Offer, message: str) -> None:
        """Notes what a component did wrong when it was used."""
        self.problems.append(Problem(offer.name, offer.distribution, offer.version, message, skipped=False))

    def offers(self, kind: str) -> list[Offer]:
        """All components of a kind, in the order of their names."""
        if kind not in KINDS:
            raise PluginError(f"unknown kind {kind!r}; the kinds are {', '.join(KINDS)}")
        if kind not in self._offers:
            self._offers[kind] = self._collect(kind)
        return self._offers[kind]

    def find(self, kind: str, name: str) -> Offer:
        """The one usable component of that name.

        Raises:
            PluginError: if it is unknown (near names are suggested), offered twice, or lacks what it requires.
        """
        offers = [offer for offer in self.offers(kind) if offer.name == name]
        if not offers:
            names = [offer.name for offer in self.offers(kind)]
            near = get_close_matches(name, names, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}" if near else f"there are {', '.join(names) or 'none'}"
            raise PluginError(f"unknown {kind[:-1]} {name!r}; {hint} (rlpa-bench plugins list){self._broken()}")
        if len(offers) > 1:
            sources = " and ".join(f"{offer.distribution} {offer.version}".strip() for offer in offers)
            raise PluginError(f"{kind[:-1]} {name!r} is offered by {sources}; uninstall or disable one of them")
        if offers[0].problem:
            raise PluginError(f"{kind[:-1]} {name!r} {offers[0].problem}")
        return offers[0]

    def _broken(self) -> str:
        return f"; skipped as broken: {', '.join(problem.plugin for problem in self.problems)}" if self.problems else ""

    def _load(self, source: Source) -> None:
        who = f"plugin {source.name!r} of {source.distribution} {source.version}"
        try:
            with guarding(who):
                module = source.load()
        except PluginError as error:
            if source.demanded:
                raise
            message = str(error).removeprefix(f"{who} failed: ").removeprefix(f"{who} ")
            self.problems.append(Problem(source.name, source.distribution, source.version, message))
            return
        self._register(module, source.name, source.distribution, source.version)
        if source.demanded and not self.manager.get_hookcallers(module):
            reason = self.problems[-1].message if self.problems else "it marks no hook with rlpa_bench.hookimpl"
            raise PluginError(f"{who} offers nothing: {reason}")

    def _register(self, plugin: object, name: str, distribution: str, version: str) -> None:
        try:
            if why := mismatch(getattr(plugin, "rlpa_bench_api", API_VERSION)):
                raise PluginError(why)
            self.manager.register(plugin, name=str(id(plugin)))
            self.manager.check_pending()
        except (Exception, SystemExit) as error:  # pluggy looks at every attribute of what may be anything
            if self.manager.is_registered(plugin):
                self.manager.unregister(plugin)
            self.problems.append(Problem(name, distribution, version, " ".join(str(error).split())))
            return
        self._origin[id(plugin)] = (name, distribution, version)

    def _collect(self, kind: str) -> list[Offer]:
        offers = []
        caller = getattr(self.manager.hook, f"rlpa_bench_{kind}")
        for hook in caller.get_hookimpls():
            name, distribution, version = self._origin[id(hook.plugin)]
            who = f"rlpa_bench_{kind}()"
            try:
                with guarding(who):
                    components = list(hook.function())
            except PluginError as error:  # one broken plugin leaves the others alive
                self.problems.append(Problem(name, distribution, version, str(error)))
                continue
            for component in components:
                if why := refusal(kind, component):
                    why = f"{who} offers what is no {kind[:-1]}: {why}"
                    self.problems.append(Problem(name, distribution, version, why))
                else:
                    offers.append(Offer(kind, component.name, component, distribution, version, name))
        return sorted(offers, key=lambda offer: (offer.name, offer.distribution))
