"""Whatever tells people to install an extra names one that there is."""

from __future__ import annotations

from importlib.metadata import metadata

from rlpa_bench_plugins.observers import PACKAGES

from rlpa_bench.interfaces import KINDS
from rlpa_bench.plugins import Plugins


def test_extras_that_are_named_exist() -> None:
    there = set(metadata("rlpa-bench").get_all("Provides-Extra") or ())
    offers = [offer for kind in KINDS for offer in Plugins().offers(kind) if offer.distribution == "rlpa-bench"]
    assert {offer.component.extra for offer in offers} - {""} <= there
    assert set(PACKAGES) <= there
