"""``rlpa-bench report``"""

from __future__ import annotations

from pathlib import Path

import click

from rlpa_bench.cli.options import flag, plugin_flags


@click.command("report", help="Rebuild summary, tables and page of RUN; works while the run goes on.")
@click.argument("run", type=click.Path(path_type=Path))
@flag("--open", "open_", is_flag=True, help="Open the page in a browser.")
@plugin_flags
def command(run: Path, open_: bool) -> int:
    from rlpa_bench.recompute import rebuild

    page = rebuild(run).path / "report.html"
    print(page)
    if open_:
        click.launch(str(page))
    return 0
