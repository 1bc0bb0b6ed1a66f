"""Cells against sums done by hand, and the two timelines: what was disclosed, and what holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from toys import case, reply

from rlpa_bench.alignment import improvement_rate
from rlpa_bench.errors import UsageError
from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Part, Record, Value
from rlpa_bench.summary import records, summarise
from rlpa_bench.types import (
    Case,
    Change,
    Dialogue,
    Gold,
    Item,
    Output,
    Profile,
    Score,
    Session,
    State,
    Turn,
    Utterance,
    ledger,
)

JUDGES = {"asks": JudgeInfo("asks", "turn", {"asks": Part()}, alignment="asks")}


class Hundred(Metric):
    """A judge's part x 100, its slope over turns, and one value per dialogue."""

    name = "hundred"

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [
            Column("AL", low=0, high=100, by_turn=True, headline=True),
            Column("slope", curve_of="AL", curve=improvement_rate),
            Column("turns", low=0, high=10),
            Column("free"),
            Column("never", low=0, high=1),
        ]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for turn, value, reason, defined in record.verdicts("asks", "asks"):
            yield Value("AL", turn, None if value is None else 100 * value, reason, defined)
            yield Value("free", turn, value, reason, defined)
        yield Value("turns", None, float(len(record.dialogue.turns)))
        yield Value("never", None, None, "not defined", planned=False)


def turn(index: int, user: Utterance | None = None) -> Turn:
    return Turn(index, 0, user or Utterance("Hello"), Output(reply("Hi?")), (), "Hi?")


def record(
    values: Sequence[float | str | None], *, cluster: str = "p", name: str = "c", seed: int = 0, planned: int = 0,
    ended: str = "schedule", candidate: str = "m",
) -> Record:  # fmt: skip
    """A dialogue with one verdict a turn: a number, a status, or None for a turn nobody has judged."""
    turns = tuple(turn(i) for i in range(1, len(values) + 1))
    dialogue = Dialogue(candidate, name, seed, turns, planned or len(turns), ended)
    scores: dict[int | None, list[Score]] = {}
    for index, value in enumerate(values, 1):
        if value is not None:
            number = value if isinstance(value, float) else None
            status, _, reason = ("scored" if number is not None else str(value)).partition(": ")
            scores[index] = [Score(candidate, name, seed, index, "asks", "asks", number, status, reason)]  # type: ignore[arg-type]
    return Record(dialogue, replace(case(), id=name, cluster=cluster), {("asks", "asks"): scores})


def cells(*rows: Record) -> dict[str, dict[str, Any]]:
    return summarise(rows, [Hundred(None, None)], JUDGES)["m"]  # type: ignore[arg-type]


def test_personalities_are_averaged_inside_the_profile() -> None:
    row = cells(
        record([0.1, 0.2], cluster="one", name="one/a"),
        record([0.3, 0.4], cluster="one", name="one/b"),
        record([0.5, 0.5], cluster="two", name="two/a"),
    )
    cell = row["AL"]
    assert cell["mean"] == pytest.approx((25 + 50) / 2), "the mean of units would be 33.3"
    assert (cell["planned"], cell["scored"], cell["missing"], cell["clusters"]) == (6, 6, {}, 2)
    assert cell["cases"] == pytest.approx({"one/a": 15, "one/b": 35, "two/a": 50})
    assert cell["by_turn"]["1"] == {"mean": pytest.approx((20 + 50) / 2), "n": 3}
    assert cell["by_turn"]["2"] == {"mean": pytest.approx((30 + 50) / 2), "n": 3}
    assert row["slope"]["mean"] == pytest.approx(5), "the slope of the curve 35, 40"
    assert (cell["low"], cell["high"]) == (0, 100), "two profiles say nothing, within the scale"
    assert row["free"]["low"] < 0 and "bounds" not in cell


def test_seeds_are_averaged_inside_the_case() -> None:
    row = cells(
        record([0.0], cluster="one", name="one/a", seed=0),
        record([1.0], cluster="one", name="one/a", seed=1),
        record([0.2], cluster="two", name="two/a"),
    )
    assert row["AL"]["cases"] == pytest.approx({"one/a": 50, "two/a": 20})
    assert row["AL"]["mean"] == pytest.approx(35) and row["AL"]["by_turn"]["1"]["n"] == 3


def test_the_interval_is_that_of_the_profile_means() -> None:
    rows = [record([value] * 7, cluster=str(i), name=str(i)) for i, value in enumerate((0.4, 0.5, 0.6))]
    cell = cells(*rows)["AL"]
    half = 4.302652729911275 * 10 / 3**0.5  # t(2) x standard deviation of 40, 50, 60 / root 3
    assert (cell["mean"], cell["low"], cell["high"]) == pytest.approx((50, 50 - half, 50 + half))


def test_the_order_of_the_dialogues_does_not_matter() -> None:
    rows = [record([0.1, 0.7], cluster=str(i % 3), name=str(i), seed=i % 2) for i in range(6)]
    assert cells(*rows) == cells(*reversed(rows))


def test_one_missing_in_twenty_is_shown_with_its_bounds() -> None:
    cell = cells(record([0.5] * 19 + ["error: 503: down"]))["AL"]
    assert (cell["planned"], cell["scored"], cell["missing"]) == (20, 19, {"error: 503": 1})
    assert cell["mean"] == pytest.approx(50)
    assert cell["bounds"] == pytest.approx([19 * 50 / 20, (19 * 50 + 100) / 20])
    assert "20" not in cell["by_turn"]


def test_two_missing_in_twenty_withhold_the_cell_and_keep_the_bounds() -> None:
    row = cells(record([0.5] * 18 + ["error: 503: down", "error: 429: slow"]))
    cell = row["AL"]
    assert (cell["mean"], cell["low"], cell["high"]) == (None, None, None)
    assert cell["withheld"] == pytest.approx(50) and cell["missing"] == {"error: 429": 1, "error: 503": 1}
    assert cell["bounds"] == pytest.approx([18 * 50 / 20, (18 * 50 + 200) / 20])
    assert row["slope"]["mean"] is None and "bounds" not in row["slope"]
    assert row["free"]["mean"] is None and "bounds" not in row["free"], "an open scale has no bounds"
    assert row["turns"]["mean"] == 20, "other columns miss nothing"


def test_what_is_not_defined_leaves_the_denominator() -> None:
    cell = cells(record([0.5, "unscored: not asked", 0.7, "unscored: not asked"]))["AL"]
    assert (cell["planned"], cell["scored"], cell["missing"]) == (2, 2, {})
    assert cell["mean"] == pytest.approx(60) and set(cell["by_turn"]) == {"1", "3"}


def test_a_column_that_is_never_defined_has_no_cell() -> None:
    row = cells(record([0.5]))
    assert "never" not in row and set(row) == {"AL", "slope", "turns", "free"}


def test_truncated_unjudged_and_unplayed_turns_are_missing() -> None:
    played = record([0.5, "truncated: cut off", None], planned=6, ended="error: candidate: 503: down")
    assert list(played.verdicts("asks", "asks")) == [
        (1, 0.5, "", True),
        (2, None, "truncated", True),
        (3, None, "not judged yet", True),
        (4, None, "error", True),
        (5, None, "error", True),
        (6, None, "error", True),
    ]
    cell = cells(played)["AL"]
    assert (cell["planned"], cell["scored"]) == (6, 1)
    assert cell["missing"] == {"error": 3, "not judged yet": 1, "truncated": 1}
    assert cell["mean"] is None and cell["bounds"] == pytest.approx([50 / 6, 550 / 6])


def test_nothing_scored_is_no_mean_and_the_widest_bounds() -> None:
    row = cells(record(["error: 503: down"] * 3))
    assert row["AL"]["mean"] is None and row["AL"]["bounds"] == [0, 100] and row["AL"]["clusters"] == 0
    assert row["slope"]["mean"] is None and row["AL"]["by_turn"] == {}


def test_a_column_of_whole_dialogues_has_bounds_too() -> None:
    class Some(Hundred):
        def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
            known = record.dialogue.case != "x"
            yield Value("turns", None, 4.0 if known else None, "" if known else "not asked")

    rows = [record([0.5], name=name, cluster=name) for name in "abx"]
    cell = summarise(rows, [Some(None, None)], JUDGES)["m"]["turns"]  # type: ignore[arg-type]
    assert (cell["planned"], cell["scored"], cell["mean"], cell["withheld"]) == (3, 2, None, 4)
    assert cell["bounds"] == pytest.approx([8 / 3, 18 / 3])


def test_repeats_are_averaged_and_a_failed_one_is_left_out() -> None:
    rated = record([0.0])
    scores = rated.scores["asks", "asks"]
    scores[1] = [  # type: ignore[index]
        replace(scores[1][0], value=value, status=status, repeat=i)
        for i, (value, status) in enumerate([(1.0, "scored"), (0.5, "scored"), (None, "error")])
    ]
    assert list(rated.verdicts("asks", "asks")) == [(1, 0.75, "", True)]


def test_candidates_do_not_mix() -> None:
    rows = [record([0.2], candidate="a"), record([0.4], candidate="b"), record([0.6], candidate="a", name="d")]
    summary = summarise(rows, [Hundred(None, None)], JUDGES)  # type: ignore[arg-type]
    assert {name: row["AL"]["mean"] for name, row in summary.items()} == pytest.approx({"a": 40, "b": 40})


def test_dialogues_find_their_scores() -> None:
    rows = [record([0.1], name="a"), record([None], name="b"), record([0.3, 0.4], name="c", seed=1)]
    given = [[score for scores in row.scores["asks", "asks"].values() for score in scores] for row in rows]
    joined = list(
        records([row.dialogue for row in rows], iter([g for g in given if g]), {row.case.id: row.case for row in rows})
    )
    assert [row.case.id for row in joined] == ["a", "b", "c"]
    assert [list(row.verdicts("asks", "asks")) for row in joined] == [list(r.verdicts("asks", "asks")) for r in rows]


KEYS = st.lists(st.sampled_from("abcdef"), max_size=4).map(tuple)
SPOKEN = st.lists(st.none() | KEYS, max_size=8)


@given(SPOKEN)
def test_the_ledger_holds_each_fact_once_in_the_order_of_its_first_mention(
    spoken: list[tuple[str, ...] | None],
) -> None:
    told = ledger(Utterance("", keys) for keys in spoken)
    if None in spoken:
        assert told is None, "one unknown makes the whole unknown"
        return
    every = [key for keys in spoken for key in keys or ()]
    assert told is not None and len(told) == len(set(told)) and set(told) == set(every)
    assert [every.index(key) for key in told] == sorted(every.index(key) for key in told)


@given(SPOKEN, KEYS)
def test_the_ledger_only_grows(spoken: list[tuple[str, ...] | None], more: tuple[str, ...]) -> None:
    before = ledger(Utterance("", keys) for keys in spoken)
    after = ledger(Utterance("", keys) for keys in [*spoken, more])
    assert after is None if before is None else after is not None and after[: len(before)] == before


@given(st.lists(KEYS, min_size=1, max_size=5), KEYS, st.booleans())
def test_a_state_knows_what_was_said_up_to_now(turns: list[tuple[str, ...]], now: tuple[str, ...], ended: bool) -> None:
    played = tuple(turn(i, Utterance("", keys)) for i, keys in enumerate(turns, 1))
    state = State(case(), 0, Utterance("", now), turns=played, ended="schedule" if ended else "")
    assert state.disclosed == ledger(Utterance("", keys) for keys in (turns if ended else [*turns, now]))
    assert state.turn == len(turns) + (not ended)


@st.composite
def timelines(draw: st.DrawFn) -> tuple[Gold, list[list[Item]]]:
    """A gold with changes in any order, and its items after each of them, kept by hand."""
    fresh = (Item("Others", f"value {i}") for i in range(99))
    items = [next(fresh) for _ in range(draw(st.integers(1, 4)))]
    held, changes = [list(items)], []
    moments = sorted(draw(st.sets(st.tuples(st.integers(0, 2), st.integers(1, 9)), max_size=5)))
    for session, at in moments:
        now = list(held[-1])
        if not now:
            break
        place = draw(st.integers(0, len(now) - 1))
        former = [item for items_ in held for item in items_ if item not in now]
        new = draw(st.none() | st.just(next(fresh)) | (st.sampled_from(former) if former else st.nothing()))
        changes.append(Change(at, now[place].key, new, session))
        now[place : place + 1] = [new] if new else []
        held.append(now)
    return Gold(tuple(items), tuple(draw(st.permutations(changes)))), held


@given(timelines(), st.integers(0, 3), st.integers(0, 10))
def test_the_gold_at_any_turn_is_what_the_changes_up_to_it_made(
    timeline: tuple[Gold, list[list[Item]]], session: int, at: int
) -> None:
    gold, held = timeline
    past = sum((change.session, change.turn) <= (session, at) for change in gold.changes)
    now = gold.at(session, at)
    assert now == Profile(tuple(held[past]))
    gone = gold.superseded(session, at)
    assert set(gone) == {item for items in held[: past + 1] for item in items} - set(now.items)
    assert len(gone) == len(set(gone)), "an item that went twice is named once"


@given(timelines())
def test_a_timeline_survives_json(timeline: tuple[Gold, list[list[Item]]]) -> None:
    gold, _ = timeline
    kind = TypeAdapter(Gold)
    assert kind.validate_json(kind.dump_json(gold)) == gold


@pytest.mark.parametrize("turns", [(3,), (3, 4)])
def test_a_change_of_what_nobody_holds_is_refused(turns: tuple[int, ...]) -> None:
    item = Item("Age", "30")
    with pytest.raises(UsageError, match="the gold changes 'Age=31' at session 0, turn 3, which does not hold then"):
        Gold((item,), tuple(Change(at, "Age=31", item) for at in turns))


def test_a_case_counts_its_turns() -> None:
    assert Case("c", None, "p", (Session(3), Session(4, "Hello again"))).turns == 7
