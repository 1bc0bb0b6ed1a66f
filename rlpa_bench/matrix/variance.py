"""Where scores vary: variance components of the crossed design candidate x simulator x judge x profile.

The components are those of generalizability theory (Brennan 2001, *Generalizability Theory*, ch. 3): estimated from the
mean squares of a fully crossed random design with one value per cell, the mean over a profile's cases and seeds.
Negative estimates are set to 0. The interaction of all factors cannot be told from noise and is the residual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from rlpa_bench.matrix.grid import Grid, View

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

FACTORS = ("candidate", "simulator", "judge", "profile")


def variance_shares(grid: Grid) -> dict[str, float]:
    """Share of the variance by source: a factor, ``a x b`` for interactions, and ``residual``.

    Factors with one level are left out. Empty when nothing varies, or a view is missing in the cross of simulators and
    judges, or fewer than 2 profiles or candidates are shared.
    """
    import numpy as np

    crossed = [View(simulator, judge) for simulator in grid.simulators for judge in grid.judges]
    if set(crossed) != set(grid.views) or len(grid.whole) < 2 or len(grid.profiles) < 2:
        return {}
    values = [[list(grid.by_profile(name, view).values()) for view in crossed] for name in grid.whole]
    shape = (len(grid.whole), len(grid.simulators), len(grid.judges), len(grid.profiles))
    return shares(np.array(values).reshape(shape), FACTORS)


def shares(table: Array, factors: Sequence[str]) -> dict[str, float]:
    """The shares of a complete table whose axes are the factors."""
    kept = [axis for axis, size in enumerate(table.shape) if size > 1]
    names = [factors[axis] for axis in kept]
    found = components(table.reshape([table.shape[axis] for axis in kept]))
    total = sum(found.values())
    if not total > 0:
        return {}
    every = tuple(range(len(kept)))
    return {
        "residual" if effect == every else " x ".join(names[axis] for axis in effect): value / total
        for effect, value in found.items()
    }


def components(table: Array) -> dict[tuple[int, ...], float]:
    """Effect (the axes it is of) -> variance component, not below 0."""
    axes = tuple(range(table.ndim))
    effects = [effect for size in range(1, table.ndim + 1) for effect in combinations(axes, size)]
    squares = {effect: _mean_square(table, effect) for effect in effects}
    return {effect: max(0.0, _component(table.shape, effect, squares)) for effect in effects}


def _mean_square(table: Array, effect: tuple[int, ...]) -> float:
    """Mean square of an effect: its deviations by inclusion and exclusion of the marginal means."""
    import numpy as np

    deviation = np.zeros([size if axis in effect else 1 for axis, size in enumerate(table.shape)])
    for size in range(len(effect) + 1):
        for part in combinations(effect, size):
            others = tuple(axis for axis in range(table.ndim) if axis not in part)
            deviation = deviation + (-1) ** (len(effect) - size) * table.mean(axis=others, keepdims=True)
    freedom = np.prod([table.shape[axis] - 1 for axis in effect])
    return float((deviation**2).sum() * table.size / deviation.size / freedom)


def _component(shape: Sequence[int], effect: tuple[int, ...], squares: Mapping[tuple[int, ...], float]) -> float:
    above = {other: square for other, square in squares.items() if set(effect) <= set(other)}
    total = sum((-1) ** (len(other) - len(effect)) * square for other, square in above.items())
    cells = 1
    for axis, size in enumerate(shape):
        cells *= 1 if axis in effect else size
    return float(total / cells)
