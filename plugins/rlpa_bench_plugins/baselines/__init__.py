"""Baselines and controls that come with rlpa-bench."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rlpa_bench.hookspecs import hookimpl

if TYPE_CHECKING:
    from rlpa_bench.interfaces import Baseline


@hookimpl
def rlpa_bench_baselines() -> Iterable[type[Baseline]]:
    from rlpa_bench_plugins.baselines.attacks import Flatter, Injector, Longest, Stuffer
    from rlpa_bench_plugins.baselines.bayes import BayesElicitor
    from rlpa_bench_plugins.baselines.cot import Cot
    from rlpa_bench_plugins.baselines.known_user import Hinted, Oracle, Shuffled
    from rlpa_bench_plugins.baselines.plain import Base, Reminder
    from rlpa_bench_plugins.baselines.pool import Lookup, Prior
    from rlpa_bench_plugins.baselines.profile_first import ProfileMemory, TwoStep
    from rlpa_bench_plugins.baselines.rag import Rag
    from rlpa_bench_plugins.baselines.scribe import Asker, Scribe
    from rlpa_bench_plugins.baselines.self_critic import SelfCritic
    from rlpa_bench_plugins.baselines.trained import Dpo, Rlpa, Sft
    from rlpa_bench_plugins.baselines.trivial import Echo, Null

    prompted: list[type[Baseline]] = [Base, Reminder, SelfCritic, Cot, Rag, TwoStep, ProfileMemory]
    trained: list[type[Baseline]] = [Sft, Dpo, Rlpa]
    told: list[type[Baseline]] = [Hinted, Oracle, Shuffled]
    trivial: list[type[Baseline]] = [Null, Echo, Flatter, Longest, Injector, Stuffer]
    informed: list[type[Baseline]] = [Prior, Lookup, Scribe, Asker, BayesElicitor]
    return prompted + trained + told + trivial + informed
