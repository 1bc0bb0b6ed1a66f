"""Texts that must not be published stay in the run's own files, and the run says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rlpa_bench_plugins.suites.aloe_original import AloeOriginalSuite
from toyruns import play
from toys import ToySuite

from rlpa_bench.errors import UsageError
from rlpa_bench.leaderboard.prepare import prepare
from rlpa_bench.recompute import rebuild
from rlpa_bench.runs import load_run, write_json
from rlpa_bench.types import Case

TEXT = "He is a forty-year-old lighthouse keeper who collects bells."


class Texts(ToySuite):
    """Cases with texts that somebody else wrote."""

    name = "toy"
    unpublishable = "its texts carry no licence"

    def cases(self) -> list[Case]:
        return [replace(case, text=TEXT) for case in super().cases()]


def test_what_is_made_to_be_shown_holds_no_persona_text(out: Path) -> None:
    play(out, Texts)
    own = {"cases.jsonl"}
    shown = [path for path in out.rglob("*") if path.is_file() and path.name not in own]
    assert len(shown) > 8
    assert not [path.name for path in shown if TEXT[:20].encode() in path.read_bytes()]
    assert "stands in cases.jsonl only: its texts carry no licence" in (out / "report.html").read_text()
    assert TEXT.encode() in (out / "cases.jsonl").read_bytes(), "judges of texts need them, also when judging again"


def test_such_a_run_says_that_it_is_not_for_publishing(out: Path) -> None:
    run = play(out, Texts)
    assert run.info["unpublishable"] == "its texts carry no licence"
    for name in ("table.md", "report.html"):
        assert "This run is not for publishing: its texts carry no licence." in (out / name).read_text()


def test_aloes_own_texts_are_such_texts() -> None:
    assert "no licence" in AloeOriginalSuite.unpublishable
    assert not ToySuite.unpublishable


def test_no_submission_is_prepared_of_it(out: Path, tmp_path: Path) -> None:
    play(out, Texts)
    with pytest.raises(UsageError, match="must not be published: its texts carry no licence"):
        prepare([out], tmp_path / "submission", submitter="me")
    assert not (tmp_path / "submission").exists()


def test_texts_of_ones_own_are_shown(out: Path) -> None:
    class Own(Texts):
        unpublishable = ""

    play(out, Own)
    assert TEXT in (out / "report.html").read_text()


def test_a_run_that_does_not_say_is_not_for_publishing_if_it_holds_texts(out: Path) -> None:
    run = play(out, Texts)
    write_json(out / "run.json", {name: value for name, value in run.info.items() if name != "unpublishable"})
    assert "does not say" in load_run(out).unpublishable
    assert TEXT not in (rebuild(out).path / "report.html").read_text()
