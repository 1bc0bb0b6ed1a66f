"""The board in the repository: its history holds, its tables are what rendering gives, and it stays small."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlpa_bench.leaderboard.board import boards
from rlpa_bench.leaderboard.render import keep_tables
from rlpa_bench.leaderboard.store import Store

BOARD = Path(__file__).parents[2] / "leaderboards"

pytestmark = pytest.mark.skipif(not (BOARD / "history.jsonl").exists(), reason="an sdist holds no boards")


def kept() -> list[Path]:
    """The files that stand in the repository; the site is built elsewhere."""
    return [path for path in BOARD.rglob("*") if path.is_file() and "site" not in path.relative_to(BOARD).parts]


def test_the_tables_are_what_the_history_gives(tmp_path: Path) -> None:
    store = Store(BOARD)
    keep_tables(boards(store.standing(), store.history()), tmp_path)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    known = [path.relative_to(BOARD) for path in kept()]
    assert sorted(made) == sorted(name for name in known if name.parts[0] in ("tables", "published"))
    assert all((BOARD / name).read_bytes() == content for name, content in made.items())


def test_every_board_has_its_controls_and_the_folder_is_small() -> None:
    store = Store(BOARD)
    for board in boards(store.standing(), store.history()):
        controls = {row.system.name for row in board.rows if row.control}
        assert controls >= {"null", "echo", "scribe", "asker", "injector", "lookup"}
    sizes = [path.stat().st_size for path in kept()]
    assert max(sizes) < 1_000_000 and sum(sizes) < 6 * 2**20


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_number_is_recomputed_from_the_transcripts() -> None:
    assert Store(BOARD).verify() == []
