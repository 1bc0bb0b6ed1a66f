"""``rlpa-bench report``"""

from __future__ import annotations

from pathlib import Path

import click

from rlpa_bench.cli.options import flag, plugin_flags


@click.command("report", help="Rebuild summary, tables and page of RUN; works while the run goes on.")
@click.argument("run", type=click.Path(path_type=Path))
@flag("--open", "open_", is_flag=True, help="Open the page in a browser.")
@flag(
    "--beside",
    type=click.Path(path_type=Path),
    default=None,
    help="A run of the same candidates and cases with another user: tests over-fitting to this one.",
)
@plugin_flags
def command(run: Path, open_: bool, beside: Path | None) -> int:
    from rlpa_bench.recompute import rebuild

    if beside is not None:
        from rlpa_bench.diagnostics import beside as compared
        from rlpa_bench.runs import load_run

        for finding in compared(load_run(run), load_run(beside)):
            print(f"{finding.candidate}: {finding.signature} {finding.verdict}: {finding.evidence}")
    page = rebuild(run).path / "report.html"
    print(page)
    if open_:
        click.launch(str(page))
    return 0
