"""Metrics: one family a file."""

from __future__ import annotations

from collections.abc import Iterable

from rlpa_bench import hookimpl
from rlpa_bench.interfaces import Metric


@hookimpl
def rlpa_bench_metrics() -> Iterable[type[Metric]]:
    from rlpa_bench_plugins.metrics.alignment import AlignmentMetric, CriteriaMetric, PersonalisationMetric
    from rlpa_bench_plugins.metrics.audit import AuditMetric
    from rlpa_bench_plugins.metrics.changes import ChangesMetric
    from rlpa_bench_plugins.metrics.horizon import HorizonMetric
    from rlpa_bench_plugins.metrics.outputs import FormatMetric, UsageMetric
    from rlpa_bench_plugins.metrics.panel import PanelMetric
    from rlpa_bench_plugins.metrics.people import PeopleMetric
    from rlpa_bench_plugins.metrics.profile import DisclosureMetric, ProfileMetric, StabilityMetric
    from rlpa_bench_plugins.metrics.restraint import RestraintMetric
    from rlpa_bench_plugins.metrics.retention import RetentionMetric
    from rlpa_bench_plugins.metrics.signs import SignsMetric
    from rlpa_bench_plugins.metrics.transfer import TransferMetric
    from rlpa_bench_plugins.metrics.verdicts import VerdictsMetric

    return [
        AlignmentMetric,
        AuditMetric,
        ChangesMetric,
        CriteriaMetric,
        DisclosureMetric,
        FormatMetric,
        HorizonMetric,
        PanelMetric,
        PeopleMetric,
        PersonalisationMetric,
        ProfileMetric,
        RestraintMetric,
        SignsMetric,
        RetentionMetric,
        StabilityMetric,
        TransferMetric,
        UsageMetric,
        VerdictsMetric,
    ]
