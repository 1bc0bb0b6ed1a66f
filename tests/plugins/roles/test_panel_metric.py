"""What a panel comes to in the table, and how far its members agree."""

from __future__ import annotations

from typing import Any

import pytest
from rlpa_bench_plugins.metrics.panel import PanelMetric
from rlpa_bench_plugins.metrics.verdicts import VerdictsMetric

from rlpa_bench.interfaces import JudgeInfo, Part, Record
from rlpa_bench.options import Options
from rlpa_bench.types import Case, Dialogue, Gold, Output, Score, Session, Turn, Utterance

MEMBERS = ("gate@openai/openai:gpt-4o", "gate@anthropic/anthropic:claude", "gate@qwen/vllm:qwen")
PANEL = JudgeInfo("panel", "turn", {"gate": Part(), **dict.fromkeys(MEMBERS, Part(binary=True))}, reward=("gate",))
METRIC = PanelMetric(Options(), None)  # type: ignore[arg-type]


def record(candidate: str, *verdicts: tuple[float | None, ...]) -> Record:
    """A dialogue whose turns the members gave these verdicts."""
    turns = tuple(Turn(i, 0, Utterance("Hi"), Output(""), (), "") for i in range(1, len(verdicts) + 1))
    scores: dict[tuple[str, str], dict[int | None, list[Score]]] = {}
    for turn, given in enumerate(verdicts, 1):
        for part, value in zip(MEMBERS, given, strict=True):
            status: Any = "error" if value is None else "scored"
            score = Score(
                candidate, "c", 0, turn, "panel", part, value, status, "" if value is not None else "timeout: 5 s"
            )
            scores.setdefault(("panel", part), {})[turn] = [score]
    case = Case("c", Gold(()), "c", (Session(len(turns), "Hi"),))
    return Record(Dialogue(candidate, "c", 0, turns, len(turns), "schedule"), case, scores)


def measured(*arguments: Any) -> dict[tuple[str, int | None], float | None]:
    values = METRIC.measure(record(*arguments), {"panel": PANEL})
    return {(value.column.removesuffix("[panel]"), value.turn): value.value for value in values}


def test_the_own_family_is_left_out_and_shown_apart() -> None:
    found = measured("openai:gpt-4o-mini/base", (1.0, 0.0, 0.0), (1.0, 1.0, 0.0))
    assert found["AVG", 1] == 0.0
    assert found["AL(1)", 1] == 0.0
    assert found["AL(2+)", 2] == found["AVG", 2] == 50.0
    assert found["own family", 1] == found["own family", 2] == 100.0
    assert (found["split", 1], found["split", 2]) == (100.0, 100.0)


def test_controls_and_strangers_are_judged_by_all() -> None:
    for candidate in ("null", "hf:unknown-model/base"):
        found = measured(candidate, (1.0, 1.0, 1.0), (1.0, 0.0, 1.0))
        assert found["AVG", 1] == 100.0
        assert found["AVG", 2] == pytest.approx(200 / 3)
        assert ("own family", 1) not in found
        assert (found["split", 1], found["split", 2]) == (0.0, 100.0)


def test_a_missing_member_is_a_missing_turn_unless_it_is_left_out_anyway() -> None:
    assert measured("null", (None, 1.0, 1.0))["AVG", 1] is None
    found = measured("openai:gpt-4o/base", (None, 1.0, 1.0))
    assert (found["AVG", 1], found["own family", 1], found["split", 1]) == (100.0, None, None)


def test_columns_are_those_of_alignment_and_only_for_panels() -> None:
    names = [column.name for column in METRIC.columns({"panel": PANEL})]
    assert {"AVG[panel]", "AL(1)[panel]", "AL(2+)[panel]", "N-IR[panel]", "own family[panel]", "split[panel]"} <= set(
        names
    )
    assert METRIC.columns({"other": JudgeInfo("other", "turn", {"gate": Part()}, alignment="gate")}) == []


def test_judges_without_alignment_are_shown_by_their_parts() -> None:
    metric = VerdictsMetric(Options(), None)  # type: ignore[arg-type]
    plain = JudgeInfo("plain", "turn", {"gate": Part(binary=True)})
    aligned = JudgeInfo("aligned", "turn", {"gate": Part()}, alignment="gate")
    judges = {info.name: info for info in (plain, aligned, PANEL)}
    assert [column.name for column in metric.columns(judges)] == ["gate[plain]"]
    base = record("null", (1.0, 1.0, 1.0))
    score = Score("null", "c", 0, 1, "plain", "gate", 1.0, "scored")
    values = list(metric.measure(Record(base.dialogue, base.case, {("plain", "gate"): {1: [score]}}), judges))
    assert [(value.column, value.turn, value.value) for value in values] == [("gate[plain]", 1, 100.0)]
