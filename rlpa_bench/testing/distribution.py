"""Conformance of what is installed: every component of a distribution, and how its modules behave when imported."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rlpa_bench.api import API_VERSION
from rlpa_bench.errors import PluginError
from rlpa_bench.interfaces import KINDS
from rlpa_bench.plugins import GROUP, Offer, Plugins
from rlpa_bench.sources import sources
from rlpa_bench.testing.checks import KINDS as CHECKS
from rlpa_bench.testing.checks import probe, report
from rlpa_bench.testing.probe import Probe, Settings
from rlpa_bench.testing.report import Report, Result

HEAVY = ("torch", "transformers", "vllm", "tensorflow", "jax", "openai", "pandas", "scipy", "datasets")
"""Modules that listing plugins must not import."""
IMPORT_LIMIT = 1.0
"""Seconds of processor time that the modules of a plugin may take to import, beyond rlpa-bench itself."""

_CHILD = """
import json, sys, time
from importlib.metadata import distribution
import rlpa_bench.interfaces, rlpa_bench.options, rlpa_bench.plugins
before, began = set(sys.modules), time.process_time()
for point in distribution(sys.argv[1]).entry_points.select(group=sys.argv[2]):
    point.load()
print(json.dumps({"seconds": time.process_time() - began, "modules": sorted(set(sys.modules) - before)}))
"""


def offers(name: str, plugins: Plugins | None = None) -> list[Offer]:
    """What a distribution, an entry point or ``KIND/NAME`` offers.

    Raises:
        PluginError: if there is nothing of that name, with the reason where it was skipped as broken.
    """
    plugins = plugins or Plugins()
    every = [offer for kind in KINDS for offer in plugins.offers(kind)]
    for told in (lambda o: o.distribution, lambda o: o.plugin, lambda o: f"{o.kind[:-1]}/{o.name}"):
        if found := [offer for offer in every if told(offer) == name]:
            return found
    for problem in plugins.problems:
        if name in (problem.distribution, problem.plugin):
            raise PluginError(str(problem))
    raise PluginError(
        f"{name!r} is no installed distribution, entry point or KIND/NAME with plugins (rlpa-bench plugins list)"
    )


def probes(found: Sequence[Offer]) -> list[Probe]:
    """Components ready for their checks; all checks of one that cannot run here are skipped."""
    made = []
    for offer in found:
        kind = offer.kind[:-1]
        skip = dict.fromkeys(CHECKS[kind][1], offer.problem) if offer.problem else {}
        made.append(probe(kind, offer.component, Settings(skip=skip)))
    return made


@dataclass(frozen=True, slots=True)
class Card:
    """What the conformance checks found on something that is installed."""

    name: str
    origin: str
    imports: Result
    reports: Sequence[Report]

    @property
    def failed(self) -> list[Result]:
        return [r for r in (self.imports, *(r for report in self.reports for r in report.results))
                if r.status == "failed"]  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        reports = [report.as_json() for report in self.reports]
        return {"name": self.name, "origin": self.origin, "api_version": API_VERSION, "conforms": not self.failed,
                "imports": asdict(self.imports), "plugins": reports}  # fmt: skip

    def __str__(self) -> str:
        counts = Counter(result.status for report in self.reports for result in report.results)
        said = "conforms" if not self.failed else f"does not conform ({len(self.failed)} checks failed)"
        lines = [f"{self.origin}, plugin API {API_VERSION}", f"imports: {self.imports.status}, {self.imports.message}"]
        lines += ["", *(f"{report}\n" for report in self.reports)]
        return "\n".join([*lines, f"{self.name} {said}: {counts['passed']} passed, {counts['failed']} failed, "
                          f"{counts['skipped']} do not apply"])  # fmt: skip


def card(name: str, plugins: Plugins | None = None) -> Card:
    """The card of a distribution, an entry point, a file or ``KIND/NAME``. Raises PluginError if there is none."""
    found = offers(name, plugins)
    first = found[0]
    origin = f"{first.distribution} {first.version}".strip()
    return Card(name, origin, imports(first.distribution), [report(one) for one in probes(found)])


def imports(distribution: str) -> Result:
    """Whether importing its modules is light, measured in a process of its own."""
    if distribution not in {source.distribution for source in sources(GROUP) if not source.demanded}:
        return Result("imports", "skipped", "it is no installed distribution")
    done = subprocess.run([sys.executable, "-c", _CHILD, distribution, GROUP], capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        return Result("imports", "failed", f"its modules cannot be imported: {last}")
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    heavy = [module for module in HEAVY if module in seen["modules"]]
    if heavy:
        return Result("imports", "failed", f"imports {', '.join(heavy)} with its modules; do it inside __init__")
    if seen["seconds"] > IMPORT_LIMIT:
        return Result("imports", "failed", f"takes {seen['seconds']:.1f} s to import; import inside the hooks")
    return Result("imports", "passed", f"{seen['seconds'] * 1000:.0f} ms")
