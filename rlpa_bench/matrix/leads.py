"""Candidates that lead only under one simulator, or only under one judge.

Where one candidate leads only with one user, another often leads only with the other user. The one that is named is the
one that owes its lead to that user: who changes more than the others do when the user changes. With two candidates
nobody can tell, and both are named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from rlpa_bench.matrix.degradation import beside
from rlpa_bench.matrix.grid import Grid, View
from rlpa_bench.statistics import Difference, holm, paired_difference

ALPHA = 0.05

Tests = dict[tuple[str, str], tuple[Difference, float]]
"""Two candidates -> their paired difference in a view and its p-value, corrected by Holm over the view's pairs."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A candidate with the highest mean under one level of a factor that is significantly behind under all others, and
    loses significantly more than the other candidates on the way there."""

    candidate: str
    factor: str
    """``simulator`` or ``judge``."""
    level: str
    """The one under which it leads."""
    within: str
    """The level of the other factor, which is kept."""
    behind: tuple[tuple[str, str, Difference], ...]
    """(level, who leads there, candidate minus leader)."""
    clear: bool
    """Whether its lead is significant over every one of those who lead elsewhere."""

    def __str__(self) -> str:
        lost = "; ".join(
            f"under {level} it is {-d.mean:.1f} behind {leader} [{-d.high:.1f}, {-d.low:.1f}]"
            for level, leader, d in self.behind
        )
        lead = "leads" if self.clear else "leads, not clearly,"
        other = "judge" if self.factor == "simulator" else "simulator"
        return f"{self.candidate} {lead} only under the {self.factor} {self.level} ({other} {self.within}): {lost}"


def leads(grid: Grid) -> list[Lead]:
    """All of them, by factor; none where fewer than 2 profiles are shared."""
    if len(grid.profiles) < 2:
        return []
    tests = {view: _tests(grid, view) for view in grid.views}
    tops = {view: _top(grid, view) for view in grid.views}
    found = []
    for factor, other in (("simulator", "judge"), ("judge", "simulator")):
        for kept in dict.fromkeys(getattr(view, other) for view in grid.views):
            views = [view for view in grid.views if getattr(view, other) == kept]
            found += [lead for view in views for lead in _only(grid, factor, view, views, tops, tests)]
    return found


def _only(
    grid: Grid, factor: str, here: View, views: list[View], tops: dict[View, str], tests: dict[View, Tests]
) -> Iterator[Lead]:
    name, behind = tops[here], []
    if not name or len(views) < 2:
        return
    for view in views:
        if view is here:
            continue
        leader = tops[view]
        difference, p = tests[view].get((name, leader), (None, 1.0))
        if difference is None or not (p < ALPHA and difference.mean < 0 and _owes(grid, name, here, view)):
            return
        behind.append((getattr(view, factor), leader, difference))
    ahead = [tests[here][name, leader] for _, leader, _ in behind]
    clear = all(p < ALPHA and difference.mean > 0 for difference, p in ahead)
    within = here.judge if factor == "simulator" else here.simulator
    yield Lead(name, factor, getattr(here, factor), within, tuple(behind), clear)


def _owes(grid: Grid, name: str, here: View, there: View) -> bool:
    """Whether a candidate loses more than the others from one view to the other, Bonferroni over the candidates."""
    changes = {}
    for each in grid.whole:
        before, after = grid.by_profile(each, here), grid.by_profile(each, there)
        changes[each] = {profile: after[profile] - before[profile] for profile in before}
    found = beside(changes.pop(name), list(changes.values()))
    return found is not None and found.mean < 0 and found.p_value * len(grid.whole) < ALPHA


def _top(grid: Grid, view: View) -> str:
    """The candidate with the highest mean over the shared profiles; empty where several have it."""
    means = {name: grid.by_profile(name, view) for name in grid.whole}
    totals = {name: sum(values.values()) / len(values) for name, values in means.items()}
    best = max(totals.values(), default=0.0)
    top = [name for name, total in totals.items() if best - total <= 1e-9]
    return top[0] if len(top) == 1 else ""


def _tests(grid: Grid, view: View) -> Tests:
    means = {name: grid.by_profile(name, view) for name in grid.whole}
    pairs = list(combinations(means, 2))
    found = [paired_difference(means[one], means[other]) for one, other in pairs]
    adjusted = holm([difference.p_value for difference in found])
    tests: Tests = {}
    for (one, other), difference, p in zip(pairs, found, adjusted, strict=True):
        tests[one, other] = difference, p
        tests[other, one] = paired_difference(means[other], means[one]), p
    return tests
