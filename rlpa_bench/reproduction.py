"""RLPA's printed summaries, recomputed from the curves printed beside them.

The paper (arXiv 2505.15456v2) prints AL(1..10) of every row of its Tables 2, 4 and 5, and AVG, N-IR and N-R2 of the
same rows in Tables 1, 2 and 5. The numbers come from ``published/rlpa_tables.json``; nothing here is measured by us.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from rlpa_bench.alignment import average, normalized_improvement_rate, normalized_r_squared

SUMMARIES: dict[str, tuple[str, Callable[[Sequence[float]], float], float, int]] = {
    "avg": ("AVG", average, 0.006, 2),
    "n_ir": ("N-IR", normalized_improvement_rate, 0.0011, 3),
    "n_r2": ("N-R2", normalized_r_squared, 0.0011, 3),
}
"""Key in the file -> name, function of the curve, what rounding in print can explain, decimals in print."""

_MOST_USERS = 1000
_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Check:
    """One printed number and what the paper's own rows give."""

    table: str
    row: str
    column: str
    printed: float
    recomputed: float
    follows: bool
    decimals: int = 2

    @property
    def difference(self) -> float:
        """Printed minus recomputed."""
        return self.printed - self.recomputed


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Everything that can be recomputed from one paper's tables."""

    source: str
    summaries: tuple[Check, ...]
    """AVG, N-IR and N-R2 by table and row, in the paper's order."""
    gains: tuple[Check, ...]
    """Differences between two rows that the text prints."""
    leaders: tuple[tuple[str, str, str, float], ...]
    """(table, column, row, value) of the highest recomputed value: who leads."""
    users: dict[str, int | None]
    """Table and row -> the fewest users whose binary verdicts give this curve; None if over a thousand."""

    @property
    def broken(self) -> tuple[Check, ...]:
        """The printed numbers that do not follow."""
        return tuple(check for check in (*self.summaries, *self.gains) if not check.follows)


def rlpa_tables() -> Reproduction:
    """RLPA's Tables 1, 2, 4 and 5 recomputed. A pure function of the bundled file."""
    published = json.loads(files("rlpa_bench").joinpath("published", "rlpa_tables.json").read_text("utf-8"))
    tables = {name: (content["label"], content["rows"]) for name, content in published["tables"].items()}
    rows = [(label, name, row) for label, table in tables.values() for name, row in table.items()]
    return Reproduction(
        source=published["source"],
        summaries=tuple(check for label, name, row in rows for check in _summaries(label, name, row)),
        gains=tuple(_gain(tables[gain["table"]], gain) for gain in published["gains"]),
        leaders=tuple(
            leader for label, table in tables.values() if len(table) > 3 for leader in _leaders(label, table)
        ),
        users={f"{label}: {name}": fewest_users(row["al"]) for label, name, row in rows},
    )


def fewest_users(al: Sequence[float]) -> int | None:
    """The smallest n for which every AL(k), in percent to two decimals, is a share of n users; None beyond 1000."""
    for users in range(1, _MOST_USERS + 1):
        if all(abs(100 * round(value * users / 100) / users - value) <= 0.005 + _SLACK for value in al):
            return users
    return None


def _summaries(label: str, name: str, row: dict[str, Any]) -> Iterable[Check]:
    for key, (title, function, tolerance, decimals) in SUMMARIES.items():
        if key in row:
            value = function(row["al"])
            follows = abs(value - row[key]) <= tolerance + _SLACK
            yield Check(label, name, title, row[key], value, follows, decimals)


def _gain(table: tuple[str, dict[str, Any]], gain: dict[str, Any]) -> Check:
    label, rows = table
    value = average(rows[gain["of"]]["al"]) - average(rows[gain["over"]]["al"])
    follows = abs(value - gain["printed"]) <= gain["rounding"] + _SLACK
    return Check(label, f"{gain['of']} over {gain['over']}", "AVG gain", gain["printed"], value, follows)


def _leaders(label: str, rows: dict[str, Any]) -> Iterable[tuple[str, str, str, float]]:
    for key, (title, function, _, _) in SUMMARIES.items():
        if all(key in row for row in rows.values()):
            values = {name: function(row["al"]) for name, row in rows.items()}
            best = max(values, key=lambda name: values[name])
            yield label, title, best, values[best]


HEADER = ("table", "row", "column", "printed", "recomputed", "printed - recomputed", "follows")


def records(reproduction: Reproduction) -> list[tuple[str, ...]]:
    """All checks as rows of text under :data:`HEADER`, numbers with one decimal more than in print."""
    return [
        (
            check.table,
            check.row,
            check.column,
            f"{check.printed:.{check.decimals}f}",
            f"{check.recomputed:.{check.decimals + 1}f}",
            f"{check.difference:+.{check.decimals + 1}f}",
            "yes" if check.follows else "NO",
        )
        for check in (*reproduction.summaries, *reproduction.gains)
    ]


def to_csv(reproduction: Reproduction) -> str:
    """All checks as CSV, one a line."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *records(reproduction)])
    return text.getvalue()


def to_markdown(reproduction: Reproduction) -> str:
    """All checks as a Markdown table, those that do not follow in bold, and the findings under it."""
    lines = [f"| {' | '.join(HEADER)} |", f"|{'---|' * 3}{'---:|' * 3}---|"]
    for row in records(reproduction):
        cells = [f"**{cell}**" for cell in row] if row[-1] == "NO" else row
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"- {finding}" for finding in findings(reproduction)), ""])


def findings(reproduction: Reproduction) -> list[str]:
    """What does not follow, who leads on recomputation and how many users the curves allow, one sentence each."""
    checks = (*reproduction.summaries, *reproduction.gains)
    found = [f"{len(checks) - len(reproduction.broken)} of {len(checks)} printed numbers follow from their own curves."]
    for title in dict.fromkeys(check.column for check in reproduction.broken):
        for label in dict.fromkeys(check.table for check in reproduction.broken if check.column == title):
            group = [check for check in reproduction.broken if (check.column, check.table) == (title, label)]
            rows = "; ".join(f"{c.row} {c.printed:.{c.decimals}f} (gives {c.recomputed:.{c.decimals}f})" for c in group)
            found.append(f"{title} does not follow in {label}: {rows}.")
    found += [f"Highest {title} in {label}: {row}." for label, title, row, _ in reproduction.leaders]
    for count in sorted({users for users in reproduction.users.values() if users}):
        curves = [name for name, users in reproduction.users.items() if users == count]
        named = f"{len(curves)} curves" if len(curves) > 3 else "; ".join(curves)
        found.append(f"Fewest users whose yes-or-no verdicts give the curve: {count} for {named}.")
    return found
