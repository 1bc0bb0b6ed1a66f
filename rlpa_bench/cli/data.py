"""``rlpa-bench data list|fetch``"""

from __future__ import annotations

import sys

import click


@click.group("data", help="List or fetch the data sets that are not shipped.")
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
