"""Variance shares of tables whose sources are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matrix.grids import fair, grid

from rlpa_bench.matrix.variance import FACTORS, components, shares, variance_shares

SHAPE = (4, 3, 2, 12)


def effect(axes: tuple[int, ...], seed: int = 1, size: float = 1.0) -> np.ndarray:
    """Random values that depend on these axes alone."""
    shape = [n if axis in axes else 1 for axis, n in enumerate(SHAPE)]
    return np.broadcast_to(size * np.random.default_rng(seed).normal(size=shape), SHAPE)


@pytest.mark.parametrize("axis", range(4))
def test_all_of_the_variance_is_of_its_one_source(axis: int) -> None:
    assert shares(effect((axis,)), FACTORS)[FACTORS[axis]] == pytest.approx(1)


def test_an_interaction_is_named() -> None:
    drawn = effect((0, 1))
    pure = drawn - drawn.mean(0, keepdims=True) - drawn.mean(1, keepdims=True) + drawn.mean((0, 1), keepdims=True)
    assert shares(pure, FACTORS)["candidate x simulator"] == pytest.approx(1)


def test_noise_is_residual() -> None:
    found = shares(effect((0, 1, 2, 3)), FACTORS)
    assert found["residual"] > 0.8


def test_components_are_recovered_on_average() -> None:
    drawn = [components(effect((0,), s, 2.0) + effect((0, 1, 2, 3), s + 1000)) for s in range(200)]
    assert np.mean([one[0,] for one in drawn]) == pytest.approx(4, rel=0.15)
    assert np.mean([one[0, 1, 2, 3] for one in drawn]) == pytest.approx(1, rel=0.05)


def test_nothing_varies() -> None:
    assert shares(np.full(SHAPE, 3.0), FACTORS) == {}


def test_a_factor_of_one_level_is_left_out() -> None:
    found = variance_shares(grid(fair, simulators=("agenda",), judges=("rules",)))
    assert set(found) == {"candidate", "profile", "residual"}
    assert found["candidate"] > 0.8


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 100), st.floats(-50, 50))
def test_shares_add_up_and_know_no_unit(seed: int, scale: float, shift: float) -> None:
    table = effect((0, 1, 2, 3), seed) + effect((3,), seed + 1) + effect((0, 2), seed + 2)
    found, other = shares(table, FACTORS), shares(scale * table + shift, FACTORS)
    assert sum(found.values()) == pytest.approx(1)
    assert all(value >= 0 for value in found.values())
    assert found == pytest.approx(other, abs=1e-6)
