"""Grids made of numbers, with known answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rlpa_bench.matrix import Cell, Grid, View
from rlpa_bench.randomness import Draws

PROFILES = 40


def grid(
    value: Callable[[str, str, str, int], float],
    candidates: Sequence[str] = ("steady", "other", "third", "fourth"),
    simulators: Sequence[str] = ("agenda", "reciprocal"),
    judges: Sequence[str] = ("rules", "retrieval"),
    profiles: int = PROFILES,
    trained: Mapping[str, tuple[str, ...]] | None = None,
) -> Grid:
    """Two cases a profile; ``value(candidate, simulator, judge, profile)`` is their mean, 1 apart from each."""
    clusters = {f"{p}.{i}": f"p{p}" for p in range(profiles) for i in range(2)}
    views = tuple(View(simulator, judge) for simulator in simulators for judge in judges)
    cells = {}
    for name in candidates:
        for view in views:
            cases = {f"{p}.{i}": value(name, *view, p) + 2 * i - 1 for p in range(profiles) for i in range(2)}
            mean = sum(cases.values()) / len(cases)
            cells[name, view] = Cell(mean, mean - 1, mean + 1, cases)
    return Grid("toy", tuple(candidates), views, cells, clusters, trained or {})


def noise(*key: object) -> float:
    """Between -5 and 5, by key."""
    return 10 * Draws("noise", *key).random() - 5


SKILL = {"steady": 70.0, "other": 60.0, "third": 50.0, "fourth": 40.0}


def fair(candidate: str, simulator: str, judge: str, profile: int) -> float:
    """Skill, a harder second simulator for everybody, a stricter second judge, and noise."""
    harder = 10.0 * (simulator == "reciprocal") + 5.0 * (judge == "retrieval")
    return SKILL[candidate] - harder + noise(candidate, simulator, judge, profile)


def overfitted(candidate: str, simulator: str, judge: str, profile: int) -> float:
    """As fair, but ``third`` gains 35 under the simulator that it was fitted to."""
    gain = 35.0 * (candidate == "third" and simulator == "agenda")
    return fair(candidate, simulator, judge, profile) + gain


def flattered(candidate: str, simulator: str, judge: str, profile: int) -> float:
    """As fair, but the judge ``rules`` gives ``fourth`` 50 too much."""
    return fair(candidate, simulator, judge, profile) + 50.0 * (candidate == "fourth" and judge == "rules")
