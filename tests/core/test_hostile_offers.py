"""Hostile plugins before and after play: what they offer, how they are built, described, started and closed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hostile import exits
from toyruns import files, play
from toys import Counter, Plain, Plugin, ToyJudge, ToyModel, ToySimulator, ToySuite, case

import rlpa_bench
from rlpa_bench import hookimpl
from rlpa_bench.errors import PluginError
from rlpa_bench.plugins import Plugins
from rlpa_bench.types import Case


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        (lambda: 1 / 0, r"suite 'toy' failed: ZeroDivisionError: division by zero"),
        (lambda: None, r"suite 'toy' failed: TypeError: 'NoneType' object is not iterable"),
        (lambda: [case(0), "case"], r"suite 'toy' returned a str among its cases"),
        (exits, r"suite 'toy' called sys.exit\(0\)"),
    ],
)
def test_a_suite_without_cases_is_named(out: Path, cases: Any, said: str) -> None:
    class Hostile(ToySuite):
        def cases(self) -> Sequence[Case]:
            return cases()  # type: ignore[no-any-return]

    with pytest.raises(PluginError, match=said):
        play(out, Hostile)


@pytest.mark.parametrize("base", [ToySuite, ToySimulator, ToyJudge, ToyModel, Plain])
def test_a_component_that_cannot_be_built_is_named(out: Path, base: type[Any]) -> None:
    class Hostile(base):  # type: ignore[misc]
        def __init__(self, *_: Any, **more: Any) -> None:
            raise RuntimeError("out of order")

    with pytest.raises(PluginError, match=rf"'{base.name}' of this process failed: RuntimeError: out of order"):
        play(out, Hostile)


def test_a_component_that_cannot_describe_itself_start_or_close(out: Path) -> None:
    class Silent(ToyJudge):
        def describe(self) -> Mapping[str, Any]:
            return {"set": {1, 2}}

    with pytest.raises(PluginError, match=r"describe\(\) of judges/asks failed: TypeError: Type is not JSON"):
        play(out, Silent)

    class Cold(ToyModel):
        async def start(self) -> None:
            raise RuntimeError("no engine")

    with pytest.raises(PluginError, match="model 'toy' could not start: RuntimeError: no engine"):
        play(out, Cold)

    class Clinging(Counter):
        name = "clinging"

        async def aclose(self) -> None:
            raise RuntimeError("will not go")

    run = play(out, Clinging, baseline="clinging", model="")
    assert run.info["counts"]["failed"] == 0
    assert "closing baseline 'clinging' failed: RuntimeError: will not go" in run.info["problems"][0]


def test_every_component_is_closed(out: Path) -> None:
    closed = []

    def closing(base: type[Any]) -> type[Any]:
        class Closing(base):  # type: ignore[misc]
            async def aclose(self) -> None:
                closed.append(self.name)

        return Closing

    play(out, *map(closing, (ToySuite, ToySimulator, ToyJudge, ToyModel, Plain)))
    assert sorted(closed) == ["asks", "plain", "toy", "toy", "toy"]


def test_a_hook_that_exits_is_skipped() -> None:
    class Leaving:
        @hookimpl
        def rlpa_bench_judges(self) -> None:
            sys.exit(0)

    plugins = Plugins([Leaving(), Plugin(ToyJudge)], entry_point_group=None)
    assert [offer.name for offer in plugins.offers("judges")] == ["asks"]
    assert "rlpa_bench_judges() called sys.exit(0)" in str(plugins.problems[0])


@pytest.mark.parametrize(
    ("component", "said"),
    [
        (ToyModel, "ToyModel is no subclass of Judge"),
        (ToyJudge(None, None), "is no subclass of Judge"),  # type: ignore[arg-type]
        ("ToyJudge", "'ToyJudge' is no subclass of Judge"),
        (type("Shouting", (ToyJudge,), {"name": "Loud Judge"}), "Shouting.name is 'Loud Judge'; write lower-case"),
        (type("Slashed", (ToyJudge,), {"name": "a/b"}), "Slashed.name is 'a/b'"),
        (type("Nameless", (ToyJudge,), {"name": None}), "Nameless.name is None"),
        (type("Plainly", (ToyJudge,), {"Options": dict}), "Plainly.Options is no pydantic model"),
        (rlpa_bench.interfaces.Judge, "Judge.name is None"),  # type: ignore[attr-defined]
    ],
)
def test_what_is_no_component_is_said_and_its_neighbours_live(component: Any, said: str) -> None:
    class Mixed:
        @hookimpl
        def rlpa_bench_judges(self) -> Sequence[Any]:
            return [component, ToyJudge]

    plugins = Plugins([Mixed()], entry_point_group=None)
    assert [offer.name for offer in plugins.offers("judges")] == ["asks"]
    (problem,) = plugins.problems
    assert said in problem.message


def test_the_run_of_a_hostile_neighbour_is_recorded(whole: rlpa_bench.Run, out: Path) -> None:
    class Raising:
        @hookimpl
        def rlpa_bench_judges(self) -> None:
            raise LookupError("lost")

    run = play(out, watchers=[Raising()])
    assert files(out) == files(whole.path)
    assert json.loads((out / "run.json").read_text())["problems"] == run.info["problems"]
    assert "LookupError: lost" in run.info["problems"][0]
