"""A leaderboard's folder -> ``site/``: files that any static host serves; equal input gives equal bytes."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from rlpa_bench.errors import UsageError
from rlpa_bench.leaderboard import exports, plots, published, tables
from rlpa_bench.leaderboard.board import MARKS, boards
from rlpa_bench.leaderboard.schema import SCHEMAS, TIERS, Board, Row
from rlpa_bench.leaderboard.store import Standing, Store
from rlpa_bench.report.curves import Bar, forest
from rlpa_bench.report.table import cell_text
from rlpa_bench.runs import write_json

if TYPE_CHECKING:
    from jinja2 import Environment

LARGEST = 2_000_000
"""Bytes of a page at most; transcripts take what the rest leaves."""


def render(store: Store, out: Path | None = None, *, dataset: str = "", page: str = "") -> Path:
    """Writes all boards and returns the folder, by default ``site`` inside the leaderboard.

    Into the leaderboard itself go the tables as ``tables/BOARD.md|csv|tex`` and the papers' numbers as
    ``published/rlpa.md``, unless ``out`` says where the site goes.

    Args:
        dataset: the Hub's id of the benchmark data set for ``.eval_results`` files; by default ``rlpa-bench/SUITE``.
        page: where the site will be served, for the sources that exports name.

    Raises:
        UsageError: if ``out`` holds something that is no site.
    """
    site = out or store.path / "site"
    if site.exists() and any(site.iterdir()) and not (site / "schemas").is_dir():
        raise UsageError(f"{site} holds something else than a site; choose another --out")
    standing = store.standing()
    made = boards(standing, store.history())
    rmtree(site, ignore_errors=True)
    (site / "schemas").mkdir(parents=True)
    for name, model in SCHEMAS.items():
        write_json(site / "schemas" / f"{name}.schema.json", model.model_json_schema())
    for board in made:
        mine = {one.result.id: one for one in standing if one.result.board == board.id}
        _write_board(board, mine, site / board.id, dataset or f"rlpa-bench/{board.key.suite}", page)
    env = _environment()
    frame = {"style": _style(env), "script": "", "script_hash": ""}
    _write(site / "index.html", env.get_template("index.html").render(boards=made, **frame))
    quoted = {"tables": list(published.quoted()), "source": published.source(), "t0": TIERS["T0"]}
    _write(site / "published.html", env.get_template("published.html").render(**quoted, **frame))
    if out is None:
        keep_tables(made, store.path)
    return site


def keep_tables(made: Sequence[Board], folder: Path) -> None:
    """The small files that stand in the repository, in place of those that were there."""
    for name in ("tables", "published"):
        rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    for board in made:
        for ending, text in (("md", tables.as_markdown), ("csv", tables.as_csv), ("tex", tables.as_tex)):
            _write(folder / "tables" / f"{board.id}.{ending}", text(board))
    _write(folder / "published" / "rlpa.md", published.as_markdown(TIERS["T0"]))


def _write_board(board: Board, standing: Mapping[str, Standing], folder: Path, dataset: str, page: str) -> None:
    folder.mkdir()
    write_json(folder / "leaderboard.json", board.model_dump(mode="json"))
    columns = list(dict.fromkeys([*tables.short(board), *plots.LEARNT]))
    for name, text in (
        ("leaderboard.csv", tables.as_csv(board)),
        ("leaderboard.md", tables.as_markdown(board)),
        ("leaderboard.tex", tables.as_tex(board)),
        ("curves.csv", tables.curves_csv(board)),
        ("pairs.csv", tables.pairs_csv(board)),
        ("points.csv", tables.points_csv(board, columns)),
        ("index.html", _page(board, standing)),
    ):
        _write(folder / name, text)
    _write_exports(board, standing, folder / "exports", dataset, f"{page.rstrip('/')}/{board.id}/" if page else "")


def _write_exports(board: Board, standing: Mapping[str, Standing], folder: Path, dataset: str, page: str) -> None:
    from importlib.metadata import version

    folder.mkdir()
    for row in board.rows:
        usable = not row.control and "withdrawn" not in row.flags
        if usable and row.row.get(board.headline, {}).get("mean") is not None:
            _write(folder / f"{row.id}.eval_results.yaml", exports.hugging_face(board, row, dataset, page))
            write_json(folder / f"{row.id}.eee.json", exports.every_eval_ever(board, row, version("rlpa-bench")))


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


def _page(board: Board, standing: Mapping[str, Standing]) -> str:
    env = _environment()
    numbers = {row.id: i for i, row in enumerate(board.rows, 1)}
    by_id = {row.id: row for row in board.rows}
    bars, axis = _forest(board)
    curves = [(row, svg) for row in board.rows if (svg := plots.curve(board, row))]
    drawn = (plots.cost(board, numbers), plots.learnt(board, numbers), plots.significance(board, numbers))
    script = env.get_template("board.js").render()
    from markupsafe import Markup

    content = {
        "board": board,
        "short": tables.short(board),
        "numbers": numbers,
        "bars": [(bar, by_id[bar.candidate]) for bar in bars],
        "axis": axis,
        "curves": curves,
        "plots": [plot for plot in drawn if plot],
        "rank_text": tables.rank_text,
        "yes": tables.yes,
        "zero_shot": tables.zero_shot,
        "cell_text": cell_text,
        "hard": MARKS,
        "style": _style(env),
        "script": Markup(script),
        "script_hash": b64encode(sha256(script.encode()).digest()).decode(),
        "talks": {row.id: () for row in board.rows},
    }
    template = env.get_template("board.html")
    room = LARGEST - len(template.render(content).encode()) - 100 * len(board.rows)  # which says how many are shown
    return template.render({**content, "talks": _talks(board.rows, standing, room, env)})


def _forest(board: Board) -> tuple[list[Bar], str]:
    summary = {"rows": {row.id: row.row for row in board.rows}}
    return forest(summary, [row.id for row in board.rows], board.headline)


def _talks(rows: Sequence[Row], standing: Mapping[str, Standing], room: int, env: Environment) -> dict[str, list[Any]]:
    """Excerpts that fit: first one of every system, contestants before controls, then second ones, then third ones."""
    from markupsafe import Markup

    template = env.get_template("talk.html")
    ordered = sorted(rows, key=lambda row: row.control)
    shown: dict[str, list[Any]] = {row.id: [] for row in rows}
    for number in range(3):
        for row in ordered:
            kept = standing[row.id].result.excerpts
            if number < len(kept):
                body = template.render(talk=kept[number])
                if (size := len(body.encode())) <= room:
                    room -= size
                    shown[row.id].append(Markup(body))
    return shown


@cache
def _environment() -> Environment:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=ChoiceLoader([PackageLoader("rlpa_bench.leaderboard"), PackageLoader("rlpa_bench.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value.translate(_CONTROLS) if isinstance(value, str) else value,
    )
    env.filters |= {"bold_value": _bold_value, "pairs": _pairs, "money": _money}
    return env


_CONTROLS = {code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n\r"}


def _style(env: Environment) -> Any:
    from markupsafe import Markup

    return Markup(env.get_template("page.css").render() + env.get_template("board.css").render())


def _bold_value(text: str) -> Any:
    """A cell's text with the value set apart from its interval and counts."""
    from markupsafe import Markup

    value, _, rest = text.partition(" ")
    return Markup("<b>{}</b>").format(value) + (Markup(" <small>{}</small>").format(rest) if rest else "")


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(_words(values))


def _words(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in sorted(values.items()):
        yield f"{name} = {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def _money(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4f}"
