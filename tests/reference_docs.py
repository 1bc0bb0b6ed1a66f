"""The reference that is made from the code: docs/reference/hooks.md and public-api.md.

``python tests/reference_docs.py`` writes both; a test fails while they differ from the code.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from rlpa_bench import hookspecs
from rlpa_bench.api import API_VERSION, PUBLIC

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
AGAIN = "Made by `python tests/reference_docs.py`; do not edit."


def _markdown(text: str) -> str:
    """What the docstrings mark, as Markdown marks it."""
    return re.sub(r":\w+:`", "`", text.replace("``", "`"))


HOOKS = f"""# Hooks

<!-- {AGAIN} -->

Plugin API {API_VERSION}. {_markdown(inspect.cleandoc(hookspecs.__doc__ or ""))}

A function may leave out arguments that it does not need. Whatever a hook raises is noted among the problems of the
run and stops nobody. `rlpa-bench plugins new KIND NAME` writes a package that has all this; a
[page](../how-to/loggers.md#a-logger-of-your-own) shows how to observe runs.
"""

SURFACE = f"""# Public API

<!-- {AGAIN} -->

Plugin API {API_VERSION} (`rlpa_bench.api_version`). What stands here stays, or warns for one minor version before it
goes; everything else may change any day. From the first release on, when this table changes, `API_VERSION` in
`rlpa_bench/api.py` changes too: its second number where something was added, its first where something was changed or
taken away.
"""


def hooks() -> str:
    """hooks.md: every hook with its signature and docstring."""
    parts = [HOOKS]
    offering = [name for name in _own_names(hookspecs) if name.startswith("rlpa_bench_")]
    for title, chosen in {
        "Offering components": [n for n in offering if "Iterable[type[" in _signature(getattr(hookspecs, n))],
        "Observing runs and adding commands": [
            n for n in offering if "Iterable[type[" not in _signature(getattr(hookspecs, n))
        ],
    }.items():
        parts.append(f"## {title}\n")
        for name in chosen:
            function = getattr(hookspecs, name)
            parts.append(f"### `{name}`\n\n```python\n@hookimpl\ndef {name}{_signature(function)}: ...\n```\n")
            parts.append(f"{_markdown(inspect.cleandoc(function.__doc__))}\n")
    return "\n".join(parts)


def surface() -> str:
    """public-api.md: every public name with its signature and the first line of its docstring."""
    parts = [SURFACE]
    for name, chosen in PUBLIC.items():
        module = import_module(name)
        parts.append(f"## `{name}`\n\n{_first_line(module.__doc__)}\n\n| name | what it is |\n|---|---|")
        for own in chosen or _own_names(module):
            parts += [f"| `{_cell(text)}` | {_cell(what)} |" for text, what in _rows(module, own)]
        parts.append("")
    return "\n".join(parts)


def _own_names(module: ModuleType) -> list[str]:
    """``__all__``, or what the module itself defines, in the order of its text."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    tree = ast.parse(inspect.getsource(module))
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
    return [name for name in names if not name.startswith("_") and len(name) > 1]


def _rows(module: ModuleType, name: str) -> Iterator[tuple[str, str]]:
    value = getattr(module, name)
    home = getattr(value, "__module__", module.__name__)
    if inspect.isclass(value) and home != module.__name__ and home in PUBLIC:
        yield f"class {name}", f"see `{home}`"
    elif inspect.isclass(value) and home.startswith("rlpa_bench"):
        bases = [base.__name__ for base in value.__bases__ if base is not object]
        yield f"class {name}" + (f"({', '.join(bases)})" if bases else ""), _first_line(value.__doc__)
        yield from ((f"{name}.{member}", what) for member, what in _members(value))
    elif inspect.isfunction(value):
        kind = "async " if inspect.iscoroutinefunction(value) else ""
        yield f"{kind}{name}{_signature(value)}", _first_line(value.__doc__)
    elif inspect.isclass(value) or type(value).__module__ in ("typing", "collections.abc", "types"):
        yield name, f"alias of `{value}`"
    else:
        yield name, type(value).__name__


def _members(cls: type[Any]) -> Iterator[tuple[str, str]]:
    """Fields, class attributes, properties and methods that the class itself defines."""
    defaults = {field.name: field for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else {}
    for name, annotation in vars(cls).get("__annotations__", {}).items():
        if not name.startswith("_"):
            field = defaults.get(name)
            given = "" if field is None or field.default is dataclasses.MISSING else f" = {field.default!r}"
            yield f"{name}: {annotation}{given}", "field" if field else "attribute"
    for name, member in vars(cls).items():
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if name.startswith("_"):
            continue
        if isinstance(member, property | cached_property):
            getter: Any = member.fget if isinstance(member, property) else member.func
            yield (
                f"{name} -> {getter.__annotations__.get('return')}",
                f"property. {_first_line(member.__doc__)}".strip(),
            )
        elif inspect.isfunction(function):
            kind = "async " if inspect.iscoroutinefunction(function) else ""
            needed = "to be defined. " if getattr(function, "__isabstractmethod__", False) else ""
            yield f"{kind}{name}{_signature(function)}", needed + _first_line(function.__doc__)


def _signature(function: Any) -> str:
    return str(inspect.signature(function)).replace("'", "").replace("(self, ", "(").replace("(self)", "()")


def _first_line(text: str | None) -> str:
    return _markdown((text or "").strip().split("\n")[0])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


MADE = {"hooks.md": hooks, "public-api.md": surface}

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file, make in MADE.items():
        (FOLDER / file).write_text(make(), encoding="utf-8")
