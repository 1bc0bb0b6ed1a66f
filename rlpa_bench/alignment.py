"""Summaries of an alignment curve AL(1), ..., AL(K): the mean verdict at each turn k, on any scale.

RLPA (arXiv 2505.15456), section 4.1 and appendix C.3, after ALOE (arXiv 2410.03642). AVG is `average`,
N-IR is `normalized_improvement_rate` and N-R2 is `normalized_r_squared`; the min-max form of N-AL reproduces
every N-IR and N-R2 of RLPA's Tables 1 (Vanilla) and 2 from the curves printed beside them.

A curve that is constant (up to rounding) has no N-AL, so N-AL, N-IR and R-squared are then `math.nan`.
An empty curve, one that is too short, or one that holds a value that is not finite raises ValueError.
"""

import math
from collections.abc import Sequence

_ROUNDING = 1e-12  # a range below this share of the largest value is the noise of adding floats


def average(al: Sequence[float]) -> float:
    """AVG: the mean of AL(1..K), K >= 1, in the unit of `al`."""
    return math.fsum(_checked(al, 1)) / len(al)


def normalized_alignment(al: Sequence[float]) -> list[float]:
    """N-AL(k) = (AL(k) - min AL) / (max AL - min AL), K >= 1; all `math.nan` when the curve is constant."""
    curve = _checked(al, 1)
    low, span = _span(curve)
    return [(value - low) / span for value in curve] if span else [math.nan] * len(curve)


def improvement_rate(al: Sequence[float]) -> float:
    """IR: the least-squares slope of AL(k) on k = 1..K, K >= 2, units of `al` per turn; 0 if constant."""
    return _slope(_checked(al, 2))


def r_squared(al: Sequence[float]) -> float:
    """Share of the variance of AL(k) that the line fitted on k = 1..K explains, K >= 2; nan when constant."""
    curve = _checked(al, 2)
    low, span = _span(curve)
    if not span:
        return math.nan
    scaled = [(value - low) / span for value in curve]
    mean = math.fsum(scaled) / len(scaled)
    explained = _slope(scaled) ** 2 * _spread(len(scaled))
    return min(1.0, explained / math.fsum((value - mean) ** 2 for value in scaled))


def normalized_improvement_rate(al: Sequence[float]) -> float:
    """N-IR: the least-squares slope of N-AL(k) on k = 1..K, K >= 2, per turn; nan when constant.

    It has no scale: a rise of one point counts as much as a rise of eighty.
    """
    curve = _checked(al, 2)
    _, span = _span(curve)
    return _slope(curve) / span if span else math.nan


def normalized_r_squared(al: Sequence[float]) -> float:
    """N-R2: R-squared of the fit to N-AL, equal to `r_squared(al)`, which no linear rescaling changes."""
    return r_squared(al)


def _checked(al: Sequence[float], shortest: int) -> Sequence[float]:
    if len(al) < shortest:
        raise ValueError(f"The alignment curve has {len(al)} turn(s): give AL for at least {shortest}.")
    if not all(map(math.isfinite, al)):
        raise ValueError("The alignment curve holds a value that is not finite: pool scored turns only.")
    return al


def _span(curve: Sequence[float]) -> tuple[float, float]:
    """The minimum, and the distance to the maximum: 0 when that is only rounding."""
    low, high = min(curve), max(curve)
    return low, (high - low if high - low > _ROUNDING * max(abs(low), abs(high)) else 0.0)


def _spread(turns: int) -> float:
    """Sum of squared deviations of 1..turns from their mean."""
    return turns * (turns * turns - 1) / 12


def _slope(curve: Sequence[float]) -> float:
    centre = (len(curve) - 1) / 2
    return math.fsum((k - centre) * value for k, value in enumerate(curve)) / _spread(len(curve))
