import json
import math
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import linregress

from rlpa_bench.alignment import (
    average,
    improvement_rate,
    normalized_alignment,
    normalized_improvement_rate,
    normalized_r_squared,
    r_squared,
)

PUBLISHED = json.loads(files("rlpa_bench").joinpath("published", "rlpa_tables.json").read_text("utf-8"))
SUMMARIES = {
    "avg": (average, 0.006),
    "n_ir": (normalized_improvement_rate, 0.0011),
    "n_r2": (normalized_r_squared, 0.0011),
}
ROWS = [
    pytest.param(row, key, id=f"{table}-{name}-{key}")
    for table, content in PUBLISHED["tables"].items()
    for name, row in content["rows"].items()
    for key in row["follows"]
]
curves = st.lists(st.integers(0, 1000), min_size=2, max_size=30).map(lambda al: [v / 10 for v in al])
varied = curves.filter(lambda al: len(set(al)) > 1)


@pytest.mark.parametrize(("row", "key"), ROWS)
def test_published_summary_follows_from_its_curve_or_is_marked(row: dict[str, Any], key: str) -> None:
    function, tolerance = SUMMARIES[key]
    error = abs(function(row["al"]) - row[key])
    assert (error <= tolerance + 1e-9) == row["follows"][key], f"off by {error}"


def test_published_tables_hold_every_row_and_name_what_does_not_follow() -> None:
    tables = {name: content["rows"] for name, content in PUBLISHED["tables"].items()}
    assert {name: len(rows) for name, rows in tables.items()} == {
        "table_1_vanilla": 13,
        "table_1_extended": 13,
        "table_5": 13,
        "table_2": 3,
    }
    broken = {
        name: {row for row, values in rows.items() if not all(values["follows"].values())}
        for name, rows in tables.items()
    }
    assert broken["table_1_vanilla"] == {"Qwen2.5-3B DPO"}
    assert broken["table_1_extended"] == set(tables["table_5"]) - {"Qwen2.5-3B Base"}
    assert not broken["table_2"]
    assert not broken["table_5"]
    assert all(len(row["al"]) == 10 for rows in tables.values() for row in rows.values())
    assert "2505.15456" in PUBLISHED["source"]


def test_known_line() -> None:
    assert improvement_rate([1, 3, 5, 7]) == pytest.approx(2)
    assert normalized_improvement_rate([1, 3, 5, 7]) == pytest.approx(1 / 3)
    assert r_squared([1, 3, 5, 7]) == pytest.approx(1)
    assert normalized_alignment([4, 2, 6]) == [0.5, 0, 1]
    assert r_squared([0, 1, 0]) == 0


@pytest.mark.parametrize("constant", [[0.0, 0, 0], [0.1] * 7, [0.3, 0.1 + 0.2, 0.3]])
def test_constant_curve_has_no_normalised_figures(constant: list[float]) -> None:
    assert math.isnan(r_squared(constant))
    assert math.isnan(normalized_r_squared(constant))
    assert math.isnan(normalized_improvement_rate(constant))
    assert all(map(math.isnan, normalized_alignment(constant)))
    assert improvement_rate(constant) == pytest.approx(0)
    assert average(constant) == pytest.approx(constant[0])


@pytest.mark.parametrize(
    ("function", "shortest"),
    [
        (average, 1),
        (normalized_alignment, 1),
        (improvement_rate, 2),
        (r_squared, 2),
        (normalized_improvement_rate, 2),
        (normalized_r_squared, 2),
    ],
)
def test_too_short_or_unscored_curves_are_refused(function: Any, shortest: int) -> None:
    with pytest.raises(ValueError, match=f"at least {shortest}"):
        function([1.0] * (shortest - 1))
    with pytest.raises(ValueError, match="not finite"):
        function([1.0, math.nan, 2.0])
    function(list(range(shortest)))


@settings(deadline=None)
@given(varied)
def test_agrees_with_scipy_regression(al: list[float]) -> None:
    fit = linregress(range(1, len(al) + 1), al)
    assert improvement_rate(al) == pytest.approx(fit.slope, abs=1e-9)
    assert r_squared(al) == pytest.approx(fit.rvalue**2, abs=1e-9)
    assert normalized_improvement_rate(al) == pytest.approx(improvement_rate(normalized_alignment(al)))


@settings(deadline=None)
@given(varied, st.floats(0.01, 100), st.floats(-1000, 1000))
def test_normalised_figures_ignore_scale_and_origin(al: list[float], scale: float, origin: float) -> None:
    moved = [scale * value + origin for value in al]
    assert normalized_improvement_rate(moved) == pytest.approx(normalized_improvement_rate(al), abs=1e-6)
    assert r_squared(moved) == pytest.approx(r_squared(al), abs=1e-6)
    assert r_squared([-value for value in al]) == pytest.approx(r_squared(al), abs=1e-9)
    assert improvement_rate(moved) == pytest.approx(scale * improvement_rate(al), abs=1e-6)


@settings(deadline=None)
@given(curves)
def test_reversing_a_curve_negates_its_slopes(al: list[float]) -> None:
    assert improvement_rate(al[::-1]) == pytest.approx(-improvement_rate(al), abs=1e-9)
    assert average(al[::-1]) == average(al)


@settings(deadline=None)
@given(varied)
def test_ranges(al: list[float]) -> None:
    normalized = normalized_alignment(al)
    assert (min(normalized), max(normalized)) == (0, 1)
    assert 0 <= r_squared(al) <= 1
    assert abs(normalized_improvement_rate(al)) <= 1
