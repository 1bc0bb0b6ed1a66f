"""What is public is written down, and does not change by accident."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
import reference_docs
from reference_docs import FOLDER, MADE, surface

import rlpa_bench
from rlpa_bench import hookspecs, types
from rlpa_bench.api import PUBLIC
from rlpa_bench.interfaces import KINDS, Judge

AGAIN = "run `python tests/reference_docs.py`; if that changes public-api.md, raise API_VERSION in rlpa_bench/api.py"


@pytest.mark.parametrize("file", MADE)
def test_the_reference_is_that_of_the_code(file: str) -> None:
    written = (FOLDER / file).read_text(encoding="utf-8").splitlines()
    made = MADE[file]().splitlines()
    different = [line for line in made if line not in written] + [line for line in written if line not in made]
    assert written == made, f"{AGAIN}; it differs first in {different[:1]}"


def rename(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Judge, "judge")


def further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Judge, "judge_twice", lambda self, subject: None, raising=False)


def other_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    def at(self: Any, turn: int) -> None: ...

    monkeypatch.setattr(types.Gold, "at", at)


def other_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(types.Output.__annotations__, "raw", "bytes")


@pytest.mark.parametrize("change", [rename, further, other_argument, other_field])
def test_a_change_of_the_surface_shows(change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = surface()
    change(monkeypatch)
    assert surface() != before


def test_every_public_module_and_name_is_there_and_has_a_docstring() -> None:
    for name, chosen in PUBLIC.items():
        module = import_module(name)
        assert module.__doc__
        for own in chosen or reference_docs._own_names(module):
            value = getattr(module, own)
            if getattr(value, "__module__", "").startswith("rlpa_bench"):
                assert value.__doc__, f"{name}.{own}"


def test_every_hook_is_documented_with_all_its_arguments() -> None:
    text = MADE["hooks.md"]()
    names = [name for name in vars(hookspecs) if name.startswith("rlpa_bench_")]
    assert {f"rlpa_bench_{kind}" for kind in KINDS} < set(names)
    for name in names:
        function = getattr(hookspecs, name)
        assert f"### `{name}`" in text and function.__doc__
        assert all(argument in text for argument in function.__annotations__ if argument != "return")


def test_the_package_names_what_it_exports_in_order() -> None:
    assert list(rlpa_bench.__all__) == sorted(rlpa_bench.__all__)
    for name in rlpa_bench.__all__:
        assert getattr(rlpa_bench, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = rlpa_bench.nothing
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = import_module("rlpa_bench.testing").nothing


def test_the_test_kit_exports_what_it_names_and_imports_it_late() -> None:
    testing: ModuleType = import_module("rlpa_bench.testing")
    assert list(testing.__all__) == sorted(testing.__all__)
    for name in testing.__all__:
        assert getattr(testing, name).__module__.startswith("rlpa_bench.testing.")
    code = "import sys, rlpa_bench.testing; print('rlpa_bench.interfaces' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
