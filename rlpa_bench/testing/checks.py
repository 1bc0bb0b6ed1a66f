"""The checks by kind, and the functions that run them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from rlpa_bench.guard import describe
from rlpa_bench.interfaces import Baseline, Component, Judge, Metric, Model, Simulator, Suite
from rlpa_bench.testing import baselines, judges, metrics, models, simulators, suites
from rlpa_bench.testing.common import Check
from rlpa_bench.testing.probe import Perform, Probe, Settings
from rlpa_bench.testing.report import ConformanceError, Fault, Report, Result, Skipped
from rlpa_bench.testing.script import Says
from rlpa_bench.types import Case

KINDS: Mapping[str, tuple[Perform, Mapping[str, Check]]] = {
    "suite": (suites.perform, suites.CHECKS),
    "simulator": (simulators.perform, simulators.CHECKS),
    "judge": (judges.perform, judges.CHECKS),
    "baseline": (baselines.perform, baselines.CHECKS),
    "model": (models.perform, models.CHECKS),
    "metric": (metrics.perform, metrics.CHECKS),
}


def probe(kind: str, component: type[Component], settings: Settings | None = None) -> Probe:
    """A component ready for checks."""
    return Probe(kind, component, settings or Settings(), KINDS[kind][0])


def run_check(one: Probe, name: str) -> Result:
    """One check; whatever the component raises at it is a finding."""
    if why := one.settings.skip.get(name):
        return Result(name, "skipped", why)
    try:
        KINDS[one.kind][1][name](one)
    except Skipped as skipped:
        return Result(name, "skipped", str(skipped))
    except Fault as fault:
        return Result(name, "failed", str(fault))
    except Exception as error:  # anybody's code: an object that cannot even be looked at
        return Result(name, "failed", describe(error))
    return Result(name, "passed")


def report(one: Probe) -> Report:
    """Every check of its kind."""
    name = str(getattr(one.component, "name", one.component))
    return Report(one.kind, name, [run_check(one, check) for check in KINDS[one.kind][1]])


def examine(
    kind: str,
    component: type[Component],
    *,
    options: Mapping[str, Any] | None = None,
    argument: str = "",
    says: Says | str | None = None,
    hosts: Collection[str] = (),
    cases: Sequence[Case] = (),
    skip: Mapping[str, str] | None = None,
) -> Report:
    """Every check of a kind on one component; never raises for what the component does.

    Args:
        options: of the component, as ``-o`` would set them; ``argument``: what follows the colon.
        says: what the scripted model says to the component: a text, or a function of messages and guide.
        hosts: hosts that the component may contact, such as a test server's.
        cases: personas for a simulator, instead of the reference ones.
        skip: name of a check -> why it does not hold here; shown in the report.
    """
    return report(probe(kind, component, Settings(options or {}, argument, says, hosts, cases, skip or {})))


def _checker(kind: str, base: type[Component]) -> Callable[..., Report]:
    def check(component: type[Component], **settings: Any) -> Report:
        found = examine(kind, component, **settings)
        if found.failed:
            raise ConformanceError(found)
        return found

    check.__name__ = check.__qualname__ = f"check_{kind}"
    check.__doc__ = (
        f"Whether a {base.__name__} keeps the promises of its kind; settings are those of :func:`examine`.\n\n"
        "Raises:\n    ConformanceError: naming every check that failed."
    )
    return check


check_suite = _checker("suite", Suite)
check_simulator = _checker("simulator", Simulator)
check_judge = _checker("judge", Judge)
check_baseline = _checker("baseline", Baseline)
check_model = _checker("model", Model)
check_metric = _checker("metric", Metric)
