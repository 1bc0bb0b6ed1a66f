"""The page of a run, looked at as text, as a tree and in a browser."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rlpa_bench.contract import Contract
from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Part, Record, Value
from rlpa_bench.options import Options
from rlpa_bench.plan import Plan
from rlpa_bench.plugins import Plugins
from rlpa_bench.recompute import complete
from rlpa_bench.report import html, overview
from rlpa_bench.report.curves import panels
from rlpa_bench.report.dialogues import Mark, check
from rlpa_bench.report.html import write_html
from rlpa_bench.report.sample import EvenSample, Selection, Shown, shares
from rlpa_bench.runs import Run, read_json, write_json
from rlpa_bench.transcripts import SCHEMA, dumps
from rlpa_bench.types import Case, Change, Dialogue, Gold, Item, Output, Score, Session, Status, Turn, Utterance

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
BAD = "<script>document.title = 'taken'</script>"
AGE = Item("Age", "39")
NURSE = Item("Occupation", "nurse")
TEACHER = Item("Occupation", "teacher")
GOLF = Item("Interests", "golf")
CALM = Item("Personality Traits", "calm")
GOLD = Gold((AGE, NURSE, GOLF, CALM), (Change(3, NURSE.key, TEACHER, session=1),))
CASES = (
    Case("case/1", GOLD, "p1", (Session(2, "Hello"), Session(1, "Hello again")), {"personality": "quiet"}),
    Case("case-1", None, "p2", (Session(2, "Hi"),)),
)
CANDIDATES = ("m:x/base", "m-x/base", "null")
JUDGE = JudgeInfo("asks", "turn", {"asks": Part(), "warm": Part()}, alignment="asks", reward=("asks",))


class Toy(Metric):
    """AL(k) of the judge, and a made-up D(k)."""

    name = "toy"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [
            Column("AVG[asks]", "mean of AL(k)", 0, 100, by_turn=True, headline=True),
            Column("D(k)", "told", 0, 100, by_turn=True),
            Column("profile F1", "learnt", 0, 100, by_turn=True),
        ]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for turn, value, reason, defined in record.verdicts("asks", "asks"):
            yield Value("AVG[asks]", turn, None if value is None else 100 * value, reason, defined)
        for played in record.dialogue.turns:
            yield Value("D(k)", played.index, 20.0 * played.index)
            yield Value("profile F1", played.index, 10.0)


def said(index: int, raw: str, user: Utterance, session: int = 0, finish: str = "stop") -> Turn:
    parsed = Contract.parse(raw)
    items = Contract.items(parsed.profile)
    return Turn(index, session, user, Output(raw, finish=finish), items, parsed.response, parsed.malformed)


def verdicts(unit: tuple[str, str], value: float | None, index: int, reason: str = "") -> list[Score]:
    status: Status = "error" if value is None else "scored"
    return [Score(*unit, 0, index, "asks", part, value, status, reason) for part in ("asks", "warm")]


def info(plan: Plan) -> dict[str, Any]:
    config = {
        "suite": "toy", "models": ["m:x"], "baselines": ["base"], "simulator": "person", "judges": ["asks"],
        "controls": False, "turns": None, "limit": 2, "seeds": 1, "repeats": 1,
        "options": {"judges": {"asks": {"model": "openai:big"}}},
    }  # fmt: skip
    identity = {
        "config": config,
        "protocol": "toy/1",
        "contract": {"examples": 2, "system": "c0ffee"},
        "cases": "ca5e5",
        "components": {"models/m:x": {"weights": "feed"}, "baselines/null": {"texts": {}}},
        "options": {"models/m:x": {"temperature": 0.7}, "judges/asks": {"model": "openai:big"}},
        "plugins": {"models/m": "else 1.0"},
    }
    entry = {"model": "m:x", "baseline": "base", "control": False, "grants": [], "planned": 2}
    control = {"model": "", "baseline": "null", "control": True, "grants": ["gold"], "planned": 2}
    return {
        "schema": SCHEMA, "version": "0.0", "created": "2026-01-02T03:04:05+00:00", "identity": identity,
        "plan": plan.record(), "suite": "toy", "simulator": "person", "judges": [asdict(JUDGE)],
        "candidates": {"m-x/base": entry, "m:x/base": entry, "null": control},
        "preflight": {"notes": []}, "problems": ["plugin 'else' is broken"], "python": "3.11",
        "git": {"commit": "abc123", "dirty": True},
        "counts": {"played": 4, "failed": 1, "planned": 6, "retried": 0}, "failures": {"candidate: 503": 1},
        "calls": {"calls": {"candidate": 7}, "cache_hits": {"candidate": 3}, "retries": {}, "costs": {},
                  "unpriced": {"candidate": 7}},
    }  # fmt: skip


def dialogues() -> Iterator[tuple[Dialogue, list[Score]]]:
    """One dialogue with every fault, one that failed, three plain ones; one never began."""
    first, second = (CANDIDATES[0], "case/1"), (CANDIDATES[0], "case-1")
    told = Utterance("I am 39.\x00", (AGE.key,))
    profile = "- Age: 39\n- Occupation: nurse\n- Interests: golf, chess\n- Marital Status: married"
    turns = (
        said(1, f"forgot & {BAD}", Utterance("Hello")),
        said(2, "<profile>\n- Ag", told, finish="length"),
        said(3, Contract.write(profile, "So you are 39?"), Utterance("Hello again"), session=1),
    )
    scores = verdicts(first, 0.0, 1, "asks nothing") + verdicts(first, None, 2, "timeout: slow")
    yield Dialogue(*first, 0, turns, 3, "schedule"), scores + verdicts(first, 1.0, 3, "asks the age")
    lost = (said(1, Contract.write("- Age: 7", "Hm?"), Utterance("Hi", None)),)
    yield Dialogue(*second, 0, lost, 2, "error: candidate: 503: the server is away"), verdicts(second, 1.0, 1)
    for candidate, case in ((CANDIDATES[1], CASES[0]), (CANDIDATES[2], CASES[0]), (CANDIDATES[2], CASES[1])):
        raw = Contract.write("", f"What next, says {candidate}?")
        plain = tuple(said(k, raw, Utterance("Hello"), session=k // 3) for k in range(1, case.turns + 1))
        good = [score for k in range(1, case.turns + 1) for score in verdicts((candidate, case.id), 1.0, k)]
        yield Dialogue(candidate, case.id, 0, plain, case.turns, "schedule"), good


def build(path: Path, without: Sequence[str] = ()) -> Run:
    path.mkdir(exist_ok=True)
    written = info(Plan(CANDIDATES, CASES, 1, {}))
    write_json(path / "run.json", {name: value for name, value in written.items() if name not in without})
    played = list(dialogues())
    files = {
        "cases.jsonl": CASES,
        "dialogues.jsonl": [dialogue for dialogue, _ in played],
        "scores.jsonl": [score for _, scores in played for score in scores],
    }
    for name, lines in files.items():
        (path / name).write_bytes(b"".join(map(dumps, lines)))
    return complete(path, [Toy(Options(), None)], Plugins([]))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = build(tmp_path_factory.mktemp("page") / "run <1>")
    return run.path / "report.html"


@pytest.fixture(scope="module")
def page(path: Path) -> str:
    return path.read_text(encoding="utf-8")


class Tree(HTMLParser):
    """What has to hold of any page: ids, links, headings, tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def ids(self) -> list[str]:
        return [attrs["id"] or "" for _, attrs in self.tags if "id" in attrs]


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))


def test_the_page_says_what_was_run(page: str) -> None:
    text = words(page)
    assert "2 models and 1 control" in text and "2 profiles in 2 cases, 2 to 3 turns each, in up to 2 sessions" in text
    assert "without a language model: user person" in text
    assert "Played by a language model: judge asks (openai:big)" in text
    assert "4 of 6 dialogues were played, 1 failed" in text
    assert "Fewer than 50 profiles" in text and "2026-01-02 03:04:05 UTC" in text
    assert "abc123 with uncommitted changes" in text and "plugin &#39;else&#39; is broken" in page
    assert (
        "rlpa-bench run --suite toy --model m:x --baseline base --judge asks --simulator person --no-controls" in text
    )
    assert "--no-controls --limit 2 -o judge.asks.model=openai:big" in text
    assert "c0ffee" in text and "temperature = 0.7" in text and "weights = feed" in text and "texts" not in text
    assert "candidate73" in text.replace(" ", "") and "7 calls have no price (unknown, not zero)" in text


def test_failed_and_missing_are_counted_by_reason(page: str) -> None:
    text = words(page)
    assert "1 × candidate: 503" in text
    assert "1 × error: timeout" in text and "1 × error" in text
    assert "n/a (3/5" in text


def test_candidates_stand_in_groups_and_grants_are_marked(page: str) -> None:
    models, controls = page.index(">Models"), page.index(">Controls")
    assert models < page.index('<th scope="row">m:x/base') < page.index('<th scope="row">m-x/base') < controls
    assert controls < page.index('<th scope="row">null* <small>is given: gold</small>')


def test_inferred_items_are_marked_in_words(page: str) -> None:
    turn_3 = words(page[page.index('id="d-m-x-base-case-1-0-t3"') :])
    assert "Age: 39 right, told in turn 2" in turn_3
    assert "Occupation: nurse out of date: held before" in turn_3
    assert "golf, chess undisclosed guess, right wrong: nothing like it in the true profile" in turn_3
    assert "Session 2 begins" in words(page)


def test_marks_need_gold_and_name_what_is_unknown() -> None:
    raw = Contract.write("- Age: 39\n- Age: 39\n- Occupation: teacher\n- Personality Traits: calm", "Hm?")
    seen = said(1, raw, Utterance("Hi", None))
    lines, missed = check(seen, GOLD, None)
    assert [line.marks[0].kind for line in lines] == ["right", "open", "wrong", "right"]
    assert lines[0].marks == (Mark("right", "right (told or not is unknown)"),) and not missed
    assert lines[2].marks[0].text == "wrong: true is “Occupation: nurse”"
    assert check(seen, None, {})[0][0].marks == (Mark("open", "not checked"),)
    lines, missed = check(seen, GOLD, {GOLF.key: 1})
    assert lines[0].marks[0].kind == "guess" and missed == ("Interests: golf",)


def test_free_keys_are_marked_by_the_free_matcher() -> None:
    gold = Gold((Item("Pets", "two cats", origin="written"), Item("Favourite Food", "noodle soup", origin="written")))
    seen = said(1, Contract.write("- Pets: 2 cats\n- Fave food: soup", "Hm?"), Utterance("Hi", ()))
    lines, missed = check(seen, gold, {})
    kinds = [[mark.kind for mark in line.marks] for line in lines]
    assert "wrong" not in [kind for line in kinds for kind in line], kinds
    assert not missed
    old = check(said(1, Contract.write("- Pets: a dog", "Hm?"), Utterance("Hi", ())), gold, {})
    assert [mark.kind for line in old[0] for mark in line.marks] == ["wrong"]


def test_text_of_models_is_inert(page: str) -> None:
    tree = Tree(page)
    assert len(tree.all("script")) == 1 and BAD not in page
    assert "forgot &amp; &lt;script&gt;" in page and "\x00" not in page
    assert not re.search(r"https?:|src=|@import|url\(", page)
    assert "run &lt;1&gt;" in page


def test_ids_are_unique_and_every_link_leads_somewhere(page: str, path: Path) -> None:
    tree = Tree(page)
    assert len(set(tree.ids)) == len(tree.ids)
    for attrs in tree.all("a"):
        target = attrs["href"] or ""
        assert target[1:] in tree.ids if target.startswith("#") else (path.parent / target).is_file(), target
    assert {"d-m-x-base-case-1-0-t1", "d-m-x-base-2-case-1-0-t1", "d-m-x-base-case-1-2-0-t1"} <= set(tree.ids)


def test_structure_is_accessible(page: str) -> None:
    tree = Tree(page)
    levels = [int(tag[1]) for tag, _ in tree.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert len(tree.all("table")) == len(tree.all("caption")) > 5
    assert all("scope" in attrs for attrs in tree.all("th"))
    assert all("aria-label" in attrs or attrs.get("aria-hidden") == "true" for attrs in tree.all("svg"))


def test_dialogues_with_faults_come_first(page: str) -> None:
    mine = page[page.index('id="c-m-x-base"') : page.index('id="c-m-x-base-2"')]
    assert "2 dialogues, 2 with faults" in words(mine)
    assert "✗ 1 malformed" in mine and "✗ 1 truncated" in mine and "✗ 1 judge error" in mine
    assert "✗ failed (candidate: 503: the server is away)" in mine
    assert "AL[asks] 0</b> – warm 0 (asks nothing)" in mine


def test_curves_as_csv_and_as_pictures(page: str, path: Path) -> None:
    with (path.parent / "curves.csv").open(encoding="utf-8") as file:
        rows = {(row["candidate"], row["column"], row["turn"]): row for row in csv.DictReader(file)}
    assert rows["m:x/base", "AVG[asks]", "1"]["mean"] == "50.0" and rows["m:x/base", "AVG[asks]", "1"]["n"] == "2"
    assert ("m:x/base", "AVG[asks]", "2") not in rows
    run = Run(path.parent)
    assert [panel.labels for panel in panels(run.summary)] == [["AL(k)[asks]"], ["D(k)", "profile F1"]]
    figure = next(panels(run.summary)[0].figures(run.summary, ["m:x/base"]))
    assert re.search(r'class="line" d="M[\d. ]+M[\d. ]+"', figure.svg), "turn 2 is missing: the line must break"
    assert 'aria-label="m:x/base. AL(k)[asks]: 50.0 at turn 1, 100.0 at turn 3"' in page


def test_a_run_under_way_says_so(out: Path) -> None:
    run = build(out, without=("counts", "failures", "calls"))
    text = words((run.path / "report.html").read_text(encoding="utf-8"))
    assert "The run is under way: 5 of 6 dialogues so far, 1 of them failed." in text


def test_a_run_without_any_dialogue_has_a_page(out: Path) -> None:
    run = build(out)
    for name in ("dialogues.jsonl", "scores.jsonl"):
        (run.path / name).write_bytes(b"")
    write_json(run.path / "summary.json", read_json(run.path / "summary.json") | {"order": [], "rows": {}})
    write_html(Run(run.path), run.path / "report.html")
    assert "No dialogue has ended yet." in (run.path / "report.html").read_text(encoding="utf-8")


def test_a_large_run_is_an_index_of_pages(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = build(out)
    monkeypatch.setattr(html, "BUDGET", 100)
    monkeypatch.setattr(html, "PAGE", 100)
    write_html(run, run.path / "report.html")
    index = (run.path / "report.html").read_text(encoding="utf-8")
    links = re.findall(r'<a href="(report/[^"]+)">', index)
    pages = {link: (run.path / link).read_text(encoding="utf-8") for link in links}
    assert len(pages) == 5 == len(list((run.path / "report").iterdir()))
    shown = [anchor for page in pages.values() for anchor in re.findall(r'class="dialogue" id="([^"]+)"', page)]
    assert len(set(shown)) == 5 and 'class="dialogue"' not in index
    assert ", 1 with faults" in words(index) and "All 2 dialogues are shown" in words(index)
    for link, page in pages.items():
        back = re.search(r'href="(\.\./report\.html)#(c-[^"]+)"', page)
        assert back and (run.path / link).parent.joinpath(back[1]).exists() and f'id="{back[2]}"' in index
    monkeypatch.setattr(html, "BUDGET", 10**9)
    write_html(run, run.path / "report.html")
    assert not (run.path / "report").exists(), "pages of an earlier report are left"


def test_a_very_large_run_is_sampled_and_says_so(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = build(out)
    for name in ("BUDGET", "PAGED"):
        monkeypatch.setattr(html, name, 100)
    write_html(run, run.path / "report.html")
    text = words((run.path / "report.html").read_text(encoding="utf-8"))
    assert text.count("1 of 2 dialogues are shown: an even sample.") == 2  # all bad, all good
    assert "One dialogue, shown." in text
    mixed = Selection("m", [Shown.of(str(i), "", 0, "", [], "") for i in range(5)], total=90, faulty=4, faulty_shown=2)
    first = "2 (an even sample) of the 4 with faults first, then an even sample of the others"
    assert mixed.words == f"5 of 90 dialogues are shown: {first}. dialogues.jsonl holds all."


def test_long_texts_are_cut_and_say_so(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = build(out)
    monkeypatch.setattr(html, "LONGEST", 10)
    monkeypatch.setattr(html, "LINES", 1)
    write_html(run, run.path / "report.html")
    text = words((run.path / "report.html").read_text(encoding="utf-8"))
    assert "So you are … (cut here: dialogues.jsonl holds all 14 characters)" in text
    assert "and 3 more lines, all in dialogues.jsonl" in text


def test_room_that_one_candidate_leaves_goes_to_the_others() -> None:
    assert shares({"a": 10, "b": 500, "c": 900}, 100) == {"a": 33, "b": 45, "c": 45}
    fits = {"a": 10, "b": 20, "c": 60}
    assert all(share >= fits[name] for name, share in shares(fits, 100).items())


def test_an_even_sample_keeps_every_nth() -> None:
    sample = EvenSample(budget=50)
    for i in range(100):
        sample.offer(lambda i=i: Shown.of(str(i), "", 0, "", [], "x" * 10))  # type: ignore[misc]
    kept = [int(shown.anchor) for shown in sample.kept]
    step = kept[1] - kept[0]
    assert kept == list(range(0, 100, step)) and 2 < len(kept) <= 5


def test_equal_files_give_equal_pages(path: Path, out: Path) -> None:
    again = path.with_name("again.html")
    write_html(Run(path.parent), again)
    assert again.read_bytes() == path.read_bytes()


def test_anchors_are_distinct() -> None:
    assert overview.anchors(["a/b", "a:b", "ä", "?"]) == {"a/b": "a-b", "a:b": "a-b-2", "ä": "x", "?": "x-2"}


FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"),
    *("--virtual-time-budget=3000", "--dump-dom"),
]


def browse(page: Path, profile: Path) -> tuple[str, str]:
    """The DOM after scripts ran, and what Chromium logged."""
    if CHROMIUM is None:
        pytest.skip("no Chromium found")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", f"{page.as_uri()}#d-m-x-base-2-case-1-0-t2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout, done.stderr


ACT = """<script>
const pick = (text, candidate) => {
  document.getElementById("by-text").value = text;
  document.getElementById("by-candidate").value = candidate;
  document.getElementById("filter").dispatchEvent(new Event("input"));
};
const all = [...document.querySelectorAll("details.dialogue")];
const shown = () => all.filter((d) => !d.hidden).map((d) => d.id).join(" ");
const say = (name) => document.body.setAttribute("data-" + name, shown());
setTimeout(() => { pick("NEXT, SAYS NULL", ""); setTimeout(() => { say("text");
  pick("", "m-x-base"); setTimeout(() => { say("candidate"); }, 300); }, 300); }, 100);
</script>"""


def test_in_a_browser_the_page_filters_and_links_open(path: Path, page: str, tmp_path: Path) -> None:
    dom, log = browse(path, tmp_path / "a")
    assert "CONSOLE" not in log, log
    tree = Tree(dom)
    assert "hidden" not in next(attrs for attrs in tree.all("form") if attrs["id"] == "filter")
    opened = {attrs["id"] for attrs in tree.all("details") if "open" in attrs and "id" in attrs}
    assert {"c-m-x-base-2", "d-m-x-base-2-case-1-0"} <= opened and "c-null" not in opened
    assert "<title>taken" not in dom

    policy = r'<meta http-equiv="Content-Security-Policy"[^>]*>'
    acted = tmp_path / "acted.html"
    acted.write_text(re.sub(policy, "", page).replace("</body>", f"{ACT}</body>"), encoding="utf-8")
    dom, log = browse(acted, tmp_path / "b")
    assert "CONSOLE" not in log, log
    body = Tree(dom).all("body")[0]
    assert body["data-text"] == "d-null-case-1-0 d-null-case-1-2-0"
    assert body["data-candidate"] == "d-m-x-base-case-1-0 d-m-x-base-case-1-2-0"
