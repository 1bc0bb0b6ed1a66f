import json
import math
import random
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpa_bench.agreement import binary_agreement, cohen_kappa, krippendorff_alpha

JUDGE = json.loads(files("rlpa_bench").joinpath("published", "rlpa_tables.json").read_text("utf-8"))["judge_agreement"]
WEIGHTS: list[Literal["linear", "quadratic"] | None] = [None, "linear", "quadratic"]
ratings = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=40)


def test_published_judge_agreement_follows_from_its_counts() -> None:
    counts = [JUDGE[key] for key in ("true_positive", "false_positive", "false_negative", "true_negative")]
    assert sum(counts) == 300
    for name, value in binary_agreement(*counts).items():
        assert value == pytest.approx(JUDGE["printed"][name], abs=0.00051 if name != "kappa" else 0.005), name


def test_known_kappas() -> None:
    assert cohen_kappa([[20, 5], [10, 15]]) == pytest.approx(0.4)
    labels = ["yes"] * 25 + ["no"] * 25
    others = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(labels, others) == pytest.approx(0.4)
    assert cohen_kappa([1, 2, 3], [3, 2, 1], weights="quadratic") == pytest.approx(-1)
    assert cohen_kappa([[1, 1, 0], [0, 1, 0], [0, 0, 1]], weights="linear") == pytest.approx(1 - 1 / (14 / 4))


def test_undefined_shares_are_nan() -> None:
    assert math.isnan(cohen_kappa(["a", "a"], ["a", "a"]))
    assert math.isnan(binary_agreement(0, 0, 3, 4)["precision"])
    assert binary_agreement(0, 0, 3, 4)["f1"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0, 0], [0, 0]],), "no ratings"),
        (([], []), "no ratings"),
        (([[1, 2], [3]],), "not square"),
        (([1], [1, 2]), "Cannot pair 1 ratings with 2"),
        (([[3, -1], [0, 2]],), "negative"),
        ((["a"], ["b"], "linear"), "numbers"),
        (([1], [2], "cubic"), "not known"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cohen_kappa(*arguments)


@settings(deadline=None)
@given(ratings)
def test_quadratic_kappa_is_the_concordance_correlation(pairs: list[tuple[int, int]]) -> None:
    a, b = (np.array(side, float) for side in zip(*pairs, strict=True))
    spread = a.var() + b.var() + (a.mean() - b.mean()) ** 2
    kappa = cohen_kappa(a.tolist(), b.tolist(), weights="quadratic")
    if spread == 0:
        assert math.isnan(kappa)
    else:
        assert kappa == pytest.approx(2 * ((a - a.mean()) * (b - b.mean())).mean() / spread, abs=1e-9)


@settings(deadline=None)
@given(ratings, st.sampled_from(WEIGHTS), st.randoms())
def test_symmetric_in_raters_and_blind_to_order(
    pairs: list[tuple[int, int]], weights: Literal["linear", "quadratic"] | None, order: random.Random
) -> None:
    a, b = zip(*pairs, strict=True)
    expected = pytest.approx(cohen_kappa(a, b, weights), nan_ok=True)
    assert cohen_kappa(b, a, weights) == expected
    order.shuffle(pairs)
    a, b = zip(*pairs, strict=True)
    assert cohen_kappa(a, b, weights) == expected


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_linear_weights_change_nothing_for_two_labels(pairs: list[tuple[bool, bool]]) -> None:
    a, b = zip(*pairs, strict=True)
    plain = cohen_kappa(a, b)
    assert cohen_kappa(a, b, weights="linear") == pytest.approx(plain, nan_ok=True)


# Krippendorff's worked example: four observers, twelve units, ratings missing.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)
LEVELS: list[Literal["nominal", "ordinal", "interval"]] = ["nominal", "ordinal", "interval"]


@pytest.mark.parametrize(("level", "value"), list(zip(LEVELS, (0.743, 0.815, 0.849), strict=True)))
def test_alpha_of_the_worked_example(level: Literal["nominal", "ordinal", "interval"], value: float) -> None:
    assert krippendorff_alpha(zip(*OBSERVERS, strict=True), level) == pytest.approx(value, abs=0.0005)


def test_alpha_at_its_ends() -> None:
    assert krippendorff_alpha([(1, 1), (2, 2), (3, 3)]) == 1
    assert krippendorff_alpha([(1, 2), (2, 1)] * 50) == pytest.approx(-0.99)
    assert math.isnan(krippendorff_alpha([(1, 1), (1, 1)]))
    assert math.isnan(krippendorff_alpha([(1, None), (2,)]))
    with pytest.raises(ValueError, match="not known"):
        krippendorff_alpha([(1, 2)], "ratio")  # type: ignore[arg-type]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.none() | st.integers(1, 4), max_size=4), max_size=15), st.sampled_from(LEVELS), st.randoms()
)
def test_alpha_is_blind_to_order_and_to_lone_ratings(
    units: list[list[int | None]], level: Literal["nominal", "ordinal", "interval"], order: random.Random
) -> None:
    value = krippendorff_alpha(units, level)
    assert math.isnan(value) or value <= 1
    mixed = [order.sample(unit, len(unit)) for unit in units] + [[3], [None, 1]]
    order.shuffle(mixed)
    assert krippendorff_alpha(mixed, level) == pytest.approx(value, nan_ok=True)


@settings(deadline=None)
@given(ratings)
def test_alpha_of_two_raters_nears_kappa_with_pooled_margins(pairs: list[tuple[int, int]]) -> None:
    """For two raters and no gaps alpha is Scott's pi, corrected for the number of ratings."""
    n = 2 * len(pairs)
    pooled = [label for pair in pairs for label in pair]
    chance = sum((pooled.count(label) / n) ** 2 for label in set(pooled))
    agreed = sum(a == b for a, b in pairs) / len(pairs)
    value = krippendorff_alpha(pairs)
    if chance == 1:
        assert math.isnan(value)
    else:
        pi = (agreed - chance) / (1 - chance)
        assert value == pytest.approx(1 - (1 - pi) * (n - 1) / n, abs=1e-9)
