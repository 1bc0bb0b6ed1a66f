"""Rollouts wait for users and judges no longer than they must; measured on a clock that jumps, so it is exact."""

from __future__ import annotations

import pytest
from rollout_schemes import LATENCY, SAMPLES, jumping, ours, released


def test_three_times_as_many_turns_as_the_released_scheme_and_near_the_latency_bound() -> None:
    """The recipe's 256 calls at a time against the released 16 and 64 threads, on the same work."""
    users, turns, batch, calls = 32, 3, 32, 64
    theirs = jumping(released(users, turns, batch))
    mine = jumping(ours(users, turns, batch, calls, calls))
    judged, asked = users // batch * turns, users // batch * (turns - 1)  # nobody is asked after the last turn
    assert theirs == pytest.approx(judged * batch * SAMPLES / 16 * LATENCY + asked * LATENCY)
    assert theirs / mine >= 3
    bound = judged * batch * SAMPLES / calls * LATENCY
    assert bound <= mine <= bound + asked * LATENCY


def test_with_equal_limits_the_users_answer_while_others_are_judged() -> None:
    """Then only overlapping is left to gain: no step waits for its users as a whole."""
    users, turns, batch = 32, 3, 16
    theirs = jumping(released(users, turns, batch))
    mine = jumping(ours(users, turns, batch, 16, 64))
    judging = users // batch * turns * (batch * SAMPLES / 16 * LATENCY)
    assert judging <= mine < theirs
