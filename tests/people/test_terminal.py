"""One person at the terminal: the same consent, ratings, corrections and rights as on the page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from people_kit import toml

import rlpa_bench


def sit(out: Path, tmp_path: Path, *typed: str, config: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A person types these lines."""
    where = [str(config or toml(tmp_path / "study.toml", limit=1, turns=2, baseline="base")), "--out", str(out)]
    command = [sys.executable, "-m", "rlpa_bench", "serve-human", *where, "--terminal"]
    text = "".join(f"{line}\n" for line in typed)
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=240)


def test_a_whole_visit(out: Path, tmp_path: Path) -> None:
    again = ["I like tea."] * 3
    done = sit(out, tmp_path, "", "yes", "no", "4", *again[:1], "9", "2", *["right"] * 40)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "You have talked to everybody" in done.stdout and "choose 1 to 5" in done.stdout
    assert "The person you play:" in done.stdout and "scripted" not in done.stdout.split("You have talked")[0]
    run = rlpa_bench.load_run(out)
    assert run.info["counts"]["played"] == 1
    lines = [json.loads(line) for line in (out / "people.jsonl").read_text().splitlines()]
    assert [line["rating"] for line in lines if line["kind"] == "rating"] == [4, 2]
    assert "1 of 1 people did not agree" in run.unpublishable


def test_no_consent_no_trace(out: Path, tmp_path: Path) -> None:
    done = sit(out, tmp_path, "", "no")
    assert done.returncode == 1 and "Nothing was kept." in done.stdout and "Traceback" not in done.stderr
    assert (out / "people.jsonl").read_text() == ""


def test_stop_come_back_and_delete(out: Path, tmp_path: Path) -> None:
    first = sit(out, tmp_path, "", "yes", "yes", "/mine", "3", "I like unicycling.")
    assert first.returncode == 1 and "your code go on" in first.stdout and "is not complete" in first.stderr
    code = first.stdout.split("Your code: ")[1].split()[0]
    assert "unicycling" in (out / "people.jsonl").read_text() and code not in (out / "people.jsonl").read_text()
    second = sit(out, tmp_path, "wrong code", code, "/delete", "yes")
    assert "This code is not known here" in second.stdout and "Everything of yours is deleted." in second.stdout
    assert "unicycling" in second.stdout, "the conversation is shown again"
    assert not any(b"unicycling" in path.read_bytes() for path in out.rglob("*") if path.is_file())
