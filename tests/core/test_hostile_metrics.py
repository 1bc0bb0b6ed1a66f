"""Hostile metrics: they lose their columns and no others do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hostile import blocks, exits
from toyruns import play

import rlpa_bench
from rlpa_bench import hookimpl
from rlpa_bench.errors import PluginError
from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.options import Options


class Steady(Metric):
    """Turns of a dialogue."""

    name = "steady"
    Options = Options
    column = "steady turns"

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [Column(self.column, headline=True)]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        yield Value(self.column, None, float(len(record.dialogue.turns)))


class Offering:
    def __init__(self, *metrics: type[Metric]) -> None:
        self.metrics = metrics

    @hookimpl
    def rlpa_bench_metrics(self) -> Sequence[type[Metric]]:
        return self.metrics


def measured(answer: Any) -> type[Metric]:
    class Hostile(Steady):
        name = "hostile"
        column = "hostile turns"

        def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
            if record.dialogue.case == "case-3":
                yield answer() if callable(answer) else answer
            else:
                yield from super().measure(record, judges)

    return Hostile


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: 1 / 0, "metric 'hostile' failed: ZeroDivisionError: division by zero (test_hostile_metrics.py:"),
        (exits, "metric 'hostile' called sys.exit(0)"),
        (blocks, "metric 'hostile' has blocked everything for 1.5 s"),
        (3.5, "metric 'hostile' failed: AttributeError: 'float' object has no attribute 'value'"),
        (Value("hostile turns", None, "5"), "ValueError: '5' in column 'hostile turns' is neither a finite number"),  # type: ignore[arg-type]
        (Value("hostile turns", None, float("nan")), "nan in column 'hostile turns' is neither a finite number"),
        (Value("AVG[asks]", None, 100.0), "fills the column 'AVG[asks]', which it did not declare"),
    ],
)
def test_a_metric_that_fails_loses_its_columns_and_no_others(
    whole: rlpa_bench.Run, out: Path, impatient: None, answer: Any, said: str
) -> None:
    run = play(out, watchers=[Offering(Steady, measured(answer))])
    names = [column["name"] for column in run.summary["columns"]]
    assert "steady turns" in names and "hostile turns" not in names
    for candidate, row in whole.summary["rows"].items():
        assert run.summary["rows"][candidate].items() >= row.items()
        assert "hostile turns" not in run.summary["rows"][candidate]
    (problem,) = run.info["problems"]
    assert said in problem and "its columns are left out" in problem


def test_a_metric_that_fails_while_it_is_built_or_asked_for_its_columns(out: Path) -> None:
    class Unbuilt(Steady):
        name = "unbuilt"

        def __init__(self, *_: Any) -> None:
            raise OSError("no licence")

    class Columnless(Steady):
        name = "columnless"

        def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
            raise LookupError("no columns")

    class Bent(Steady):
        name = "bent"

        def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
            return [Column("bent", curve_of="AVG[asks]", curve=lambda curve: curve["x"])]  # type: ignore[call-overload]

        def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
            return iter(())

    run = play(out, watchers=[Offering(Unbuilt, Columnless, Bent, Steady)])
    assert run.summary["rows"]["counter"]["steady turns"]["mean"] == 5
    said = "\n".join(run.info["problems"])
    assert "OSError: no licence" in said and "LookupError: no columns" in said and "column 'bent' failed" in said


def test_two_metrics_with_one_column_are_both_named_before_anything_is_played(out: Path) -> None:
    class Thief(Steady):
        name = "thief"
        column = "AVG[asks]"

    with pytest.raises(PluginError, match=r"'alignment' and 'thief' both fill the column 'AVG\[asks\]'; disable one"):
        play(out, watchers=[Offering(Thief)])
    assert not out.exists()
