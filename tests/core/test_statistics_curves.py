import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rlpa_bench.alignment import average, improvement_rate, normalized_improvement_rate
from rlpa_bench.statistics import Estimate, clustered_mean, jackknife_curve

TURNS = 10


def same(one: Estimate, two: Estimate) -> bool:
    return repr(one) == repr(two)  # NaN is not equal to itself


def turns(generator: np.random.Generator, profiles: int, icc: float = 0.25) -> npt.NDArray[np.float64]:
    """Turns (profiles, TURNS) with mean 0, variance 1 and the given intraclass correlation."""
    shared = generator.normal(0, math.sqrt(icc), (profiles, 1))
    return shared + generator.normal(0, math.sqrt(1 - icc), (profiles, TURNS))


@pytest.mark.parametrize("function", [improvement_rate, normalized_improvement_rate])
def test_curve_intervals_cover_the_slope(function: Any) -> None:
    generator, repetitions, covered = np.random.default_rng(8), 200, 0
    truth = np.linspace(1, 4, TURNS)
    for _ in range(repetitions):
        estimate = jackknife_curve(dict(enumerate((truth + turns(generator, 50)).tolist())), function)
        covered += estimate.low <= function(truth.tolist()) <= estimate.high
    assert 0.92 <= covered / repetitions <= 0.99


def test_jackknife_of_the_average_is_the_clustered_interval() -> None:
    values = turns(np.random.default_rng(9), 30)
    curves = {f"p{i}": row.tolist() for i, row in enumerate(values)}
    estimate, reference = jackknife_curve(curves, average), clustered_mean(values.mean(axis=1).tolist())
    assert (estimate.mean, estimate.se, estimate.low, estimate.high) == pytest.approx(
        (reference.mean, reference.se, reference.low, reference.high)
    )
    assert same(jackknife_curve(dict(reversed(curves.items())), average), estimate)


def test_jackknife_says_where_it_has_no_value() -> None:
    lone = jackknife_curve({"a": [1.0, 2.0], "b": [2.0]}, average)
    assert (lone.mean, lone.undefined) == (1.75, 1)  # without "a" nothing is known at k=2
    assert math.isnan(lone.se)
    assert math.isnan(jackknife_curve({"a": [1.0, 2.0]}, average).se)
    assert math.isnan(jackknife_curve({"a": [1.0, 1.0], "b": [2.0, 2.0]}, normalized_improvement_rate).low)


def test_cells_may_be_sums_means_or_missing() -> None:
    pooled = jackknife_curve({"a": [(6, 2), None, 1.0], "b": [1.0, (4.0, 1)], "c": [(0, 0), 2]}, average)
    assert pooled.mean == pytest.approx((2 + 3 + 1) / 3)
    assert pooled.n == 5
    assert pooled.undefined == 1  # only "a" has k=3


def test_jackknife_refuses() -> None:
    with pytest.raises(ValueError, match="no curve"):
        jackknife_curve({}, average)
    with pytest.raises(ValueError, match="No cluster has a value at k=2"):
        jackknife_curve({"a": [1.0, None, 3.0]}, average)
    with pytest.raises(ValueError, match="cluster 'a' at k=2 is nan"):
        jackknife_curve({"a": [1.0, math.nan]}, average)
