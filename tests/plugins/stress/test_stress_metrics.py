"""What the metrics of the stress suites make of summaries, and of dialogues that never came to an end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rlpa_bench_plugins.judges.profile import ProfileJudge
from rlpa_bench_plugins.metrics import rlpa_bench_metrics
from rlpa_bench_plugins.metrics.horizon import summed_up
from rlpa_bench_plugins.suites import rlpa_bench_suites

from rlpa_bench.contract import Contract
from rlpa_bench.interfaces import JudgeInfo, Record
from rlpa_bench.ontology import Ontology
from rlpa_bench.types import Dialogue, Output, Turn, Utterance

SUITES = {suite.name: suite for suite in rlpa_bench_suites()}
METRICS = {metric.name: metric for metric in rlpa_bench_metrics()}
OWN = {
    "changes": "aloe-conflict",
    "horizon": "aloe-long",
    "restraint": "aloe-restraint",
    "transfer": "aloe-sessions",
}
JUDGES = {"profile": JudgeInfo("profile", "turn", ProfileJudge.parts)}


class FakeContext:
    contract = Contract()
    ontology = Ontology.load()


def make(kinds: dict[str, Any], name: str) -> Any:
    return kinds[name](kinds[name].Options(), FakeContext())


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("You are 41 years old, you work as a nurse and you have two sons.",
         ["age/41", "occupation/nurse", "family/two-sons"]),
        ("- Occupation: nurse\nYou live in Lisbon and love hiking. You do not like opera.",
         ["occupation/nurse", "location/lisbon", "interests/hiking", "!interests/opera"]),
        ("Here is what I know:\n1. You are a baker.\n2. You like jazz", ["occupation/baker", "interests/jazz"]),
        ("- Others: collects door handles from Bergen", ["Others=collects door handles from bergen"]),
        ("That is a long story, and I would rather not.", []),
    ],
)  # fmt: skip
def test_a_summary_in_lines_or_sentences_gives_its_facts(text: str, ids: list[str]) -> None:
    assert [item.key for item in summed_up(text, FakeContext.ontology)] == ids


@given(st.text(max_size=200))
@settings(max_examples=50, deadline=None)
def test_any_summary_can_be_read_and_none_counts_a_fact_twice(text: str) -> None:
    found = summed_up(text, FakeContext.ontology)
    assert len(set(found)) == len(found) and not any(item.is_trait for item in found)


@pytest.mark.parametrize("name", OWN)
def test_turns_that_never_came_are_missing_and_never_a_number(name: str) -> None:
    metric = make(METRICS, name)
    columns = {column.name for column in metric.columns(JUDGES)}
    for case in make(SUITES, OWN[name]).sample(20):
        dialogue = Dialogue("some", case.id, 0, (), case.turns, "error: candidate: broken")
        values = list(metric.measure(Record(dialogue, case), JUDGES))
        assert values and {value.value for value in values} == {None}
        assert {value.reason for value in values} == {"error"}
        assert {value.column for value in values} <= columns


@pytest.mark.parametrize("name", OWN)
def test_malformed_replies_are_measured_as_what_they_say(name: str) -> None:
    metric = make(METRICS, name)
    for case in make(SUITES, OWN[name]).sample(8):
        turns = tuple(_silent(case, index) for index in range(1, case.turns + 1))
        record = Record(Dialogue("some", case.id, 0, turns, case.turns, "schedule"), case)
        for value in metric.measure(record, {}):
            assert value.value is not None and value.value >= 0, value


def _silent(case: Any, index: int) -> Turn:
    """A turn to which the candidate writes nothing that could be read."""
    remark = case.remark(index)
    session = next(i for i in range(9) if sum(s.turns for s in case.sessions[: i + 1]) >= index)
    said = Utterance(remark.text, remark.disclosed) if remark else Utterance("Well.")
    return Turn(index, session, said, Output("..."), (), "...", "no blocks")


@pytest.mark.parametrize("name", OWN)
def test_other_suites_have_none_of_it(name: str) -> None:
    metric = make(METRICS, name)
    for suite in ("aloe", *(other for other in OWN.values() if other != OWN[name])):
        case = make(SUITES, suite).sample(1)[0]
        turns = tuple(_silent(case, index) for index in range(1, case.turns + 1))
        record = Record(Dialogue("some", case.id, 0, turns, case.turns, "schedule"), case)
        assert not list(metric.measure(record, JUDGES))
