"""All that is said of a matrix, and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rlpa_bench.matrix.degradation import Drop, drops
from rlpa_bench.matrix.grid import Grid, View
from rlpa_bench.matrix.leads import ALPHA, Lead, leads
from rlpa_bench.matrix.stability import Agreement, agreements
from rlpa_bench.matrix.variance import variance_shares

FEW = 50
"""Profiles below which ranks say little (as in ``compare``)."""


@dataclass(frozen=True)
class Analysis:
    """The figures of one grid; intervals are at 95 %."""

    grid: Grid
    drops: tuple[Drop, ...]
    agreements: tuple[Agreement, ...]
    shares: Mapping[str, float]
    leads: tuple[Lead, ...]
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """As JSON: the cells with their values, and every figure; NaN is null."""
        grid = self.grid
        cells = [
            {"candidate": name, "simulator": view.simulator, "judge": view.judge, **_without_cases(cell)}
            for (name, view), cell in grid.cells.items()
        ]
        record = {
            "suite": grid.suite,
            "candidates": list(grid.candidates),
            "simulators": list(grid.simulators),
            "judges": list(grid.judges),
            "profiles": len(grid.profiles),
            "trained_on": {name: list(simulators) for name, simulators in grid.trained.items()},
            "granted": sorted(grid.granted),
            "cells": cells,
            "degradation": [asdict(drop) for drop in self.drops],
            "stability": [{**asdict(one), "changed": one.changed} for one in self.agreements],
            "variance": dict(self.shares),
            "leads only under one": [{**asdict(lead), "words": str(lead)} for lead in self.leads],
            "notes": list(self.notes),
        }
        cleaned: dict[str, Any] = _clean(record)
        return cleaned


def analyse(grid: Grid) -> Analysis:
    """Degradation, rank stability, variance shares and one-sided leads of a grid."""
    found, named = tuple(drops(grid)), tuple(leads(grid))
    agreed, shares = tuple(agreements(grid)), variance_shares(grid)
    return Analysis(grid, found, agreed, shares, named, tuple(_notes(grid, found, named)))


def _notes(grid: Grid, found: tuple[Drop, ...], named: tuple[Lead, ...]) -> list[str]:
    notes = [str(lead) for lead in named]
    for drop in found:
        if drop.trained and drop.excess is not None and drop.excess_p is not None:
            more = drop.excess_p < ALPHA and drop.excess.mean < 0
            words = f"loses {-drop.excess.mean:.1f} more than the others" if more else "loses no more than the others"
            notes.append(f"{drop.candidate}, trained on {drop.origin}, {words} under {drop.to} (judge {drop.judge})")
    if not named:
        notes.append("no candidate is seen to lead under one simulator or one judge only")
    if left := [name for name in grid.candidates if name not in grid.whole]:
        notes.append(f"not ranked across views, since some view lacks them: {', '.join(left)}")
    cases, profiles = len(grid.shared), len(grid.profiles)
    notes.append(
        f"ranks, shares and leads are of the {cases} cases of {profiles} profiles that all ranked candidates share"
    )
    if profiles < FEW:
        notes.append(f"fewer than {FEW} profiles: an order is a hint, the paired intervals are the result")
    few = [name for name in ("simulators", "judges") if len(getattr(grid, name)) < 5]
    if few:
        notes.append(f"shares of {' and '.join(few)} rest on few of them and describe these, not others")
    return notes


def _without_cases(cell: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(cell).items() if name != "cases"}


def _clean(value: Any) -> Any:
    if isinstance(value, View):
        return value._asdict()
    if isinstance(value, Mapping):
        return {key: _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
