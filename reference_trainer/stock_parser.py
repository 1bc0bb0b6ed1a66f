"""Asks OpenRLHF's own parser whether it takes our arguments, without importing the engine.

Its parser and its assertions stand under ``if __name__ == "__main__"``, before the call ``train(args)``. They are taken
from the installed source as syntax and executed alone: nothing but the standard library is needed, no GPU, no torch.
"""

from __future__ import annotations

import ast
import contextlib
import io
import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from rlpa_bench.errors import UsageError


def parsed(source: Path, arguments: Sequence[str]) -> Any:
    """The arguments as OpenRLHF would have them after its own checks.

    Args:
        source: the folder ``openrlhf``.

    Raises:
        UsageError: with the parser's or the assertion's own words, if it refuses them.
    """
    script = source / "cli" / "train_ppo_ray.py"
    program = _until_training(ast.parse(script.read_text(encoding="utf-8")))
    scope: dict[str, Any] = {"__name__": "parser"}
    said = io.StringIO()
    with _config_module(source), _argv(["train_ppo_ray", *arguments]), contextlib.redirect_stderr(said):
        try:
            with contextlib.redirect_stdout(said):
                exec(compile(program, str(script), "exec"), scope)
        except SystemExit:
            message = said.getvalue().strip().rpartition("error: ")[2]
            raise UsageError(f"OpenRLHF refuses the arguments: {message}") from None
        except AssertionError as error:
            raise UsageError(f"OpenRLHF refuses the arguments: {error}") from None
    return scope["args"]


def _until_training(tree: ast.Module) -> ast.Module:
    """The main block up to the call that trains, with the plain imports it uses."""
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) and _standard(node)]
    block = next(node.body for node in tree.body if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test))
    steps: list[ast.stmt] = []
    for node in block:
        if isinstance(node, ast.Expr) and ast.unparse(node.value).startswith("train("):
            return ast.Module([*imports, *steps], [])
        steps.append(node)
    raise UsageError("this OpenRLHF has no call train(args) in its main block; the pinned version does")


def _standard(node: ast.Import | ast.ImportFrom) -> bool:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return all(name.partition(".")[0] in sys.stdlib_module_names for name in names)


@contextlib.contextmanager
def _config_module(source: Path) -> Any:
    """``openrlhf.utils.config``, which the block imports, loaded by its path under bare packages."""
    names = ("openrlhf", "openrlhf.utils", "openrlhf.utils.config")
    before = {name: sys.modules.get(name) for name in names}
    spec = spec_from_file_location(names[-1], source / "utils" / "config.py")
    if spec is None or spec.loader is None:
        raise UsageError(f"{source} is no OpenRLHF")
    config = module_from_spec(spec)
    spec.loader.exec_module(config)
    sys.modules |= {names[0]: ModuleType(names[0]), names[1]: ModuleType(names[1]), names[2]: config}
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


@contextlib.contextmanager
def _argv(words: list[str]) -> Any:
    before, sys.argv = sys.argv, words
    try:
        yield
    finally:
        sys.argv = before
