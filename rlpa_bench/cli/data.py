"""``rlpa-bench data list|fetch|build``"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rlpa_bench.cli.options import flag, plugin_flags
from rlpa_bench.errors import UsageError


@click.group("data", help="List or fetch data sets that are not shipped; build SFT and DPO data.")
def command() -> None:
    pass


@command.command("list", help="All data sets: size, licence, source and whether they are here.")
def list_() -> int:
    from rlpa_bench.datasets import DATASETS

    for dataset in DATASETS.values():
        size = f"{dataset.megabytes:.1f} MB"
        print(f"{dataset.name}  {size}  {dataset.licence}  {dataset.source}  [{dataset.state()}]")
        if dataset.note:
            print(f"    {dataset.note}")
        for file in dataset.files:
            print(f"    {file.name}  sha256 {file.sha256}")
    return 0


@command.command("fetch", help="Fetch NAME, verified by checksum, into the cache.")
@click.argument("name")
def fetch(name: str) -> int:
    from rlpa_bench.datasets import dataset

    found = dataset(name)
    print(found.fetch())
    if found.note:
        print(f"rlpa-bench: {name}: {found.note}", file=sys.stderr)
    return 0


@command.command("build", help="SFT and DPO data from dialogues on the training pool (ALOE's procedure).")
@flag("--suite", default="training-full", show_default=True, help="A training suite.")
@flag("--model", default="smollm2", show_default=True, help="Who writes the replies.")
@flag("--simulator", default="agenda", show_default=True, help="Who plays the user.")
@flag("--judge", default="pairwise", show_default=True, help="Who picks a reply: a judge of pairs or of turns.")
@flag("--turns", type=int, default=None, help="Turns per dialogue, if not the suite's own.")
@flag("--limit", type=int, default=None, help="Cases, a stratified sample.")
@flag("--seeds", type=int, default=1, show_default=True, help="Dialogues per case.")
@flag("--max-connections", type=int, default=16, show_default=True, help="Dialogues at once.")
@flag("--cache/--no-cache", default=True, help="Reuse identical model calls.  [default: cache]")
@flag("--out", type=click.Path(path_type=Path), required=True, help="Folder; the same command goes on in it.")
@click.option("-o", "options", multiple=True, metavar="KIND[.NAME].OPTION=VALUE", help="Option of a plugin.")
@plugin_flags
def build(
    suite: str, model: str, simulator: str, judge: str, turns: int | None, limit: int | None, seeds: int,
    max_connections: int, cache: bool, out: Path, options: tuple[str, ...],
) -> int:  # fmt: skip
    from rlpa_bench.build import parse_options
    from rlpa_bench.runs import read_json
    from rlpa_bench.training_data import DATA, Recipe
    from rlpa_bench.training_data import build as make

    if seeds < 1 or max_connections < 1 or (limit is not None and limit < 1):
        raise UsageError("--limit, --seeds and --max-connections are 1 or more")
    recipe = Recipe(suite, model, simulator, judge, turns, limit, seeds, parse_options(options))
    counts = read_json(make(recipe, out, at_once=max_connections, cache=cache) / DATA)["counts"]
    for name in ("dialogues", "turns", "pairs"):
        print(f"{name}: {counts[name]}")
    print(out / "README.md")
    if failed := sum(counts["failed"].values()):
        print(f"rlpa-bench: {failed} dialogues failed; what they had before stays", file=sys.stderr)
        return 1
    return 0
