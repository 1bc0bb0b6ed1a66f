"""The arithmetic below `rlpa_bench.statistics`: exact sums, grouping, t intervals, ICC."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

_ROUNDING = 1e-12  # a difference below this share of its operands is the noise of adding floats


def exact_mean(values: Iterable[float]) -> float:
    held = list(values)
    return math.fsum(held) / len(held)


def checked(value: float | None, where: str) -> float:
    if value is None or not math.isfinite(value):
        raise ValueError(f"The value of {where} is {value}: drop missing values first, and count them.")
    return float(value)


def check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence} is not between 0 and 1: say 0.95 for 95 %.")


def grouped(values: Sequence[float], clusters: Sequence[Hashable] | None) -> dict[Hashable, list[float]]:
    labels = range(len(values)) if clusters is None else clusters
    if len(values) != len(labels):
        raise ValueError(f"There are {len(values)} values and {len(labels)} clusters: name the cluster of each value.")
    if len(values) == 0:
        raise ValueError("There is no value to average: give at least one.")
    groups: dict[Hashable, list[float]] = defaultdict(list)
    for label, value in zip(labels, values, strict=True):
        groups[label].append(checked(value, f"cluster {label!r}"))
    return groups


def cluster_means(
    values: Mapping[Any, float] | Sequence[float], clusters: Sequence[Hashable] | None = None
) -> dict[Hashable, float]:
    if not isinstance(values, Mapping):
        return {key: exact_mean(group) for key, group in grouped(values, clusters).items()}
    if clusters is not None:
        raise ValueError("A mapping names its clusters already: leave `clusters` out.")
    if not values:
        raise ValueError("There is no cluster to average: give at least one.")
    return {key: checked(value, f"cluster {key!r}") for key, value in values.items()}


def squares(values: Sequence[float]) -> float:
    """Sum of squared deviations from the mean."""
    centre = exact_mean(values)
    return math.fsum((value - centre) ** 2 for value in values)


def t_interval(means: Sequence[float], confidence: float) -> tuple[float, float, float]:
    """Mean, standard error and half width of the t interval; the last two are NaN for one value."""
    from scipy.special import stdtrit

    check_confidence(confidence)
    count = len(means)
    if count < 2:
        return exact_mean(means), math.nan, math.nan
    se = math.sqrt(squares(means) / (count - 1) / count)
    return exact_mean(means), se, se * float(stdtrit(count - 1, (1 + confidence) / 2))


def intraclass_correlation(groups: Sequence[Sequence[float]]) -> float:
    """ICC(1) by one-way ANOVA, unequal sizes allowed, clipped to 0..1; NaN where it is not defined."""
    count, values = len(groups), [value for group in groups for value in group]
    if not 1 < count < len(values) or max(values) - min(values) <= _ROUNDING * max(map(abs, values)):
        return math.nan
    inside = math.fsum(squares(group) for group in groups)
    within, between = inside / (len(values) - count), (squares(values) - inside) / (count - 1)
    size = (len(values) - math.fsum(len(group) ** 2 for group in groups) / len(values)) / (count - 1)
    return min(1.0, max(0.0, (between - within) / (between + (size - 1) * within)))


def difference(one: float, two: float) -> float:
    return one - two if abs(one - two) > _ROUNDING * max(abs(one), abs(two)) else 0.0


def p_value(mean: float, se: float, count: int) -> float:
    """Two-sided p-value of a t-test of mean 0; NaN for one value."""
    from scipy.special import stdtr

    if count < 2:
        return math.nan
    if se == 0:
        return 1.0 if mean == 0 else 0.0
    return 2 * float(stdtr(count - 1, -abs(mean / se)))


def correlation(one: Sequence[float], two: Sequence[float]) -> float:
    """Pearson's r; NaN where one side does not vary."""
    scale = math.sqrt(squares(one)) * math.sqrt(squares(two))
    mean_one, mean_two = exact_mean(one), exact_mean(two)
    shared = math.fsum((x - mean_one) * (y - mean_two) for x, y in zip(one, two, strict=True))
    return max(-1.0, min(1.0, shared / scale)) if scale else math.nan
