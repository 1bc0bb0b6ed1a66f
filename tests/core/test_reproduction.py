"""RLPA's tables recomputed: what follows, what does not, and how it is shown."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from rlpa_bench.cli.main import cli
from rlpa_bench.reproduction import HEADER, fewest_users, findings, records, rlpa_tables, to_csv, to_markdown

FOUND = rlpa_tables()
EXTENDED = "Extended, Tables 1 and 5"


def test_the_numbers_that_do_not_follow_are_these() -> None:
    broken = {(check.table, check.row, check.column) for check in FOUND.broken}
    assert len(FOUND.summaries) == 13 * 3 + 13 * 3 + 13 + 3 * 3
    assert {key for key in broken if key[2] == "AVG"} == {
        ("Vanilla, Tables 1 and 4", "Qwen2.5-3B DPO", "AVG"),
        (EXTENDED, "Qwen2.5-3B Self-Critic", "AVG"),
        (EXTENDED, "Qwen2.5-3B CoT", "AVG"),
    }
    for column in ("N-IR", "N-R2"):
        rows = {row for table, row, name in broken if name == column and table == EXTENDED}
        assert len(rows) == 12
        assert "Qwen2.5-3B Base" not in rows
        assert not {table for table, _, name in broken if name == column} - {EXTENDED}


def test_recomputed_values_and_gains() -> None:
    values = {(check.table, check.row, check.column): check for check in (*FOUND.summaries, *FOUND.gains)}
    rlpa = values[EXTENDED, "Qwen2.5-3B RLPA", "N-R2"]
    assert (rlpa.printed, rlpa.follows) == (0.498, False)
    assert rlpa.recomputed == pytest.approx(0.7065, abs=1e-4)
    assert rlpa.difference == pytest.approx(-0.2085, abs=1e-4)
    gain = values["Vanilla, Tables 1 and 4", "Qwen2.5-3B RLPA over Qwen2.5-3B DPO", "AVG gain"]
    assert (gain.printed, gain.follows) == (28.11, False)
    assert gain.recomputed == pytest.approx(23.51, abs=0.01)


def test_who_leads_on_recomputation() -> None:
    leads = {(table, column): row for table, column, row, _ in FOUND.leaders}
    assert leads["Vanilla, Tables 1 and 4", "AVG"] == "GPT-4o-mini Self-Critic"
    assert leads[EXTENDED, "AVG"] == "GPT-4o Self-Critic"
    assert leads[EXTENDED, "N-IR"] == leads[EXTENDED, "N-R2"] == "Claude-3.5-Sonnet Self-Critic"


def test_curves_are_shares_of_74_and_73_users() -> None:
    by_table: dict[str, set[int | None]] = {}
    for name, count in FOUND.users.items():
        by_table.setdefault(name.partition(":")[0], set()).add(count)
    assert by_table == {
        "Vanilla, Tables 1 and 4": {74},
        EXTENDED: {73},
        "Extended, Table 5": {73},
        "Ablation, Table 2": {74, 740},
    }


@given(st.integers(1, 200), st.data())
def test_fewest_users_never_exceeds_the_true_number(users: int, data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, users), min_size=1, max_size=12))
    found = fewest_users([round(100 * count / users, 2) for count in counts])
    assert found is not None
    assert found <= users


def test_a_curve_of_no_share_has_no_users() -> None:
    assert fewest_users([50.0, 33.33]) == 6
    assert fewest_users([0.04]) is None  # less than one of a thousand


def test_csv_holds_every_check() -> None:
    rows = list(csv.reader(io.StringIO(to_csv(FOUND))))
    assert tuple(rows[0]) == HEADER
    assert [tuple(row) for row in rows[1:]] == records(FOUND)
    assert sum(row[-1] == "NO" for row in rows) == len(FOUND.broken)


def test_markdown_marks_what_does_not_follow_and_lists_the_findings() -> None:
    text = to_markdown(FOUND)
    assert sum(line.startswith("| **") for line in text.splitlines()) == len(FOUND.broken)
    assert all(f"- {finding}" in text for finding in findings(FOUND))
    assert findings(FOUND)[0] == "74 of 103 printed numbers follow from their own curves."


def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    def call(*words: str) -> str:
        done = CliRunner().invoke(cli, ["reproduce", "rlpa-tables", *words], standalone_mode=False)
        assert done.exception is None, done.exception
        return done.output

    shown = call()
    assert "-0.2085" in shown
    assert "GPT-4o Self-Critic" in shown
    assert call("--format", "csv") == to_csv(FOUND)
    assert call("--format", "md") == to_markdown(FOUND)
    for name, text in (("tables.csv", to_csv(FOUND)), ("tables.md", to_markdown(FOUND))):
        call("--out", str(tmp_path / "new" / name))
        assert (tmp_path / "new" / name).read_text(encoding="utf-8") == text
