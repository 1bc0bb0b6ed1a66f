"""``rlpa-bench compare``"""

from __future__ import annotations

from pathlib import Path

import click

from rlpa_bench.cli.options import flag


@click.command("compare", help="Paired differences between all candidates of one RUN or several.")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@flag("--column", default="", help="Column to compare.  [default: the first AVG of the runs]")
@flag("--out", type=click.Path(path_type=Path), default=None, help="Folder for the table and the picture as files.")
@flag("--force", is_flag=True, help="Compare runs of unlike terms all the same.")
def command(runs: tuple[Path, ...], column: str, out: Path | None, force: bool) -> int:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from rlpa_bench.comparison import compare
    from rlpa_bench.runs import load_run

    comparison = compare([load_run(path) for path in runs], column=column, force=force)
    table = Table(title=escape(f"paired differences in {comparison.column}"))
    for name in ("a", "b", "profiles", "a - b", "95 % interval", "p (Holm)", "smallest detectable"):
        table.add_column(name, justify="left" if name in "ab" else "right")
    for pair in comparison.pairs:
        d = pair.difference
        table.add_row(
            escape(pair.a), escape(pair.b), str(d.clusters), f"{d.mean:.2f}", f"[{d.low:.2f}, {d.high:.2f}]",
            f"{pair.p_holm:.3f}", f"{d.smallest_detectable:.2f}",
        )  # fmt: skip
    console = Console(width=None if Console().is_terminal else 200)
    console.print(table)
    if comparison.ranks:
        ranks = Table(title="ranks that the data allow, for all at once (95 %)")
        for name in ("candidate", "rank", "tie group"):
            ranks.add_column(name)
        for name, rank in comparison.ranks.items():
            ranks.add_row(escape(name), f"{rank.low}-{rank.high}", str(rank.group))
        console.print(ranks)
    for note in comparison.notes:
        console.print(note, highlight=False, markup=False)
    if out is not None:
        from rlpa_bench.report.differences import write_differences

        write_differences(comparison, out)
        print(out / "differences.svg")
    return 0
