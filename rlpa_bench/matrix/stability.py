"""Does the order of the candidates stay when the user or the judge is another? Kendall's tau between two views."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from rlpa_bench.matrix.grid import Grid, View
from rlpa_bench.randomness import Draws

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

RESAMPLES = 1000
CONFIDENCE = 0.95
TIED = 1e-9
"""Means nearer than this are equal."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Kendall's tau-b of the candidates' means in two views, with its interval over profiles."""

    one: View
    other: View
    tau: float | None
    """1 is the same order, -1 the reversed one; None where all candidates of a view are equal."""
    low: float | None
    high: float | None
    undefined: float
    """Share of the resamples in which tau is not defined; they are left out of the interval."""

    @property
    def changed(self) -> str:
        """What differs between the views: ``simulator``, ``judge`` or ``both``."""
        if self.one.judge == self.other.judge:
            return "simulator"
        return "judge" if self.one.simulator == self.other.simulator else "both"


def agreements(grid: Grid, resamples: int = RESAMPLES) -> list[Agreement]:
    """Every two views; none with fewer than 3 candidates that all views know, or 2 profiles.

    The interval is the percentile bootstrap over profiles, all views and candidates resampled together.
    """
    import numpy as np

    names, profiles = grid.whole, grid.profiles
    if len(names) < 3 or len(profiles) < 2:
        return []
    weights = _weights(len(profiles), resamples)
    signs: dict[View, tuple[Array, Array]] = {}
    for view in grid.views:
        values = [grid.by_profile(name, view) for name in names]
        table = np.array([[means[profile] for profile in profiles] for means in values])
        whole = np.ones((1, len(profiles))) / len(profiles)
        signs[view] = _signs(whole @ table.T), _signs(weights @ table.T)
    return [_agreement(one, other, signs[one], signs[other]) for one, other in combinations(grid.views, 2)]


def _weights(profiles: int, resamples: int) -> Array:
    """How often each profile is drawn, as a share: (resamples, profiles)."""
    import numpy as np

    draws = Draws("matrix", "bootstrap", profiles)
    drawn = [[draws.below(profiles) for _ in range(profiles)] for _ in range(resamples)]
    return np.array([np.bincount(row, minlength=profiles) for row in drawn]) / profiles


def _signs(means: Array) -> Array:
    """Who is ahead in each pair of candidates: (rows, pairs) of -1, 0 and 1."""
    import numpy as np

    one, other = np.triu_indices(means.shape[1], 1)
    gaps = means[:, one] - means[:, other]
    return np.sign(np.where(np.abs(gaps) <= TIED, 0.0, gaps))


def _tau(one: Array, other: Array) -> Array:
    """Kendall's tau-b by row; NaN where a side is all ties."""
    import numpy as np

    untied = np.sqrt(np.abs(one).sum(axis=1) * np.abs(other).sum(axis=1))
    with np.errstate(invalid="ignore"):
        taus: Array = (one * other).sum(axis=1) / untied
    return taus


def _agreement(one: View, other: View, first: tuple[Array, Array], second: tuple[Array, Array]) -> Agreement:
    import numpy as np

    tau = float(_tau(first[0], second[0])[0])
    drawn = _tau(first[1], second[1])
    known = drawn[np.isfinite(drawn)]
    undefined = 1 - len(known) / len(drawn)
    if not (np.isfinite(tau) and len(known)):
        return Agreement(one, other, tau if np.isfinite(tau) else None, None, None, undefined)
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Agreement(one, other, tau, float(low), float(high), undefined)
