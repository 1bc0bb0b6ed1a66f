"""report.html: one file that needs no network, readable without JavaScript, faults first."""

from __future__ import annotations

import re
import shutil
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlpa_bench.diagnostics import SIGNATURES, Finding, findings
from rlpa_bench.interfaces import Record
from rlpa_bench.report import efficiency, overview
from rlpa_bench.report.curves import STYLES, forest, mark, panels
from rlpa_bench.report.dialogues import brief, named, opinions_of, turn_views
from rlpa_bench.report.sample import Render, Selection, Shown, select, shares
from rlpa_bench.report.table import LATENCY, TERMS, cell_text, headline, latency, notes, row_terms
from rlpa_bench.transcripts import replacing

if TYPE_CHECKING:
    from jinja2 import Environment

    from rlpa_bench.runs import Run

BUDGET = 4_500_000
"""Characters of HTML up to which all transcripts stand on the page itself, which then stays near 5 MB."""
PAGED = 24_000_000
"""Characters of HTML for all transcripts of a larger run, on pages of their own."""
PAGE = 1_500_000
"""Characters of HTML of one such page."""
PARTS = "report"
"""Folder of those pages, beside the page itself."""
LONGEST = 4000
"""Characters of one text that are shown."""
LINES = 60
"""Lines of an inferred profile that are shown."""


def write_html(run: Run, path: Path) -> None:
    """Writes the page of a run, also of one that is under way; streams over its dialogues.

    The page shows all dialogues if they fit into ``BUDGET``. Otherwise it is an index of pages in the folder
    ``report`` beside it, which show those with faults first and an even sample of the others.
    """
    env = _environment()
    shutil.rmtree(path.parent / PARTS, ignore_errors=True)
    with replacing(path) as file:
        for chunk in env.get_template("page.html").generate(_content(run, env)):
            file.write(chunk.encode())


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=PackageLoader("rlpa_bench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    env.filters |= {"bold_value": _bold_value, "cut": _cut}
    return env


def _printable(value: Any) -> Any:
    """HTML allows no control characters; models write them."""
    return _CONTROL.sub("\ufffd", value) if isinstance(value, str) and _CONTROL.search(value) else value


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def _cut(text: str) -> str:
    """A text short enough to be read on a page."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]} … (cut here: dialogues.jsonl holds all {len(text):,} characters)"


def _bold_value(text: str) -> Any:
    """A cell's text with the value set apart from its interval and counts."""
    from markupsafe import Markup

    value, _, rest = text.partition(" ")
    interval, bracket, counts = rest.partition("]") if rest.startswith("[") else ("", "", rest)
    html = Markup("<b>{}</b>").format(value)
    for part in (interval + bracket, counts.strip()):
        html += Markup(" <small>{}</small>").format(part) if part else ""
    return html


@dataclass(frozen=True)
class Page:
    """A page of dialogues of one candidate."""

    path: str
    shown: list[Shown]

    @property
    def faulty(self) -> int:
        return sum(bool(shown.faults) for shown in self.shown)

    @property
    def first(self) -> str:
        return self.shown[0].case

    @property
    def last(self) -> str:
        return self.shown[-1].case


def _content(run: Run, env: Environment) -> dict[str, Any]:
    from markupsafe import Markup

    info, summary = run.info, run.summary
    found = overview.outcomes(run, LONGEST)
    groups = overview.groups(run)
    played = [name for names in groups.values() for name in names if name in summary["rows"]]
    short = headline(summary)
    bars, axis = forest(summary, played, short[0]) if short else ([], "")
    script = env.get_template("page.js").render()
    needs = _needs(run, found)
    paged = sum(needs.values()) > BUDGET
    content = _terms(info) | {
        "run": info,
        "name": run.path.resolve().name,
        "sentences": list(overview.sentences(run, found)),
        "notes": notes(run),
        "groups": groups,
        "outcomes": found,
        "summary": summary,
        "short": short,
        "latency": LATENCY,
        "seconds": lambda candidate: latency(run, candidate),
        "terms_name": TERMS,
        "row_terms": lambda candidate: row_terms(run, candidate),
        "row_details": overview.row_terms(info),
        "cell_text": cell_text,
        "bars": bars,
        "axis": axis,
        "missing": overview.missing(summary),
        **_costs(run),
        "signatures": SIGNATURES,
        "findings": _found(run),
        "panels": [(panel, list(panel.figures(summary, played))) for panel in panels(summary)],
        "key": lambda i: Markup(f'<g class="s{i % STYLES}"><path class="line" d="M0 7H34"/>{mark(i, 17, 7)}</g>'),
        "anchors": overview.anchors(info["plan"]["candidates"]),
        "paged": paged,
        "style": Markup(env.get_template("page.css").render()),
        "script": Markup(script),
        "script_hash": b64encode(sha256(script.encode()).digest()).decode(),
    }
    selections = select(run.records(), _renderer(run, env), shares(needs, PAGED if paged else BUDGET))
    return content | {"selections": _parts(run, env, selections, content) if paged else selections}


def _costs(run: Run) -> dict[str, Any]:
    """The content of the section on efficiency."""
    from markupsafe import Markup

    table = efficiency.rows(run)
    return {"efficiency": table, "efficiency_plot": Markup(efficiency.draw(table)), "kinds": efficiency.KINDS}


def _found(run: Run) -> dict[str, dict[str, Finding]]:
    """Candidate -> signature -> what was found."""
    found: dict[str, dict[str, Finding]] = {}
    for finding in findings(run):
        found.setdefault(finding.candidate, {})[finding.signature] = finding
    return found


def _parts(
    run: Run, env: Environment, selections: Iterator[Selection], content: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Writes the pages of each candidate's dialogues and tells the index of them, a candidate at a time."""
    (run.path / PARTS).mkdir(exist_ok=True)
    template = env.get_template("part.html")
    for selection in selections:
        anchor, name = content["anchors"][selection.candidate], selection.candidate
        pages = [Page(f"{PARTS}/{anchor}-{n}.html", shown) for n, shown in enumerate(_split(selection.shown), 1)]
        for number, page in enumerate(pages, 1):
            mine = {"candidate": name, "number": number, "page": page, "groups": {"": [name]}}
            with replacing(run.path / page.path) as file:
                file.write(template.render({**content, **mine}).encode())
        told = {field: getattr(selection, field) for field in ("candidate", "total", "faulty", "words")}
        yield {**told, "pages": pages}


def _split(shown: Sequence[Shown]) -> Iterator[list[Shown]]:
    """Pages of dialogues, none longer than ``PAGE`` characters unless a dialogue is."""
    page: list[Shown] = []
    size = 0
    for one in shown:
        if page and size + one.size > PAGE:
            yield page
            page, size = [], 0
        page.append(one)
        size += one.size
    if page:
        yield page


def _terms(info: dict[str, Any]) -> dict[str, Any]:
    return {
        "command": overview.command(info["identity"]["config"]),
        "terms": overview.terms(info),
        "calls": overview.calls(info),
        "cost": overview.cost(info),
        "revision": overview.revision(info),
    }


def _needs(run: Run, found: Mapping[str, overview.Outcome]) -> dict[str, int]:
    """Roughly how much HTML all dialogues of each candidate would take: by turns, verdicts and texts."""
    verdicts = sum(len(judge.parts) for judge in run.judges.values())
    return {name: o.turns * (700 + 140 * verdicts) + 3 * o.written for name, o in found.items()}


def _renderer(run: Run, env: Environment) -> Render:
    template, judges = env.get_template("dialogue.html"), run.judges
    withheld = run.unpublishable
    candidates, cases = overview.anchors(run.info["plan"]["candidates"]), overview.anchors(list(run.cases))

    def render(record: Record, faults: list[str]) -> Shown:
        dialogue = record.dialogue
        anchor = f"d-{candidates[dialogue.candidate]}-{cases[dialogue.case]}-{dialogue.seed}"
        body = template.render(
            anchor=anchor,
            record=record,
            most=LINES,
            withheld=withheld,
            truth=list(_truth(record)),
            turns=list(turn_views(record, judges)),
            whole=list(opinions_of(record, None, judges)),
        )
        return Shown.of(anchor, dialogue.case, dialogue.seed, brief(record, judges), faults, body)

    return render


def _truth(record: Record) -> Iterator[tuple[str, str]]:
    """The gold as it is in the end, each item with the turn in which it was told."""
    gold, turns = record.case.gold, record.dialogue.turns
    if gold is None or not turns:
        return
    known = all(turn.user.disclosed is not None for turn in turns)
    told = {key: turn.index for turn in reversed(turns) for key in turn.user.disclosed or ()}
    for item in gold.at(turns[-1].session, turns[-1].index).items:
        if item.key in told:
            yield named(item), f"told in turn {told[item.key]}"
        else:
            yield named(item), "a trait, shown in style" if item.is_trait else "never told" if known else "unknown"
    for item in gold.superseded(turns[-1].session, turns[-1].index):
        yield named(item), "held before, no longer"
