"""``rlpa-bench plugins list|show|new|check``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from rlpa_bench.cli.options import flag, plugin_flags


@click.group("plugins", help="List, show, start or check plugins.")
def command() -> None:
    pass


@command.command("list", help="All plugins: kind, name, where they come from and whether they can run here.")
@flag("--json", "as_json", is_flag=True, help="As JSON.")
@plugin_flags
def list_(as_json: bool) -> int:
    from rlpa_bench.interfaces import KINDS
    from rlpa_bench.plugins import Plugins

    plugins = Plugins()
    rows = [_row(offer) for kind in KINDS for offer in plugins.offers(kind)]
    doubled = {
        key for row in rows if sum((r["kind"], r["name"]) == (key := (row["kind"], row["name"])) for r in rows) > 1
    }
    for row in rows:
        if (row["kind"], row["name"]) in doubled:
            row |= {"usable": False, "reason": "offered by more than one distribution"}
    if as_json:
        import json

        from rlpa_bench.api import API_VERSION

        problems = [str(problem) for problem in plugins.problems]
        print(json.dumps({"api_version": API_VERSION, "plugins": rows, "problems": problems}, indent=2))
    else:
        _print(rows)
    for problem in plugins.problems:
        print(f"rlpa-bench: {problem}", file=sys.stderr)
    return 0


def _row(offer: Any) -> dict[str, Any]:
    return {
        "kind": offer.kind[:-1],
        "name": offer.name,
        "distribution": offer.distribution,
        "version": offer.version,
        "usable": not offer.problem,
        "reason": offer.problem,
        "summary": offer.summary,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    widths = {name: max(len(str(row[name])) for row in rows) for name in ("kind", "name", "distribution", "version")}
    for row in rows:
        columns = "  ".join(str(row[name]).ljust(width) for name, width in widths.items())
        print(f"{columns}  {row['summary']}" + (f" [{row['reason']}]" if row["reason"] else ""))


@command.command("show", help="One plugin and its options, by NAME or KIND/NAME.")
@click.argument("name")
@plugin_flags
def show(name: str) -> int:
    from difflib import get_close_matches

    from rlpa_bench.errors import PluginError
    from rlpa_bench.interfaces import KINDS
    from rlpa_bench.plugins import Plugins

    plugins = Plugins()
    kind, slash, rest = name.rpartition("/")
    kinds = [f"{kind.removesuffix('s')}s"] if slash else list(KINDS)
    found = [offer for k in kinds for offer in plugins.offers(k) if offer.name == rest]
    if not found:
        names = sorted({offer.name for k in kinds for offer in plugins.offers(k)})
        near = get_close_matches(rest, names, n=3, cutoff=0.5) or names
        raise PluginError(f"unknown plugin {name!r}; there is {' or '.join(near)} (rlpa-bench plugins list)")
    for offer in found:
        _show(offer)
    return 0


def _show(offer: Any) -> None:
    import inspect

    print(f"{offer.kind[:-1]} {offer.name} ({offer.distribution} {offer.version})\n")
    print(inspect.cleandoc(offer.component.__doc__ or "No description."))
    print(f"\nUsable here: {'yes' if not offer.problem else 'no, ' + offer.problem}\n\nOptions:")
    fields = offer.component.Options.model_fields
    for option, field in fields.items():
        print(f"  -o {offer.kind[:-1]}.{offer.name}.{option}=…  [{field.default!r}] {field.description or ''}")
    if not fields:
        print("  none")


@command.command("new", help="Write an installable package for a KIND of plugin called NAME, with passing tests.")
@click.argument("kind", metavar="suite|simulator|judge|baseline|model|metric")
@click.argument("name")
@flag("--dir", "folder", type=click.Path(path_type=Path), default=Path(), help="Where to put it.  [default: here]")
def new(kind: str, name: str, folder: Path) -> int:
    from rlpa_bench.skeletons import write_skeleton

    target = write_skeleton(kind, name, folder)
    print(f"{target}\n\nNext:\n  pip install -e '{target}[test]'\n  pytest {target}")
    print(f"  rlpa-bench plugins show {kind}/{name}\nThen see {target / 'README.md'}.")
    return 0


@command.command("check", help="Check the plugins of distribution, entry point, file or KIND/NAME for conformance.")
@click.argument("name")
@flag("--json", "as_json", is_flag=True, help="As JSON.")
@plugin_flags
def check(name: str, as_json: bool) -> int:
    from rlpa_bench.testing.distribution import card

    found = card(name)
    if as_json:
        import json

        print(json.dumps(found.as_json(), indent=2))
    else:
        print(found)
    return 1 if found.failed else 0
