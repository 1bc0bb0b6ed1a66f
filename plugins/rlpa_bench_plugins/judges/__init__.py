"""Judges that come with rlpa-bench."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rlpa_bench import hookimpl

if TYPE_CHECKING:
    from rlpa_bench.interfaces import Judge


@hookimpl
def rlpa_bench_judges() -> Iterable[type[Judge]]:
    from rlpa_bench_plugins.judges.aloe_15 import AloeJudge
    from rlpa_bench_plugins.judges.pairwise import PairwiseJudge
    from rlpa_bench_plugins.judges.panel import PanelJudge
    from rlpa_bench_plugins.judges.profile import ProfileJudge
    from rlpa_bench_plugins.judges.profile_llm import ProfileLlmJudge
    from rlpa_bench_plugins.judges.retrieval import RetrievalJudge
    from rlpa_bench_plugins.judges.rlpa_gate import GateInferredJudge, GateJudge
    from rlpa_bench_plugins.judges.rules import RulesJudge

    return [
        AloeJudge,
        GateInferredJudge,
        GateJudge,
        PairwiseJudge,
        PanelJudge,
        ProfileJudge,
        ProfileLlmJudge,
        RetrievalJudge,
        RulesJudge,
    ]
