"""Packages to start a plugin from: ``rlpa-bench plugins new KIND NAME``. The texts are in ``templates/``, by kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from rlpa_bench.api import API_VERSION
from rlpa_bench.errors import UsageError
from rlpa_bench.plugins import BASES, Plugins

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")

HELP = {
    "suite": ("the personas of a file, one case each.",
              "rlpa-bench run --suite $name --baseline echo,asker", "The title of the table names the suite."),
    "simulator": ("tells a fact whenever it is asked something.",
                  "rlpa-bench run --suite aloe --limit 5 --simulator $name --baseline echo,asker",
                  "The title of the table names the simulator."),
    "judge": ("whether a reply takes up what the user has disclosed.",
              "rlpa-bench run --suite aloe --limit 5 --judge $name,profile --baseline echo,asker",
              "The table has the column `AVG[$name]`."),
    "baseline": ("the model, reminded of what the user has said.",
                 "rlpa-bench run --suite aloe --limit 5 --model scripted --baseline base,$name",
                 "The table has the row `scripted/$name`."),
    "model": ("notes what it hears and asks on.",
              "rlpa-bench run --suite aloe --limit 5 --model $name", "The table has the row `$name/base`."),
    "metric": ("the share of the replies that ask something.",
               "rlpa-bench run --suite aloe --limit 5 --baseline echo,asker", "The table has the column `$name`."),
}  # fmt: skip
"""Kind -> what the example does, how to run it, where the run shows it."""


def write_skeleton(kind: str, name: str, folder: Path) -> Path:
    """Writes an installable package for a plugin into ``folder/name``; returns its path.

    Raises:
        UsageError: for an unknown kind, a name that cannot be one or is taken, or a folder that is not empty.
    """
    if kind not in HELP:
        raise UsageError(f"unknown kind {kind!r}; the kinds are {', '.join(HELP)}")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be a plugin's name; write lower-case letters and digits, joined by -")
    if taken := [offer for offer in Plugins().offers(f"{kind}s") if offer.name == name]:
        raise UsageError(f"there is a {taken[0].origin} already; choose another name")
    target = folder / name
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} exists and is not empty; choose another name or --dir")
    values = _values(kind, name)
    for part in ("all", kind):
        for path, text in _templates(files(__package__).joinpath("templates", part)):
            file = target / path.replace("PACKAGE", values["package"])
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(Template(text).substitute(values), encoding="utf-8")
    return target


def _values(kind: str, name: str) -> dict[str, str]:
    package = "rlpa_bench_" + name.replace("-", "_")
    summary, command, shows = (Template(text).substitute(name=name) for text in HELP[kind])
    cls = "".join(word.capitalize() for word in re.split("[-_]", name))
    base = BASES[f"{kind}s"].__name__
    return {
        "kind": kind,
        "name": name,
        "cls": cls if cls != base else f"My{cls}",
        "base": base,
        "package": package,
        "distribution": package.replace("_", "-"),
        "api": API_VERSION,
        "summary": summary,
        "command": command,
        "shows": shows,
    }


def _templates(folder: Traversable, inside: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of every file to write."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _templates(entry, f"{inside}{entry.name}/")
        elif entry.name.endswith(".txt"):
            name = entry.name.removesuffix(".txt")
            yield f"{inside}{'.gitignore' if name == 'gitignore' else name}", entry.read_text(encoding="utf-8")
