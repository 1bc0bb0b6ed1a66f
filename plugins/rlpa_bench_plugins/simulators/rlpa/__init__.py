"""The user of RLPA's protocol, played by a model (arXiv 2505.15456, section 3.1 and appendix)."""

from __future__ import annotations

from collections.abc import Mapping

from rlpa_bench.types import Profile, State
from rlpa_bench_plugins.asking.prompts import Prompt
from rlpa_bench_plugins.simulators.acting import ActingSimulator, written
from rlpa_bench_plugins.simulators.agenda.disclosure import cap


class RlpaSimulator(ActingSimulator):
    """RLPA's user by a model: a stranger, cold and short before warmer, at most 15 % of the profile a reply.

    The rules are the paper's, the wording is ours, in English and Chinese. The ledger is extracted afterwards.
    """

    name = "rlpa"
    version = "rlpa/1"
    rules = Prompt(__package__, "rules.v1")
    start = Prompt(__package__, "start.v1")

    def persona(self, state: State, profile: Profile) -> str:
        return written(profile) or state.case.text

    def places(self, profile: Profile) -> Mapping[str, str]:
        return {"most": str(cap(len(profile.facts)))}
