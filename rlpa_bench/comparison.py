"""Paired differences between candidates on the same cases, within one run or across runs of like terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from rlpa_bench.errors import UsageError
from rlpa_bench.runs import Run, differing
from rlpa_bench.statistics import Difference, RankInterval, holm, paired_difference, rank_intervals
from rlpa_bench.terms import unequal_rows, unlike_models

RANK_PROFILES = 50
"""Profiles below which there are no ranks."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One difference, a - b, and its p-value corrected for all pairs (Holm)."""

    a: str
    b: str
    difference: Difference
    p_holm: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All pairs on one column."""

    column: str
    pairs: tuple[Pair, ...]
    ranks: Mapping[str, RankInterval]
    """Empty below 50 profiles."""
    notes: tuple[str, ...]


def compare(runs: Sequence[Run], column: str = "", *, force: bool = False) -> Comparison:
    """Compares every two candidates of the runs, paired by case, clustered by profile.

    Raises:
        UsageError: for runs of unlike terms without ``force``, or a column that is not there.
    """
    notes = _unlike(runs, force=force)
    column = column or _default(runs[0])
    values = _values(runs, column)
    if len(values) < 2:
        raise UsageError(f"column {column!r} has values for {len(values)} candidate; a comparison needs two")
    clusters = {case.id: case.cluster for run in runs for case in run.cases.values()}
    tested = []
    for a, b in combinations(values, 2):
        shared = [case for case in values[a] if case in values[b]]
        if len({clusters[case] for case in shared}) > 1:
            one, two = ([values[name][case] for case in shared] for name in (a, b))
            tested.append((a, b, paired_difference(one, two, [clusters[case] for case in shared])))
    adjusted = holm([difference.p_value for _, _, difference in tested])
    pairs = tuple(Pair(a, b, d, p) for (a, b, d), p in zip(tested, adjusted, strict=True))
    notes.append("a - b, paired by case, clustered by profile; p-values corrected by Holm over all pairs shown.")
    profiles = min((pair.difference.clusters for pair in pairs), default=0)
    ranks: Mapping[str, RankInterval] = {}
    if profiles < RANK_PROFILES:
        notes.append(f"{profiles} shared profiles: no ranks below {RANK_PROFILES}.")
    else:
        ranks = rank_intervals({name: _by_profile(v, clusters) for name, v in values.items()})
    return Comparison(column, pairs, ranks, tuple(notes))


def _default(run: Run) -> str:
    for column in run.summary["columns"]:
        if column["headline"] and not column["curve_of"]:
            return str(column["name"])
    raise UsageError(f"{run.path} has no column to compare")


def _values(runs: Sequence[Run], column: str) -> dict[str, dict[str, float]]:
    values = {}
    for run in runs:
        for candidate in run.summary["order"]:
            cell = run.summary["rows"][candidate].get(column)
            if cell is not None and "cases" in cell and cell["mean"] is not None:
                values[candidate if len(runs) == 1 else f"{run.path.name}:{candidate}"] = cell["cases"]
    if not values:
        names = [c["name"] for c in runs[0].summary["columns"] if c["headline"] and not c["curve_of"]]
        raise UsageError(f"no run has column {column!r} for comparison; there are {', '.join(names)}")
    return values


def _by_profile(values: Mapping[str, float], clusters: Mapping[str, str]) -> dict[str, float]:
    groups: dict[str, list[float]] = {}
    for case, value in values.items():
        groups.setdefault(clusters[case], []).append(value)
    return {cluster: sum(group) / len(group) for cluster, group in groups.items()}


def _rows_unlike(one: Run, other: Run) -> Iterator[str]:
    """The terms in which the models of two runs were asked differently, and the runs' retries."""
    if (before := one.info.get("retries")) != (now := other.info.get("retries")):
        yield f"retries was {before}, now {now}"
    first = _first_model(one)
    for name in other.info["plan"]["candidates"]:
        if first and other.info["candidates"][name]["model"]:
            yield from unlike_models(one.info, first, other.info, name)


def _first_model(run: Run) -> str:
    """The first candidate that asks a model; empty if there are only controls."""
    models = (name for name in run.info["plan"]["candidates"] if run.info["candidates"][name]["model"])
    return next(models, "")


def terms(run: Run) -> dict[str, object]:
    """What two runs must share for their numbers to be comparable."""
    identity = run.info["identity"]
    parts = {name: identity[name] for name in ("protocol", "contract", "cases")}
    kinds = ("simulators/", "judges/")
    shared = {k: v for k, v in identity["components"].items() if k.startswith(kinds)}
    options = {k: v for k, v in identity["options"].items() if k.startswith(kinds)}
    return {**parts, "components": shared, "options": options}


def _unlike(runs: Sequence[Run], *, force: bool) -> list[str]:
    notes = [f"Not on the terms of the first model: {row}." for run in runs for row in unequal_rows(run.info)]
    for run in runs[1:]:
        if differences := list(dict.fromkeys((*differing(terms(runs[0]), terms(run)), *_rows_unlike(runs[0], run)))):
            sentence = f"{runs[0].path} and {run.path} differ in {'; '.join(differences[:3])}"
            if not force:
                raise UsageError(f"{sentence}; compare them with --force if that is what you want")
            notes.append(f"Unlike terms: {sentence}.")
    return notes
