import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rlpa_bench.alignment import average
from rlpa_bench.statistics import (
    Estimate,
    RankInterval,
    clustered_mean,
    holm,
    paired_difference,
    rank_intervals,
    smallest_detectable_difference,
    wilson_interval,
)

SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
TURNS = 10
samples = st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 5)), min_size=1, max_size=40)
relaxed = settings(deadline=None, max_examples=60)


def flat(groups: Sequence[Sequence[float]]) -> tuple[list[float], list[int]]:
    return [v for g in groups for v in g], [c for c, g in enumerate(groups) for _ in g]


def same(one: Estimate, two: Estimate) -> bool:
    return repr(one) == repr(two)  # NaN is not equal to itself


def turns(generator: np.random.Generator, profiles: int, icc: float = 0.25) -> npt.NDArray[np.float64]:
    """Turns (profiles, TURNS) with mean 0, variance 1 and the given intraclass correlation."""
    shared = generator.normal(0, math.sqrt(icc), (profiles, 1))
    return shared + generator.normal(0, math.sqrt(1 - icc), (profiles, TURNS))


def test_clustered_mean_is_the_t_interval_of_the_cluster_means() -> None:
    values, clusters = flat([[1, 2, 3], [4], [5, 9], [0, 1]])
    estimate = clustered_mean(values, clusters)
    reference = stats.ttest_1samp([2, 4, 7, 0.5], 0).confidence_interval(0.95)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(reference))
    assert estimate.mean == pytest.approx(3.375)
    assert estimate.se == pytest.approx(stats.sem([2, 4, 7, 0.5]))
    assert (estimate.n, estimate.clusters) == (8, 4)


def test_published_intraclass_correlation() -> None:
    """Shrout and Fleiss 1979, Table 4: ICC(1,1) = .17."""
    estimate = clustered_mean(*flat(SHROUT_FLEISS))
    assert estimate.icc == pytest.approx(0.17, abs=0.005)
    assert estimate.design_effect == pytest.approx(1 + 3 * estimate.icc)
    assert estimate.n_effective == pytest.approx(24 / estimate.design_effect)


def test_equal_clusters_give_the_published_clustered_error() -> None:
    """Miller 2024 (arXiv 2411.00640): SE^2 = C/(C-1) sum_c (sum_i (s_i - mean))^2 / n^2."""
    values = np.array(SHROUT_FLEISS, float)
    sums = (values - values.mean()).sum(axis=1)
    expected = math.sqrt(6 / 5 * (sums**2).sum() / values.size**2)
    assert clustered_mean(*flat(SHROUT_FLEISS)).se == pytest.approx(expected)


def test_averaged_values_are_clusters_of_their_own() -> None:
    estimate = clustered_mean([1.0, 2, 4])
    assert (estimate.clusters, estimate.design_effect, estimate.n_effective) == (3, 1, 3)
    assert math.isnan(estimate.icc)


@pytest.mark.parametrize(("values", "clusters"), [([1.0, 2], ["a", "a"]), ([1.0], None)])
def test_one_cluster_has_no_interval(values: list[float], clusters: list[str] | None) -> None:
    estimate = clustered_mean(values, clusters)
    assert estimate.mean == average(values)
    assert all(math.isnan(v) for v in (estimate.se, estimate.low, estimate.high, estimate.icc))


def test_values_that_do_not_vary_have_no_intraclass_correlation() -> None:
    estimate = clustered_mean([0.1] * 9, [1, 1, 1, 2, 2, 2, 3, 3, 3])
    assert math.isnan(estimate.icc)
    assert estimate.high - estimate.low < 1e-12


@pytest.mark.parametrize(
    ("values", "clusters", "message"),
    [
        ([], None, "no value"),
        ([1.0, math.nan], None, "drop missing values"),
        ([1.0, None], None, "drop missing values"),
        ([1.0, 2.0], ["a"], "name the cluster"),
    ],
)
def test_clustered_mean_refuses(values: list[float], clusters: list[str] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clustered_mean(values, clusters)
    with pytest.raises(ValueError, match=message):
        paired_difference(values, values, clusters)


def test_confidence_must_be_a_share() -> None:
    with pytest.raises(ValueError, match="confidence=95"):
        clustered_mean([1.0, 2], confidence=95)


@pytest.mark.parametrize("profiles", [20, 50])
def test_interval_covers_the_truth(profiles: int) -> None:
    generator, repetitions = np.random.default_rng(1), 1500
    clusters = np.repeat(range(profiles), TURNS).tolist()
    covered, icc = 0, []
    for _ in range(repetitions):
        estimate = clustered_mean(turns(generator, profiles).ravel().tolist(), clusters)
        covered += estimate.low <= 0 <= estimate.high
        icc.append(estimate.icc)
    assert 0.93 <= covered / repetitions <= 0.97
    assert np.mean(icc) == pytest.approx(0.25, abs=0.02)


@relaxed
@given(samples, st.randoms())
def test_interval_contains_the_mean_and_ignores_order(pairs: list[tuple[int, int]], order: random.Random) -> None:
    values, clusters = zip(*pairs, strict=True)
    estimate = clustered_mean(values, clusters)
    order.shuffle(pairs)
    values, clusters = zip(*pairs, strict=True)
    assert same(clustered_mean(values, clusters), estimate)
    if estimate.clusters > 1:
        assert estimate.low <= estimate.mean <= estimate.high
    assert math.isnan(estimate.icc) or 0 <= estimate.icc <= 1


def test_paired_difference_is_the_paired_t_test() -> None:
    a, b = [3.0, 5, 4, 8, 1], [2.5, 3, 4.5, 6, 0]
    result, reference = paired_difference(a, b), stats.ttest_rel(a, b)
    assert result.p_value == pytest.approx(reference.pvalue)
    assert (result.low, result.high) == pytest.approx(tuple(reference.confidence_interval(0.95)))
    assert result.correlation == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert (result.clusters, result.unpaired) == (5, 0)
    named = paired_difference(dict(enumerate(a)), dict(enumerate([*b, 99.0])))
    assert (named.mean, named.p_value, named.unpaired) == (result.mean, result.p_value, 1)


def test_turns_are_averaged_inside_the_cluster_before_pairing() -> None:
    clusters = ["x", "x", "y", "z"]
    result = paired_difference([1.0, 3, 5, 2], [0.0, 0, 1, 4], clusters)
    assert result == paired_difference({"x": 2.0, "y": 5.0, "z": 2.0}, {"x": 0.0, "y": 1.0, "z": 4.0})


def test_identical_and_constant_differences() -> None:
    equal = paired_difference([0.1, 0.7, 0.3], [0.1, 0.7, 0.1 + 0.2])
    assert (equal.mean, equal.low, equal.high, equal.p_value) == (0, 0, 0, 1)
    shifted = paired_difference([2.0, 3, 4], [1.0, 2, 3])
    assert (shifted.low, shifted.high, shifted.p_value) == (1, 1, 0)
    single = paired_difference({"x": 2.0}, {"x": 1.0})
    assert single.mean == 1
    assert all(map(math.isnan, (single.se, single.p_value, single.smallest_detectable, single.correlation)))


@pytest.mark.parametrize(
    ("a", "b", "clusters", "message"),
    [
        ({"x": 1.0}, {"y": 1.0}, None, "share no cluster"),
        ([1.0, 2], [1.0], None, "Cannot pair 2 values with 1"),
        ({"x": 1.0}, {"x": 1.0}, ["x"], "leave `clusters` out"),
        ({"x": math.nan}, {"x": 1.0}, None, "cluster 'x' is nan"),
        ({}, {"x": 1.0}, None, "no cluster"),
    ],
)
def test_paired_difference_refuses(a: Any, b: Any, clusters: list[str] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paired_difference(a, b, clusters)


@relaxed
@given(st.dictionaries(st.text(max_size=3), st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=2))
def test_difference_is_antisymmetric(cells: dict[str, tuple[int, int]]) -> None:
    a, b = ({key: pair[side] / 7 for key, pair in cells.items()} for side in (0, 1))
    one, two = paired_difference(a, b), paired_difference(b, a)
    assert (one.mean, one.low, one.high) == (-two.mean, -two.high, -two.low)
    assert (one.p_value, one.se, one.correlation) == pytest.approx((two.p_value, two.se, two.correlation), nan_ok=True)
    assert one.low <= one.mean <= one.high
    assert 0 <= one.p_value <= 1


def test_holm_matches_the_worked_example() -> None:
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.04, 0.01, 0.9]) == pytest.approx([0.08, 0.03, 0.9])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_step_down_rejects(p_values: list[float]) -> None:
    adjusted, rejected = holm(p_values), set()
    for step, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if (len(p_values) - step) * p_values[index] > 0.05:
            break
        rejected.add(index)
    assert {index for index, p in enumerate(adjusted) if p <= 0.05} == rejected


def test_clear_order_gives_exact_ranks_and_ties_share_a_group() -> None:
    noise = np.random.default_rng(3).normal(0, 1, 60)
    jitter = np.random.default_rng(4).normal(0, 0.5, 60)
    scores = {
        "low": (noise - 5).tolist(),
        "top": (noise + 5).tolist(),
        "near": (noise + jitter - jitter.mean() + 0.01).tolist(),
        "middle": noise.tolist(),
    }
    ranks = rank_intervals(scores)
    assert ranks == {
        "top": RankInterval(1, 1, 1),
        "near": RankInterval(2, 3, 2),
        "middle": RankInterval(2, 3, 2),
        "low": RankInterval(4, 4, 3),
    }
    assert list(ranks) == ["top", "near", "middle", "low"]
    assert rank_intervals(scores, better="lower")["low"] == RankInterval(1, 1, 1)


@relaxed
@given(st.lists(st.integers(0, 20), min_size=50, max_size=60), st.integers(1, 5))
def test_identical_systems_share_every_rank(values: list[int], count: int) -> None:
    ranks = rank_intervals({f"s{i}": [v / 10 for v in values] for i in range(count)})
    assert set(ranks.values()) == {RankInterval(1, count, 1)}


@relaxed
@given(st.integers(0, 10**6), st.randoms())
def test_ranks_ignore_order_and_mirror_when_lower_is_better(seed: int, order: random.Random) -> None:
    drawn = np.random.default_rng(seed).normal(0, 1, (4, 12)) + np.arange(4)[:, None]
    scores = {f"s{i}": {f"p{j}": float(v) for j, v in enumerate(row)} for i, row in enumerate(drawn)}
    shuffled = {}
    for name in order.sample(list(scores), 4):
        shuffled[name] = dict(order.sample(list(scores[name].items()), 12))
    ranks = rank_intervals(scores, minimum_clusters=12)
    assert rank_intervals(shuffled, minimum_clusters=12) == ranks
    mirrored = rank_intervals(scores, better="lower", minimum_clusters=12)
    assert all((5 - r.high, 5 - r.low) == (mirrored[n].low, mirrored[n].high) for n, r in ranks.items())
    assert all(1 <= r.low <= r.high <= 4 for r in ranks.values())


def test_ranks_hold_for_all_systems_at_once() -> None:
    generator, repetitions, profiles = np.random.default_rng(5), 300, 50
    truth = np.array([0.0, 0.05, 0.1, 0.3, 0.35, 0.8])
    right = 0
    for _ in range(repetitions):
        shared = generator.normal(0, 0.4, profiles)
        means = truth[:, None] + shared + generator.normal(0, 0.3, (len(truth), profiles))
        ranks = rank_intervals({str(i): row.tolist() for i, row in enumerate(means)})
        right += all(ranks[str(i)].low <= len(truth) - i <= ranks[str(i)].high for i in range(len(truth)))
    assert right / repetitions >= 0.94


def test_ranks_of_equal_systems_are_seldom_separated() -> None:
    generator, repetitions = np.random.default_rng(6), 300
    right = 0
    for _ in range(repetitions):
        ranks = rank_intervals({str(i): generator.normal(0, 1, 50).tolist() for i in range(5)})
        right += set(ranks.values()) == {RankInterval(1, 5, 1)}
    assert 0.93 <= right / repetitions <= 0.99


def test_ranks_need_fifty_shared_clusters() -> None:
    scores = {"a": [float(v) for v in range(49)], "b": [float(v % 7) for v in range(49)]}
    with pytest.raises(ValueError, match="at least 50 clusters, and a and b have 49"):
        rank_intervals(scores)
    with pytest.raises(ValueError, match="at least 50 clusters, and a have 49"):
        rank_intervals({"a": scores["a"]})
    assert set(rank_intervals(scores, minimum_clusters=49)) == {"a", "b"}
    with pytest.raises(ValueError, match="at least 2"):
        rank_intervals({"a": [1.0], "b": [2.0]}, minimum_clusters=1)
    with pytest.raises(ValueError, match="no system"):
        rank_intervals({})
    with pytest.raises(ValueError, match="'best' is not known"):
        rank_intervals(scores, better="best")  # type: ignore[arg-type]


@pytest.mark.parametrize("clusters", [10, 20, 50, 400])
def test_smallest_detectable_difference_has_its_power(clusters: int) -> None:
    difference = smallest_detectable_difference(2.0, clusters)
    shift, critical = difference / 2 * math.sqrt(clusters), stats.t.ppf(0.975, clusters - 1)
    assert stats.nct.sf(critical, clusters - 1, shift) == pytest.approx(0.8, abs=0.01)


def test_smallest_detectable_difference_tends_to_the_normal_formula() -> None:
    assert smallest_detectable_difference(0.65, 83) == pytest.approx(0.2, rel=0.02)
    assert smallest_detectable_difference(1, 10**6) == pytest.approx(2.8016e-3, rel=1e-4)
    assert math.isnan(smallest_detectable_difference(1, 1))
    with pytest.raises(ValueError, match="power=80"):
        smallest_detectable_difference(1, 20, power=80)


@relaxed
@given(st.integers(1, 200), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_interval_agrees_with_scipy(n: int, share: float, confidence: float) -> None:
    successes = round(share * n)
    reference = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert wilson_interval(successes, n, confidence) == pytest.approx(tuple(reference), abs=1e-12)


def test_wilson_interval_widens_with_the_design_effect() -> None:
    assert wilson_interval(20, 100, design_effect=4) == pytest.approx(wilson_interval(5, 25))
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10)[1] == 1
    for bad in [(1, 0, 1.0), (3, 2, 1.0), (1, 2, 0.5), (1, 2, math.nan)]:
        with pytest.raises(ValueError, match="is no share"):
            wilson_interval(bad[0], bad[1], design_effect=bad[2])
