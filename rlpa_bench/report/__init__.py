"""What people see of a run, all derived from its files: tables and a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlpa_bench.runs import Run


def write_report(run: Run) -> None:
    """Writes table.csv, table.md, curves.csv, efficiency.csv and .svg, and report.html."""
    from rlpa_bench.report.curves import write_curves_csv
    from rlpa_bench.report.efficiency import write_efficiency
    from rlpa_bench.report.html import write_html
    from rlpa_bench.report.table import write_csv, write_markdown

    write_csv(run.summary, run.path / "table.csv")
    write_markdown(run, run.path / "table.md")
    write_curves_csv(run, run.path / "curves.csv")
    write_efficiency(run)
    write_html(run, run.path / "report.html")
