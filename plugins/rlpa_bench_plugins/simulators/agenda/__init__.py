"""The rule-based simulated user."""

from rlpa_bench_plugins.simulators.agenda.simulator import AgendaOptions, AgendaSimulator

__all__ = ["AgendaOptions", "AgendaSimulator"]
