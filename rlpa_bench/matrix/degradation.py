"""What a candidate loses when somebody else plays the user, and what it loses more than the others do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from rlpa_bench.matrix.grid import Grid, View, profile_means
from rlpa_bench.statistics import Difference, holm, paired_difference


@dataclass(frozen=True, slots=True)
class Drop:
    """A candidate under simulator ``to`` minus the same under ``origin``, paired by case, clustered by profile.

    A candidate that was trained on one of the two comes from that one. The p-values are corrected by Holm over all
    drops of the matrix, and over all excesses.
    """

    candidate: str
    judge: str
    origin: str
    to: str
    difference: Difference
    p_holm: float
    excess: Difference | None
    """The difference beside that of the candidate in the middle of the others: below 0 it loses more than most of them
    do, as one that is over-fitted to ``origin`` would. None without others."""
    excess_p: float | None
    trained: bool
    """Whether the candidate was trained on ``origin`` and not on ``to``."""


def drops(grid: Grid) -> list[Drop]:
    """Every candidate from every simulator to every later one, by judge; those of one profile are left out."""
    found = [drop for judge, one, other in grid.pairs() for drop in _between(grid, judge, one, other)]
    first = holm([drop.difference.p_value for drop in found])
    others = [drop.excess for drop in found if drop.excess is not None]
    second = iter(holm([difference.p_value for difference in others]))
    return [
        replace(drop, p_holm=p, excess_p=None if drop.excess is None else next(second))
        for drop, p in zip(found, first, strict=True)
    ]


def _between(grid: Grid, judge: str, one: str, other: str) -> list[Drop]:
    paired: dict[str, tuple[Difference, dict[str, float]]] = {}
    for name in grid.candidates:
        cells = [grid.cells.get((name, View(simulator, judge))) for simulator in (other, one)]
        known = [cell.cases for cell in cells if cell is not None and cell.mean is not None]
        if len(known) == 2 and (pair := _paired(known, grid.clusters)) is not None:
            paired[name] = pair
    out = []
    for name, (difference, changes) in paired.items():
        excess = beside(changes, [rest for rival, (_, rest) in paired.items() if rival != name])
        trained = {simulator for simulator in (one, other) if simulator in grid.trained.get(name, ())}
        drop = Drop(name, judge, one, other, difference, 1.0, excess, None, len(trained) == 1)
        out.append(_turned(drop) if trained == {other} else drop)
    return out


def _paired(
    known: Sequence[Mapping[str, float]], clusters: Mapping[str, str]
) -> tuple[Difference, dict[str, float]] | None:
    now, before = known
    shared = [case for case in now if case in before]
    if len({clusters[case] for case in shared}) < 2:
        return None
    ones, twos = [now[case] for case in shared], [before[case] for case in shared]
    changes = {case: a - b for case, a, b in zip(shared, ones, twos, strict=True)}
    return paired_difference(ones, twos, [clusters[case] for case in shared]), profile_means(changes, clusters)


def beside(changes: Mapping[str, float], others: Sequence[Mapping[str, float]]) -> Difference | None:
    """A candidate's changes by profile beside those of the other whose mean change is the median one (or two).

    The median, so that one candidate that changes much does not make the rest look as if they changed.
    """
    shared = [profile for profile in changes if all(profile in other for other in others)]
    if not others or len(shared) < 2:
        return None
    ordered = sorted(others, key=lambda other: fmean(other[profile] for profile in shared))
    middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
    usual = [fmean(other[profile] for other in middle) for profile in shared]
    return paired_difference([changes[profile] for profile in shared], usual)


def _turned(drop: Drop) -> Drop:
    """The same drop seen from the other simulator."""
    excess = None if drop.excess is None else _negative(drop.excess)
    return replace(drop, origin=drop.to, to=drop.origin, difference=_negative(drop.difference), excess=excess)


def _negative(one: Difference) -> Difference:
    return replace(one, mean=-one.mean, low=-one.high, high=-one.low)
