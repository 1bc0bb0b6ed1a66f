"""Finding plugins: entry points of the group ``rlpa_bench``, one at a time, so that one broken plugin stops nobody.

pluggy's own loader skips a second entry point of the same name, stops at the first plugin whose import fails and
accepts a misspelt hook; here each of these is kept as a problem that ``plugins list`` shows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any

import pluggy

from rlpa_bench import hookspecs
from rlpa_bench.errors import PluginError
from rlpa_bench.interfaces import KINDS, Component

GROUP = "rlpa_bench"


@dataclass(frozen=True, slots=True)
class Offer:
    """A component class and the distribution it comes from."""

    kind: str
    name: str
    component: type[Component]
    distribution: str
    version: str

    @property
    def summary(self) -> str:
        return (self.component.__doc__ or "").strip().split("\n")[0]

    @property
    def missing(self) -> tuple[str, ...]:
        """Modules it requires that are not installed; looks without importing them."""
        return tuple(module for module in self.component.requires if not _installed(module))

    @property
    def problem(self) -> str:
        """Why it cannot be used here; empty if it can."""
        if not self.missing:
            return ""
        extra = f"pip install 'rlpa-bench[{self.component.extra}]'" if self.component.extra else "install them"
        return f"needs {', '.join(self.missing)}: {extra}"


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that would hold it
        return False


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin that could not be loaded, and why."""

    plugin: str
    distribution: str
    version: str
    message: str

    def __str__(self) -> str:
        return f"plugin {self.plugin!r} of {self.distribution} {self.version} was skipped: {self.message}"


class Plugins:
    """All plugins that could be loaded, and what is wrong with the others."""

    def __init__(self, extra: Iterable[object] = (), *, entry_point_group: str | None = GROUP) -> None:
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.problems: list[Problem] = []
        self._origin: dict[int, tuple[str, str]] = {}
        self._offers: dict[str, list[Offer]] = {}
        self._muted: set[tuple[int, str]] = set()
        disabled = {name.strip() for name in os.environ.get("RLPA_BENCH_DISABLE", "").split(",")}
        found = entry_points(group=entry_point_group) if entry_point_group else ()
        for point in sorted(found, key=lambda p: (p.name, p.dist.name if p.dist else "")):
            if point.name not in disabled:
                self._load(point)
        for plugin in extra:
            self._register(plugin, getattr(plugin, "__name__", type(plugin).__name__), "this process", "")

    def notify(self, event: str, **facts: Any) -> None:
        """Calls the hook ``rlpa_bench_EVENT`` of every plugin, the latest first.

        A plugin that raises is noted among the problems and not called for this event again.
        """
        for implementation in reversed(getattr(self.manager.hook, f"rlpa_bench_{event}").get_hookimpls()):
            key = (id(implementation.plugin), event)
            if key in self._muted:
                continue
            try:
                implementation.function(*(facts[name] for name in implementation.argnames))
            except Exception as error:  # an observer may be anybody's code and stops nobody
                self._muted.add(key)
                name = implementation.plugin_name.split(":")[1]
                message = f"hook {event} raised {type(error).__name__}: {error}"
                self.problems.append(Problem(name, *self._origin[key[0]], message))

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

    def _load(self, point: EntryPoint) -> None:
        dist = (point.dist.name, point.dist.version) if point.dist else ("unknown", "")
        try:
            module = point.load()
        except BaseException as error:  # a plugin may raise anything at import, even SystemExit
            if isinstance(error, KeyboardInterrupt):
                raise
            self.problems.append(Problem(point.name, *dist, f"{type(error).__name__}: {error}"))
            return
        self._register(module, point.name, *dist)

    def _register(self, plugin: object, name: str, distribution: str, version: str) -> None:
        try:
            self.manager.register(plugin, name=f"{distribution}:{name}:{id(plugin)}")
            self.manager.check_pending()
        except Exception as error:  # a bad hook must not stop the other plugins
            if self.manager.is_registered(plugin):
                self.manager.unregister(plugin)
            self.problems.append(Problem(name, distribution, version, " ".join(str(error).split())))
            return
        self._origin[id(plugin)] = (distribution, version)

    def _collect(self, kind: str) -> list[Offer]:
        offers = []
        caller = getattr(self.manager.hook, f"rlpa_bench_{kind}")
        for implementation in caller.get_hookimpls():
            origin = self._origin[id(implementation.plugin)]
            try:
                components = list(implementation.function())
                offers += [Offer(kind, component.name, component, *origin) for component in components]
            except Exception as error:  # one broken plugin leaves the others alive
                name = implementation.plugin_name.split(":")[1]
                self.problems.append(Problem(name, *origin, f"{type(error).__name__}: {error}"))
        return sorted(offers, key=lambda offer: (offer.name, offer.distribution))
