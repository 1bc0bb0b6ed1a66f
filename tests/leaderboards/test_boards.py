"""Boards: what is ranked and what is not, the files they become, and that equal input gives equal bytes."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rlpa_bench.leaderboard.board import boards
from rlpa_bench.leaderboard.published import quoted
from rlpa_bench.leaderboard.render import LARGEST, render
from rlpa_bench.leaderboard.schema import SCHEMAS, Board, Result
from rlpa_bench.leaderboard.store import Standing, Store
from rlpa_bench.statistics import paired_difference, rank_intervals

HERE = Path(__file__).parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
Values = Mapping[str, Mapping[str, float]]


def invented(template: Result, values: Values, **system: Any) -> list[Standing]:
    """Results like a real one, with other values of the headline by system and case."""
    out = []
    for name, cases in values.items():
        mean = sum(cases.values()) / len(cases)
        cell = {**template.row["AVG[rules]"], "cases": dict(cases), "mean": mean, "low": mean - 1, "high": mean + 1}
        about = {"name": name, "method": "prompted", "model": "m", "baseline": "b", **system}
        submission = template.submission.model_copy(
            update={"id": name, "system": template.submission.system.model_copy(update=about)}
        )
        changes = {
            "id": name, "row": {**template.row, "AVG[rules]": cell}, "clusters": {case: case for case in cases},
            "submission": submission, "flags": (),
        }  # fmt: skip
        out.append(Standing(template.model_copy(update=changes), "T2", ()))
    return out


@pytest.fixture
def template(filled: Path) -> Result:
    return next(s.result for s in Store(filled).standing() if s.result.submission.system.name == "chatty/plain")


def systems(effects: list[float], profiles: int, seed: int = 1) -> dict[str, dict[str, float]]:
    """Values with a shared part per profile, as paired data have it."""
    draw = Random(seed)
    shared = [draw.gauss(50, 10) for _ in range(profiles)]
    return {
        f"s{k}": {f"p{i}": base + effect + draw.gauss(0, 6) for i, base in enumerate(shared)}
        for k, effect in enumerate(effects)
    }


def test_the_pairwise_tests_of_ranked_rows_are_those_of_the_ranks_whoever_else_is_there(template: Result) -> None:
    """Forty controls more, and a difference that would not survive a correction over all pairs."""
    pair = invented(template, systems([0, 2.6], 60))
    others = systems([0.0] * 40, 60, seed=9)
    controls = [invented(template, {f"c{i}": v}, method="control", model="")[0] for i, v in enumerate(others.values())]
    (alone,), (crowd,) = boards(pair, []), boards([*pair, *controls], [])
    (first,) = [d for d in alone.differences if d.contestants]
    (same,) = [d for d in crowd.differences if d.contestants]
    assert first == same and first.p <= 0.05
    assert (
        {r.id: r.rank for r in crowd.rows if r.ranked}
        == {r.id: r.rank for r in alone.rows}
        == {"s1": (1, 1), "s0": (2, 2)}
    )


def test_what_a_name_holds_makes_no_markup(template: Result) -> None:
    from rlpa_bench.leaderboard.tables import as_markdown, as_tex

    name = "<b>a</b> ![x](https://e.org/p.png) | `c` \\input{/etc/passwd}"
    (board,) = boards(invented(template, {"s": systems([0], 5)["s0"]}, name=name), [])
    lines = as_markdown(board).splitlines()
    (line,) = [line for line in lines if "e.org" in line]
    assert "\\!\\[x\\]" in line and "\\<b\\>" in line and line.count(" | ") == lines[2].count(" | ")
    assert "\\input" not in as_tex(board)


def test_there_are_no_ranks_below_fifty_profiles(template: Result) -> None:
    (board,) = boards(invented(template, systems([0, 20], 49)), [])
    assert all(row.rank is None and not row.ranked for row in board.rows)
    assert any("no ranks" in note for note in board.notes)
    assert board.differences[0].mean > 0 and board.differences[0].p < 0.001


def test_from_fifty_profiles_on_rank_intervals_agree_with_the_paired_tests(template: Result) -> None:
    values = systems([0, 0.4, 8, 8.3, 20], 60)
    (board,) = boards(invented(template, values), [])
    told = {frozenset((d.a, d.b)): d.p <= 0.05 for d in board.differences}
    better = {row.id: sum(told[frozenset((row.id, o.id))] for o in board.rows[:i]) for i, row in enumerate(board.rows)}
    for row in board.rows:
        assert row.rank is not None and row.rank[0] == 1 + better[row.id]
    leaders: dict[int, str] = {}
    for row in board.rows:
        leader = leaders.setdefault(row.tie_group or 0, row.id)
        assert leader == row.id or not told[frozenset((leader, row.id))]
    firsts = list(leaders.values())
    assert all(told[frozenset(pair)] for pair in pairwise(firsts))
    assert len(leaders) >= 3


@pytest.mark.parametrize("flag", ["withdrawn", "gold", "trained-on-profiles", "knows-undisclosed"])
def test_flagged_rows_and_controls_are_shown_but_not_ranked(template: Result, flag: str) -> None:
    first, *rest = invented(template, systems([30, 0, 5], 60))
    (control,) = invented(template, {"c": systems([90], 60)["s0"]}, method="control", model="")
    (board,) = boards([Standing(first.result, "T2", (flag,)), *rest, control], [])
    ranks = {row.id: row.rank for row in board.rows}
    assert board.rows[0].id == "c" and ranks["c"] is None and ranks["s0"] is None
    assert ranks["s2"] == (1, 1) and ranks["s1"] == (2, 2)
    assert any("s0" in (d.a, d.b) for d in board.differences) is (flag != "withdrawn")


def test_runs_of_other_terms_never_share_a_table(template: Result) -> None:
    one, two = invented(template, systems([0, 5], 60))
    other = two.result.model_copy(update={"board": "elsewhere"})
    assert [len(board.rows) for board in boards([one, Standing(other, "T2", ())], [])] == [1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("effects", [[0.0] * 5, [0.0, 0.0, 3.0, 3.0, 6.0], [0.0, 1.0, 2.0, 3.0, 4.0]])
def test_rank_intervals_hold_for_all_systems_at_once(effects: list[float]) -> None:
    """At 50 profiles the true ranks of all systems lie in their intervals in at least 94 % of samples."""
    names = [f"s{k}" for k in range(len(effects))]
    low = {n: 1 + sum(other > e for other in effects) for n, e in zip(names, effects, strict=True)}
    high = {n: sum(other >= e for other in effects) for n, e in zip(names, effects, strict=True)}
    runs, held = 1000, 0
    for seed in range(runs):
        found = rank_intervals(systems(effects, 50, seed))
        held += all(found[n].low <= low[n] and high[n] <= found[n].high for n in names)
    assert held / runs >= 0.94


@pytest.fixture(scope="module")
def site(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(shutil.copytree(filled, tmp_path_factory.mktemp("site") / "leaderboard"))
    store.withdraw(next(s.result.id for s in store.standing() if s.result.submission.system.name == "echo"), "a & b")
    return render(store)


def folder_of(site: Path) -> Path:
    return next(site.glob("*/leaderboard.json")).parent


def test_equal_input_gives_equal_bytes(site: Path, tmp_path: Path) -> None:
    again = render(Store(site.parent), tmp_path / "again")
    files = sorted(path.relative_to(site) for path in site.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert len(files) > 15 and all((site / name).read_bytes() == (again / name).read_bytes() for name in files)


def test_the_canonical_file_is_what_its_schema_says(site: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    board = json.loads((folder_of(site) / "leaderboard.json").read_bytes())
    jsonschema.validate(board, json.loads((site / "schemas" / "leaderboard.schema.json").read_bytes()))
    assert Board.model_validate(board).rows
    submission = next(site.parent.glob("submissions/*/submission.json"))
    jsonschema.validate(json.loads(submission.read_bytes()), SCHEMAS["submission"].model_json_schema())


def test_tables_hold_every_row_and_mark_the_withdrawn_one(site: Path) -> None:
    folder = folder_of(site)
    board = Board.model_validate_json((folder / "leaderboard.json").read_bytes())
    rows = list(csv.DictReader(io.StringIO((folder / "leaderboard.csv").read_text())))
    assert [row["id"] for row in rows] == [row.id for row in board.rows]
    by_name = {row["system"]: row for row in rows}
    assert float(by_name["scribe"]["profile F1 mean"]) == next(
        row.row["profile F1"]["mean"] for row in board.rows if row.system.name == "scribe"
    )
    markdown = (folder / "leaderboard.md").read_text()
    assert "~~echo~~" in markdown and "withdrawn" in markdown and "which model wrote" in markdown
    assert len((folder / "curves.csv").read_text().splitlines()) > 6 * len(rows)
    pairs = list(csv.DictReader(io.StringIO((folder / "pairs.csv").read_text())))
    alive = len(rows) - 1
    assert len(pairs) == alive * (alive - 1) // 2


def test_the_page_loads_nothing_and_shows_what_it_must(site: Path) -> None:
    page = (folder_of(site) / "index.html").read_text()
    assert len(page.encode()) <= LARGEST
    for wanted in ("src=", "@import", "url(", "<link"):
        assert wanted not in page
    for name in ("chatty/plain", "scribe", "echo", "What a tier shows, and what it does not", "a &amp; b", "<svg"):
        assert name in page
    assert page.count('class="card"') >= 8 and page.count('class="talk"') >= 8
    index = (site / "index.html").read_text()
    assert f"{folder_of(site).name}/index.html" in index and "published.html" in index


def test_papers_numbers_stand_apart_as_t0(site: Path) -> None:
    page = (site / "published.html").read_text()
    assert "Self-reported" in page and "not comparable" in page and "62.16" in page and "66.19" in page
    tables = list(quoted())
    assert [len(table.rows) for table in tables] == [13, 13, 13, 3]
    assert any(cell.endswith("!") for table in tables for row in table.rows for cell in row)


def test_the_latex_table_compiles(site: Path, tmp_path: Path) -> None:
    tex = (folder_of(site) / "leaderboard.tex").read_text()
    assert "\\toprule" in tex and tex.count("\\\\") >= 8
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex found")
    (tmp_path / "t.tex").write_text(tex)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and (tmp_path / "t.pdf").stat().st_size > 10_000, done.stdout[-1500:]


def test_exports_fit_their_schemas(site: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((HERE / "every_eval_ever-0.3.0.schema.json").read_bytes())
    exports = folder_of(site) / "exports"
    records = sorted(exports.glob("*.eee.json"))
    assert len(records) == 2  # the two with a model
    for path in records:
        record = json.loads(path.read_bytes())
        jsonschema.validate(record, schema)
        scores = {entry["evaluation_name"]: entry["score_details"] for entry in record["evaluation_results"]}
        assert "confidence_interval" in scores["aloe: AVG[rules]"]["uncertainty"]


def test_eval_results_have_the_hubs_fields(site: Path) -> None:
    yaml = pytest.importorskip("yaml")
    for path in (folder_of(site) / "exports").glob("*.eval_results.yaml"):
        (entry,) = yaml.safe_load(path.read_text())
        assert entry["dataset"] == {"id": "rlpa-bench/aloe", "task_id": "aloe-1"}
        assert isinstance(entry["value"], float) and datetime.fromisoformat(entry["date"])
        assert "tier T2" in entry["notes"]


def browse(page: Path, script: str, profile: Path, fragment: str = "") -> str:
    """The page's DOM after a script ran in it."""
    if CHROMIUM is None:
        pytest.skip("no Chromium found")
    copy = profile.parent / "copy.html"
    text = page.read_text()
    copy.write_text(
        text.replace("<meta http-equiv", "<meta data-off").replace("</body>", f"<script>{script}</script></body>")
    )
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom"]
    command = [CHROMIUM, *flags, f"--user-data-dir={profile}", f"{copy.as_uri()}{fragment}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


ACT = """
const rows = () => [...document.querySelectorAll("#board tbody tr")];
const order = () => rows().map((r) => r.querySelector("a").textContent);
const shown = () => rows().filter((r) => !r.hidden).length;
const say = (name, value) => document.body.setAttribute("data-" + name, value);
setTimeout(() => {
  say("start", shown());
  const button = [...document.querySelectorAll("#board th button")].find((b) => b.textContent === "profile F1");
  button.focus(); button.click(); say("first", order()[0]); say("sort", button.closest("th").getAttribute("aria-sort"));
  button.click(); say("last", order()[0]); say("hash", location.hash);
  const box = document.getElementById("by-controls");
  box.checked = false; box.dispatchEvent(new Event("input", { bubbles: true })); say("models", shown());
}, 200);
"""


def test_the_page_sorts_filters_and_keeps_a_link(site: Path, tmp_path: Path) -> None:
    dom = browse(folder_of(site) / "index.html", ACT, tmp_path / "profile")
    board = Board.model_validate_json((folder_of(site) / "leaderboard.json").read_bytes())
    best = max(board.rows, key=lambda row: row.row["profile F1"]["mean"] or 0).system.name
    assert f'data-start="{len(board.rows)}"' in dom and 'data-sort="descending"' in dom
    assert f'data-first="{best}"' in dom and f'data-last="{best}"' not in dom
    assert 'data-hash="#sort=' in dom and 'data-models="2"' in dom


def test_a_link_opens_the_view_or_the_card_it_names(site: Path, tmp_path: Path) -> None:
    page = folder_of(site) / "index.html"
    count = 'document.querySelectorAll("#board tbody tr:not([hidden])").length'
    assert 'data-n="2"' in browse(page, later(count), tmp_path / "one", "#controls=no")
    row = Board.model_validate_json((folder_of(site) / "leaderboard.json").read_bytes()).rows[-1]
    opened = f'document.getElementById("s-{row.id}").open'
    assert 'data-n="true"' in browse(page, later(opened), tmp_path / "two", f"#s-{row.id}")


def later(value: str) -> str:
    """A script that writes a value into the page when it has settled."""
    return f'setTimeout(() => document.body.setAttribute("data-n", {value}), 200)'


def test_differences_on_the_board_are_the_paired_tests(filled: Path) -> None:
    (board,) = boards(Store(filled).standing(), [])
    results = {one.result.id: one.result for one in Store(filled).standing()}
    for d in board.differences[:10]:
        one, two = results[d.a], results[d.b]
        a, b = (result.row[board.headline]["cases"] for result in (one, two))
        test = paired_difference(list(a.values()), [b[c] for c in a], [one.clusters[c] for c in a])
        assert (d.mean, d.low, d.high) == (test.mean, test.low, test.high)


def test_a_leaderboard_without_submissions_renders(tmp_path: Path) -> None:
    site = render(Store(tmp_path))
    assert "No submission yet" in (site / "index.html").read_text()
