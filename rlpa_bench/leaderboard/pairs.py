"""Every pair of a board tested once; ranks and tie groups are read from the tests of the contestants."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

from rlpa_bench.comparison import RANK_PROFILES
from rlpa_bench.leaderboard.schema import Difference, Result
from rlpa_bench.statistics import Difference as Paired
from rlpa_bench.statistics import RankInterval, holm, paired_difference, ranks_from_wins

ALPHA = 0.05


def compared(results: Sequence[Result], contestants: Collection[str], column: str) -> list[Difference]:
    """The differences of all pairs in a column.

    The pairs of contestants are one family for Holm's correction and all others another, so that nobody's rank depends
    on how many controls stand beside it.
    """
    means = {result.id: _by_profile(result, column) for result in results}
    families: dict[bool, list[tuple[str, str, Paired]]] = {True: [], False: []}
    for one, two in combinations(results, 2):
        if (difference := paired(one, two, column, means)) is not None:
            families[{one.id, two.id} <= set(contestants)].append((one.id, two.id, difference))
    made = []
    for both, pairs in families.items():
        adjusted = holm([difference.p_value for _, _, difference in pairs])
        for (a, b, d), p in zip(pairs, adjusted, strict=True):
            made.append(
                Difference(a=a, b=b, mean=d.mean, low=d.low, high=d.high, p=p, profiles=d.clusters, contestants=both)
            )
    return made


def paired(
    one: Result, two: Result, column: str, means: Mapping[str, Mapping[str, float]] | None = None
) -> Paired | None:
    """one - two on the cases both have, clustered by profile; None with fewer than two profiles.

    Args:
        means: means by profile of each result, to save averaging where both have the same cases.
    """
    a, b = (_cases(result, column) for result in (one, two))
    if a.keys() == b.keys():
        known = means or {result.id: _by_profile(result, column) for result in (one, two)}
        return paired_difference(known[one.id], known[two.id]) if len(known[one.id]) > 1 else None
    shared = [case for case in a if case in b]
    clusters = [one.clusters[case] for case in shared]
    if len(set(clusters)) < 2:
        return None
    return paired_difference([a[case] for case in shared], [b[case] for case in shared], clusters)


def ranks(order: Sequence[str], differences: Sequence[Difference], *, lower: bool) -> dict[str, RankInterval]:
    """Ranks of contestants, best first; nothing where some two share fewer than ``RANK_PROFILES`` profiles."""
    tests = [d for d in differences if d.contestants]
    if len(tests) < len(order) * (len(order) - 1) // 2 or any(d.profiles < RANK_PROFILES for d in tests):
        return {}
    wins = {(d.a, d.b) if (d.mean < 0) == lower else (d.b, d.a) for d in tests if d.p <= ALPHA}
    return ranks_from_wins(order, wins)


def _cases(result: Result, column: str) -> Mapping[str, float]:
    cases: Mapping[str, float] = result.row.get(column, {}).get("cases", {})
    return cases


def _by_profile(result: Result, column: str) -> dict[str, float]:
    groups: dict[str, list[float]] = {}
    for case, value in _cases(result, column).items():
        groups.setdefault(result.clusters[case], []).append(value)
    return {cluster: sum(values) / len(values) for cluster, values in groups.items()}
