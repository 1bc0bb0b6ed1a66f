"""``pytest --rlpa-bench-plugin NAME``: the conformance checks of an installed plugin as tests, one a check.

pytest loads this module at every start of everybody who has rlpa-bench installed: it imports pytest and nothing else
until the option is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rlpa_bench.testing.probe import Probe


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "Check the plugin NAME (a distribution, an entry point, or KIND/NAME) for conformance; may be repeated."
    parser.getgroup("rlpa-bench").addoption(
        "--rlpa-bench-plugin", action="append", default=[], metavar="NAME", help=text
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Adds a test per check before anybody selects among them."""
    for name in config.getoption("--rlpa-bench-plugin"):
        items += Conformance.from_parent(session, name=f"rlpa-bench {name}", wanted=name).collect()


class Conformance(pytest.Collector):
    """All checks of the plugins of one name."""

    def __init__(self, *, wanted: str, **more: Any) -> None:
        super().__init__(**more)
        self.wanted = wanted
        self.add_marker(pytest.mark.filterwarnings("default"))

    def collect(self) -> Iterator[pytest.Item]:
        from rlpa_bench.errors import RlpaBenchError
        from rlpa_bench.testing.checks import KINDS
        from rlpa_bench.testing.distribution import offers, probes

        try:
            found = probes(offers(self.wanted))
        except RlpaBenchError as error:
            raise pytest.UsageError(f"--rlpa-bench-plugin: {error}") from None
        for one in found:
            for check in KINDS[one.kind][1]:
                name = f"{one.kind}/{one.component.name}: {check}"
                yield ConformanceCheck.from_parent(self, name=name, probe=one, check=check)


class ConformanceCheck(pytest.Item):
    """One check of one component."""

    def __init__(self, *, probe: Probe, check: str, **more: Any) -> None:
        super().__init__(**more)
        self.probe = probe
        self.check = check

    def runtest(self) -> None:
        from rlpa_bench.testing.checks import run_check

        result = run_check(self.probe, self.check)
        if result.status == "skipped":
            pytest.skip(result.message)
        if result.status == "failed":
            pytest.fail(result.message, pytrace=False)

    def reportinfo(self) -> tuple[str, None, str]:
        return "rlpa-bench", None, self.name
