"""What a matrix says of candidates whose answer is known."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matrix.grids import SKILL, fair, flattered, grid, noise, overfitted

from rlpa_bench.matrix import View, analyse
from rlpa_bench.matrix.degradation import drops
from rlpa_bench.matrix.leads import leads
from rlpa_bench.matrix.stability import agreements

# leads


def test_a_candidate_fitted_to_one_simulator_is_named_and_no_other() -> None:
    named = {(lead.candidate, lead.factor, lead.level, lead.within) for lead in leads(grid(overfitted))}
    assert named == {
        ("third", "simulator", "agenda", "rules"),
        ("third", "simulator", "agenda", "retrieval"),
    }


def test_a_candidate_good_everywhere_is_not_named() -> None:
    assert leads(grid(fair)) == []
    assert "no candidate is seen to lead" in " ".join(analyse(grid(fair)).notes)


def test_a_candidate_that_one_judge_flatters_is_named() -> None:
    named = leads(grid(flattered))
    assert {(lead.candidate, lead.factor, lead.level, lead.within) for lead in named} == {
        ("fourth", "judge", "rules", "agenda"),
        ("fourth", "judge", "rules", "reciprocal"),
    }
    assert all(lead.clear for lead in named)


def test_a_lead_within_the_noise_is_not_named() -> None:
    def near(candidate: str, simulator: str, judge: str, profile: int) -> float:
        small = 0.3 * (candidate == "other") * (1 if simulator == "agenda" else -1)
        return 50 + small + 4 * noise(candidate, simulator, judge, profile)

    assert leads(grid(near, candidates=("steady", "other"))) == []


def test_of_two_candidates_that_change_places_both_are_named() -> None:
    found = leads(grid(overfitted, candidates=("steady", "third"), judges=("rules",)))
    assert {(lead.candidate, lead.level) for lead in found} == {("third", "agenda"), ("steady", "reciprocal")}


def test_equal_candidates_have_no_leader() -> None:
    assert leads(grid(lambda candidate, simulator, judge, profile: 50.0)) == []


def test_one_simulator_or_one_profile_names_nobody() -> None:
    assert [lead for lead in leads(grid(overfitted, simulators=("agenda",))) if lead.factor == "simulator"] == []
    assert leads(grid(overfitted, profiles=1)) == []


# degradation


def test_a_drop_is_the_paired_difference_and_the_excess_is_beside_the_others() -> None:
    found = {drop.candidate: drop for drop in drops(grid(overfitted)) if drop.judge == "rules"}
    assert {(drop.origin, drop.to) for drop in found.values()} == {("agenda", "reciprocal")}
    for name, drop in found.items():
        expected = -45 if name == "third" else -10
        assert drop.difference.low < expected < drop.difference.high
        assert drop.excess is not None and drop.excess_p is not None
    third, steady = found["third"], found["steady"]
    assert third.excess is not None and steady.excess is not None
    assert third.excess.high < -30 and third.excess_p is not None and third.excess_p < 0.001
    assert steady.excess.mean == pytest.approx(0, abs=3)


def test_a_trained_candidate_is_told_apart_from_one_that_loses_as_all_do() -> None:
    for value, words in ((overfitted, "more than the others"), (fair, "no more than the others")):
        notes = analyse(grid(value, trained={"third": ("agenda",)})).notes
        assert any(note.startswith("third, trained on agenda, loses") and words in note for note in notes)
    both = analyse(grid(fair, trained={"third": ("agenda", "reciprocal")}))
    assert not any("trained on" in note for note in both.notes)


def test_alone_there_is_no_excess() -> None:
    assert [drop.excess for drop in drops(grid(fair, candidates=("steady",)))] == [None, None]


# order


def test_the_same_order_everywhere_has_tau_one_and_a_reversed_one_minus_one() -> None:
    assert all(one.tau == one.low == one.high == 1 for one in agreements(grid(fair)))

    def reversed_(candidate: str, simulator: str, judge: str, profile: int) -> float:
        return SKILL[candidate] * (1 if simulator == "agenda" else -1) + noise(candidate, simulator, judge, profile)

    found = {one.changed: one for one in agreements(grid(reversed_))}
    assert found["simulator"].tau == -1 and found["judge"].tau == 1 and found["both"].tau == -1


def test_an_order_that_is_noise_has_a_wide_interval() -> None:
    found = agreements(grid(lambda *key: 50 + 5 * noise(*key), candidates=[f"c{i}" for i in range(6)]))
    assert all(one.low is not None and one.high is not None and one.high - one.low > 0.5 for one in found)


def test_where_all_are_equal_tau_is_not_defined() -> None:
    flat = agreements(grid(lambda c, s, j, p: 50.0 if j == "rules" else fair(c, s, j, p)))
    by_views = {(one.one.judge, one.other.judge): one for one in flat}
    assert by_views["rules", "retrieval"].tau is None
    assert by_views["rules", "retrieval"].undefined == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), min_size=5, max_size=5), min_size=2, max_size=2))
def test_tau_is_that_of_scipy(values: list[list[int]]) -> None:
    from scipy.stats import kendalltau

    names = [f"c{i}" for i in range(5)]
    made = grid(lambda c, s, j, p: float(values[s == "b"][names.index(c)]), names, ("a", "b"), ("rules",), 3)
    (one,) = agreements(made, resamples=5)
    expected = kendalltau(*values).statistic
    assert one.tau is None if expected != expected else one.tau == pytest.approx(expected)


def test_too_few_candidates_have_no_order() -> None:
    assert agreements(grid(fair, candidates=("steady", "other"))) == []


def test_a_cell_that_is_missing_leaves_the_candidate_out_and_says_so() -> None:
    whole = grid(fair)
    less = {key: cell for key, cell in whole.cells.items() if key != ("fourth", View("reciprocal", "rules"))}
    part = grid(fair)
    object.__setattr__(part, "cells", less)
    assert part.whole == ("steady", "other", "third")
    analysis = analyse(part)
    assert any("fourth" in note and "not ranked" in note for note in analysis.notes)
    assert ("fourth", "rules") not in {(drop.candidate, drop.judge) for drop in analysis.drops}
    assert analysis.record()["candidates"] == ["steady", "other", "third", "fourth"]
