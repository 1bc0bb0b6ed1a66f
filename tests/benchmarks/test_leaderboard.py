"""Time and memory of validating one submission of 100 profiles x 3 seeds x 10 turns, and of rendering 100 systems.

Seconds are those of one machine and one moment, so nothing is asserted of them; ``tox -e bench -- -m slow -s`` prints
them. They are to stay below 60 and 5.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from leaderboard_kit import OPEN, play_systems

from rlpa_bench.leaderboard.prepare import prepare
from rlpa_bench.leaderboard.render import LARGEST
from rlpa_bench.leaderboard.schema import Result
from rlpa_bench.leaderboard.split import split
from rlpa_bench.leaderboard.store import Store

pytestmark = pytest.mark.slow

MEGABYTES = 500


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """One hundred fresh profiles with one personality each."""
    folder = tmp_path_factory.mktemp("split") / "fresh"
    split(folder, seed="benchmark", day=date(2026, 1, 1), profiles=100, personalities=1)
    return [f"suite.{name}={folder}/{name}.jsonl" for name in ("profiles", "personalities")]


@pytest.fixture(scope="module")
def submission(options: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    run = play_systems(folder / "run", limit=None, seeds=3, turns=10, model="", baseline="asker", options=options)
    return prepare([run.path], folder / "out", submitter="A. Person", training=OPEN)[0]


def child_seconds_and_megabytes(code: str, *words: str) -> tuple[float, float]:
    """Seconds of work (one thread; what else runs on the machine does not count) and peak resident MB of a process."""
    done = subprocess.run([sys.executable, "-c", code + USED, *words], capture_output=True, text=True, check=True)
    seconds, kilobytes = done.stdout.split()[-2:]
    return float(seconds), int(kilobytes) / 1024


def told(what: str, benchmark: Any, seconds: float, megabytes: float) -> None:
    benchmark.extra_info |= {"seconds": round(seconds, 1), "MB": round(megabytes)}
    print(f"\n{what}: {seconds:.1f} s of processor time, {megabytes:.0f} MB")
    assert megabytes <= MEGABYTES


USED = """
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


VALIDATE = """
import sys
from rlpa_bench.leaderboard.validate import validate
checked = validate(sys.argv[1], options=sys.argv[2:])
assert checked.accepted, checked.record()
"""
RENDER = """
import sys
from pathlib import Path
from rlpa_bench.leaderboard.render import render
from rlpa_bench.leaderboard.store import Store
render(Store(sys.argv[1]), Path(sys.argv[2]))
"""


def test_validating_3000_turns(submission: Path, options: list[str], benchmark: Any) -> None:
    used = benchmark.pedantic(child_seconds_and_megabytes, (VALIDATE, str(submission), *options), rounds=1)
    told("validating 3,000 turns", benchmark, *used)


@pytest.fixture(scope="module")
def hundred(submission: Path, options: list[str], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One hundred rows of 100 profiles: one real result under a hundred names, no two values alike."""
    store = Store(tmp_path_factory.mktemp("hundred") / "board")
    added = store.add(submission, options=options)
    assert added.result is not None
    (store.path / "history.jsonl").unlink()
    for i in range(100):
        result = added.result.model_dump(mode="json")
        name = f"system-{i:03}"
        result["id"] = result["submission"]["id"] = name
        result["submission"]["system"] |= {"name": name, "method": "prompted", "model": "m", "grants": []}
        result["flags"] = []
        result["usage"] = {"completion_tokens per turn": 20.0 + i, "cost per dialogue": None}
        cases = result["row"]["AVG[rules]"]["cases"]
        result["row"]["AVG[rules]"]["cases"] = {
            c: v + (hash((i, k)) % 97) / 9 for k, (c, v) in enumerate(cases.items())
        }
        store.book("include", Result.model_validate(result), "")
    return store


def test_rendering_100_systems(hundred: Store, tmp_path: Path, benchmark: Any) -> None:
    words = (str(hundred.path), str(tmp_path / "site"))
    used = benchmark.pedantic(child_seconds_and_megabytes, (RENDER, *words), rounds=1)
    told("rendering 100 systems", benchmark, *used)
    (page,) = (tmp_path / "site").glob("*/index.html")
    assert page.stat().st_size <= LARGEST
    assert page.read_text().count('class="card"') >= 100
