"""The user of ALOE's protocol, played by a model (arXiv 2410.03642, released data generation and evaluation)."""

from __future__ import annotations

from rlpa_bench.types import Profile, State
from rlpa_bench_plugins.asking.prompts import Prompt
from rlpa_bench_plugins.simulators.acting import ActingSimulator, written


class AloeRoleplaySimulator(ActingSimulator):
    """ALOE's user by a model: a friendly role-play of a persona text that shows a part of itself each round.

    The persona is the case's own text where it has one, else its golden items. The wording is ours, in English and
    Chinese. The ledger is extracted afterwards, and unknown where a case has no golden items.
    """

    name = "aloe-roleplay"
    version = "aloe-roleplay/1"
    rules = Prompt(__package__, "rules.v1")
    start = Prompt(__package__, "start.v1")

    def persona(self, state: State, profile: Profile) -> str:
        return state.case.text or written(profile)
