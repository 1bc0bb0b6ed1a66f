"""``rlpa-bench matrix`` as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rlpa_bench.cli.main import cli
from rlpa_bench.errors import RlpaBenchError

SMALL = ["--suite", "aloe", "--baseline", "asker,scribe,echo", "--limit", "4", "--turns", "3"]


def typed(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["matrix", *map(str, words)])


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("command") / "matrix"
    return out, typed(*SMALL, "--out", out)


def test_plays_shows_and_writes(played: tuple[Path, Result]) -> None:
    out, result = played
    assert result.exit_code == 0, result.output
    for words in ("agenda, rules", "reciprocal, retrieval", "tau-b", "candidate x simulator", "heatmap.svg"):
        assert words in result.output
    assert {path.name for path in (out / "runs").iterdir()} == {"agenda", "reciprocal"}
    assert "asker*" in (out / "matrix.md").read_text(encoding="utf-8")


def test_resume_needs_no_terms_and_gives_the_same(played: tuple[Path, Result]) -> None:
    out, _ = played
    before = (out / "analysis.json").read_bytes()
    result = typed("--resume", out, "--candidate", "asker,echo,scribe")
    assert result.exit_code == 0, result.output
    assert (out / "analysis.json").read_bytes() == before


def test_runs_side_by_side_play_nothing(
    played: tuple[Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLPA_BENCH_CACHE", "0")  # for whatever plays; said to nobody in particular
    out, _ = played
    result = typed(out / "runs" / "agenda", out / "runs" / "reciprocal", "--judge", "rules", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "retrieval" not in (tmp_path / "matrix.md").read_text(encoding="utf-8")
    strange = typed(out / "runs" / "agenda", "--limit", "3")
    assert isinstance(strange.exception, RlpaBenchError) and "--limit plays" in str(strange.exception)
