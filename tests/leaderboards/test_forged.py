"""Forged submissions, each another cheat: refused, or accepted with the flag that tells, for the right reason."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import forgeries as cheats
import pytest
from forgeries import MODEL, Change, hide, in_both, in_lines, in_run, reply, scored, submission, turns
from leaderboard_kit import PLUGIN, Forgery, forge, play_systems, submit

from rlpa_bench.leaderboard.store import Store
from rlpa_bench.leaderboard.validate import Validation, validate

FORGED: dict[str, tuple[Change, str, str]] = {
    "verdicts nobody asked for": (cheats.fixed_verdict, "judges", "turn 1: rules.gate is of a judge whose"),
    "edited claims": (lambda f: f.json("submission.json", cheats.claimed), "scores", "claims AVG[rules] 99"),
    "edited reply": (turns(lambda t: t.update(response="How lovely, do tell?")), "replay", "parser reads"),
    "edited output": (turns(lambda t: reply(t, "What is your job?"), only=2), "replay", "the user's words"),
    "edited last output": (turns(lambda t: reply(t, "What is your job?"), only=6), "scores", "its transcripts earn"),
    "edited inferred profile": (turns(lambda t: t.update(inferred=[])), "replay", "parser reads"),
    "edited user": (turns(lambda t: t["user"].update(text="I am a nurse."), only=3), "replay", "the user's words"),
    "altered disclosure ledger": (turns(cheats.told_nothing), "replay", "the user's ledger"),
    "invented disclosure": (turns(cheats.told_more, only=4), "replay", "the user's ledger"),
    "dropped dialogues": (in_lines("dialogues", cheats.fewer), "complete", "is planned"),
    "dropped end": (in_lines("dialogues", lambda d: d[:-2]), "complete", "2 planned dialogues are missing"),
    "dropped hard cases": (cheats.drop_cases, "terms", "the plan is not what"),
    "fewer cases than asked": (in_run(lambda r: r["identity"]["config"].update(limit=4)), "terms", "cases are not"),
    "doubled easy dialogue": (in_lines("dialogues", cheats.doubled), "complete", "stands where"),
    "one dialogue more": (in_lines("dialogues", lambda d: [*d, d[-1]]), "complete", "more than planned"),
    "swapped personas": (in_lines("dialogues", cheats.swap_personas), "replay", "turn"),
    "cases of one's own": (in_run(lambda r: r["identity"].update(cases="0" * 64)), "terms", "cases are not those"),
    "turned around": (in_lines("dialogues", cheats.backwards), "complete", "out of order"),
    "cut short": (in_lines("dialogues", cheats.shorter), "complete", "by schedule after 3 of 6"),
    "negative tokens": (turns(cheats.negative, only=1), "plausible", "negative number"),
    "a suite that names its data": (
        in_both(lambda s, r: (s.update(suite="hf-personas:a/b"), r.update(suite="hf-personas:a/b"),
                              r["identity"]["config"].update(suite="hf-personas:a/b"))),
        "terms", "which validation never opens",
    ),
    "endless seeds": (in_run(lambda r: r["plan"].update(seeds=10**12)), "schema", "plan.seeds"),
    "seeds as text": (in_run(lambda r: r["identity"]["config"].update(seeds="2")), "schema", "config.seeds"),
    "changed simulator's digest": (
        in_run(lambda r: r["identity"]["components"]["simulators/agenda"].update(version="agenda/9")),
        "terms",
        "agenda/9",
    ),
    "changed contract": (in_run(lambda r: r["identity"]["contract"].update(examples=0)), "terms", "contract.examples"),
    "changed protocol": (in_run(lambda r: r["identity"].update(protocol="aloe/2")), "plausible", "protocol"),
    "other judge": (in_run(cheats.generous), "plausible", "judges"),
    "other judge, declared": (
        in_both(lambda s, r: (cheats.generous(r), s["judges"].append("generous"))), "terms", "'generous' is not known",
    ),
    "wider scale": (in_run(cheats.wider), "terms", "other parts or scales"),
    "changed sampling": (
        in_run(lambda r: r["identity"]["options"]["models/chatty"].update(temperature=0.0)), "plausible", "temperature",
    ),
    "impossible sampling": (
        in_both(
            lambda s, r: (
                s["system"]["decoding"].update(max_tokens=45),
                r["identity"]["options"]["models/chatty"].update(max_tokens=45),
            )
        ),
        "plausible",
        "a call wrote 60 tokens",
    ),
    "other weights": (in_both(lambda s, r: s["system"].update(weights={"weights": "beef"})),
                      "plausible", "weights"),
    "posing as a control": (cheats.as_control, "replay", "control 'asker' does not write"),
    "counts of failures hidden": (
        lambda f: f.json("submission.json", lambda s: s["counts"].update(failed={"candidate: 503": 3})),
        "plausible",
        "counts",
    ),
    "NaN in a turn": (turns(lambda t: t["output"].update(memory=float("nan"))), "schema", "not JSON"),
    "infinite claim": (
        lambda f: (f.path / "submission.json").write_text(
            (f.path / "submission.json").read_text().replace('"claims": {', '"claims": {"AVG": Infinity, ')
        ),
        "schema",
        "finite",
    ),
    "unknown keys": (submission(rank=1), "schema", "Extra inputs"),
    "future date": (submission(created=cheats.tomorrow()), "schema", "future"),
    "future run": (in_run(lambda r: r.update(created=cheats.tomorrow())), "schema", "future"),
    "hidden characters": (hide("chatty/\u202eplain"), "schema", "U+202E"),
    "mixed alphabets": (hide("chаtty/plain"), "schema", "mixes alphabets"),
    "look-alike forms": (hide("ｃｈａｔｔｙ"), "schema", "look-alike"),
    "a path for an id": (submission(id="../../etc"), "schema", "pattern"),
    "deep nesting": (lambda f: (f.path / "run.json").write_bytes(b"[" * 100_000), "schema", "JSON"),
    "no run": (lambda f: (f.path / "run.json").write_text("{}"), "schema", "format"),
    "broken run": (in_run(lambda r: r.update(identity={})), "schema", "identity.cases"),
    "broken transcript": (in_lines("dialogues", lambda d: d[0].update(turns="all")), "schema", "turns"),
    "not xz": (lambda f: (f.path / "dialogues.jsonl.xz").write_bytes(b"scores" * 9), "schema", "no sound xz"),
    "a link": (cheats.link, "files", "is a link"),
    "10 GB": (cheats.ten_gigabytes, "files", "10240 MiB"),
    "a stranger": (lambda f: (f.path / "setup.py").write_text("import os"), "files", "does not belong"),
    "a folder": (lambda f: (f.path / "more").mkdir(), "files", "is a link, a folder"),
    "a pipe": (lambda f: os.mkfifo(f.path / "scores.jsonl.xz"), "files", "device"),
    "a missing file": (lambda f: (f.path / "dialogues.jsonl.xz").unlink(), "files", "dialogues.jsonl.xz is missing"),
}  # fmt: skip


def refused(checked: Validation, check: str, text: str) -> None:
    found = [f.text for f in checked.findings.found if f.check == check and f.verdict == "fail"]
    assert not checked.accepted
    assert found and any(text in line for line in found), checked.record()["findings"]


@pytest.mark.parametrize("cheat", FORGED)
def test_a_forged_submission_is_refused_for_the_right_reason(
    cheat: str, submissions: dict[str, Path], tmp_path: Path
) -> None:
    change, check, text = FORGED[cheat]
    sealed = cheat not in ("10 GB", "a link")
    refused(
        validate(forge(submissions[MODEL], tmp_path / "forged", change, sealed=sealed), plugins=[PLUGIN]), check, text
    )


def test_the_copy_it_was_forged_from_passes(submissions: dict[str, Path], tmp_path: Path) -> None:
    same = forge(submissions[MODEL], tmp_path / "same", lambda forgery: forgery.lines("dialogues", lambda s: None))
    assert validate(same, plugins=[PLUGIN]).accepted


def test_files_that_a_submission_names_are_never_opened(submissions: dict[str, Path], tmp_path: Path) -> None:
    checked = validate(forge(submissions[MODEL], tmp_path / "f", in_run(cheats.own_files)), plugins=[PLUGIN])
    honest = validate(submissions[MODEL], plugins=[PLUGIN])
    assert checked.result and honest.result and checked.result.board == honest.result.board


def test_a_broken_seal_is_refused(submissions: dict[str, Path], tmp_path: Path) -> None:
    edited = forge(submissions[MODEL], tmp_path / "edited", turns(cheats.told_nothing), sealed=False)
    refused(validate(edited, plugins=[PLUGIN]), "digests", "dialogues.jsonl.xz is not the file that was sealed")
    (edited / "MANIFEST.sha256").write_text("0" * 64 + "  ../../etc/passwd\n")
    refused(validate(edited, plugins=[PLUGIN]), "digests", "MANIFEST.sha256 line 1")


JUDGED: dict[str, tuple[Change, str, str]] = {
    "edited verdicts": (scored("gate", 1.0), "judges", "rlpa-gate.gate is 1, its judge wrote 0"),
    "edited criterion": (scored("relevance", 1.0), "judges", "relevance is 1, its judge wrote 0"),
    "edited words": (in_lines("scores", cheats.other_words), "judges", "its judge wrote 1"),
    "off the scale": (scored("gate", 7.0), "judges", "is 7.0, off its scale"),
    "NaN verdicts": (scored("gate", float("nan")), "schema", "not JSON"),
    "a value without a verdict": (scored("gate", 1.0, "error"), "judges", "exactly when it is not scored"),
    "verdicts taken out of the denominator": (scored("gate", None, "error"), "scores", "its transcripts earn"),
    "verdicts left out": (in_lines("scores", lambda s: s[20:]), "judges", "lacks 18 verdicts"),
    "all verdicts left out": (lambda f: (f.path / "scores.jsonl.xz").unlink(), "judges", "lacks 18 verdicts"),
    "verdicts doubled": (in_lines("scores", lambda s: [*s[:6], *s]), "judges", "a verdict twice"),
    "a part of one's own": (in_lines("scores", lambda s: s[0].update(part="charm")), "judges", "no part of its judge"),
    "a judge of one's own": (in_lines("scores", lambda s: s[0].update(judge="me")), "judges", "none of the run's"),
    "other instructions": (
        in_run(lambda r: r["identity"]["components"]["judges/rlpa-gate"].update(prompts={})), "terms", "prompts",
    ),
    "endless line": (cheats.bomb, "schema", "MiB a line"),
}  # fmt: skip


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A submission judged by rules and by a model."""
    folder = tmp_path_factory.mktemp("judged")
    options = ["judge.model=critic", "judge.rlpa-gate.reasons=false"]
    run = play_systems(folder / "run", baseline="plain", seeds=1, turns=3, judge="rules,rlpa-gate", options=options)
    return submit(run, folder / "out")[MODEL]


def test_verdicts_of_a_model_are_read_again_in_its_words(judged: Path) -> None:
    checked = validate(judged, plugins=[PLUGIN])
    assert checked.result is not None, checked.record()["findings"]
    assert checked.result.tier == "T1" and not checked.result.flags


@pytest.mark.parametrize("cheat", JUDGED)
def test_forged_verdicts_of_a_model_are_refused(cheat: str, judged: Path, tmp_path: Path) -> None:
    change, check, text = JUDGED[cheat]
    refused(validate(forge(judged, tmp_path / "forged", change), plugins=[PLUGIN]), check, text)


def test_verdicts_without_words_are_flagged(judged: Path, tmp_path: Path) -> None:
    def change(forgery: Forgery) -> None:
        in_lines("scores", cheats.no_words)(forgery)
        submission(claims={})(forgery)

    checked = validate(forge(judged, tmp_path / "mute", change), plugins=[PLUGIN])
    assert checked.accepted and "judge-not-reread" in checked.findings.flags


def test_failures_that_leave_the_denominator_are_flagged_and_not_ranked(
    submissions: dict[str, Path], tmp_path: Path
) -> None:
    from rlpa_bench.leaderboard.board import MARKS

    checked = validate(forge(submissions[MODEL], tmp_path / "failed", cheats.failed), plugins=[PLUGIN])
    assert checked.result and "incomplete" in checked.result.flags and "incomplete" in MARKS
    assert "bounds" in checked.result.row["AVG[rules]"]


def test_hidden_grants_are_refused(tmp_path: Path) -> None:
    run = play_systems(tmp_path / "run", baseline="leaky", seeds=1, turns=2)
    honest = submit(run, tmp_path / "out")["chatty/leaky"]

    def deny(said: Any, run: Any) -> None:
        said["system"]["grants"] = []
        run["candidates"]["chatty/leaky"]["grants"] = []

    refused(validate(forge(honest, tmp_path / "denied", in_both(deny)), plugins=[PLUGIN]), "terms", "is given ['gold']")

    def rename(said: Any, run: Any) -> None:
        deny(said, run)
        said["system"].update(name="chatty/honest", baseline="honest")
        entry = run["candidates"].pop("chatty/leaky")
        run["candidates"]["chatty/honest"] = {**entry, "baseline": "honest"}
        run["plan"]["candidates"] = ["chatty/honest"]

    def renamed(forgery: Forgery) -> None:
        in_both(rename)(forgery)
        new = {"candidate": "chatty/honest"}
        forgery.lines("dialogues", lambda values: [value.update(new) for value in values] and values)

    leak = validate(forge(honest, tmp_path / "renamed", renamed), plugins=[PLUGIN])
    refused(leak, "content", "before anything was told")
    assert "unknown-baseline" in leak.findings.flags


def test_another_simulator_is_another_board(submissions: dict[str, Path], store: Store, tmp_path: Path) -> None:
    """A setting that changed nothing here: the row is true, but it never meets the others."""
    change = in_run(cheats.other_options("simulators", "agenda", may_leave=True))
    checked = validate(forge(submissions[MODEL], tmp_path / "other", change), plugins=[PLUGIN])
    assert checked.result is not None
    assert checked.result.board not in {one.result.board for one in store.standing()}


def test_words_to_the_judge_are_flagged(submissions: dict[str, Path], filled: Path) -> None:
    flags = {one.result.submission.system.name: one.flags for one in Store(filled).standing()}
    assert "injection" in flags["injector"] and "constant" in flags["null"]
    assert "injection" not in flags["chatty/plain"] and "constant" not in flags["chatty/plain"]


def test_another_systems_transcripts_are_refused(submissions: dict[str, Path], store: Store, tmp_path: Path) -> None:
    """The best row under a new name, with small edits that no fingerprint shows."""

    def rename(said: Any, run: Any) -> None:
        said.update(id="mine", submitter="B. Other")

    stolen = forge(submissions[MODEL], tmp_path / "stolen", in_both(rename))
    checked = validate(stolen, plugins=[PLUGIN], board=store.current())
    refused(checked, "content", "are, word for word, those of")
    assert validate(stolen, plugins=[PLUGIN], board=store.current(), reproduces=store_id(store)).accepted
    assert not store.add(stolen, plugins=[PLUGIN]).accepted


def store_id(store: Store) -> str:
    return next(one.result.id for one in store.standing() if one.result.submission.system.name == MODEL)


@pytest.mark.parametrize(
    ("entry", "text"),
    [("../../evil.json", "does not belong"), ("/etc/submission.json", "does not belong"), ("a/b/run.json", "belong")],
)
def test_an_archive_never_writes_elsewhere(submissions: dict[str, Path], tmp_path: Path, entry: str, text: str) -> None:
    archive = tmp_path / "in" / "slip.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as out:
        for path in submissions[MODEL].iterdir():
            out.write(path, path.name)
        out.writestr(entry, "{}")
    refused(validate(archive, plugins=[PLUGIN]), "files", text)
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "slip.zip"]


def test_an_archive_with_a_link_is_refused_and_an_honest_one_passes(
    submissions: dict[str, Path], tmp_path: Path
) -> None:
    honest, linked = tmp_path / "honest.zip", tmp_path / "linked.zip"
    for archive in (honest, linked):
        with zipfile.ZipFile(archive, "w") as out:
            for path in submissions[MODEL].iterdir():
                if archive is linked and path.name == "dialogues.jsonl.xz":
                    info = zipfile.ZipInfo(path.name)
                    info.external_attr = 0o120777 << 16
                    out.writestr(info, "/etc/passwd")
                else:
                    out.write(path, f"mine/{path.name}")
    refused(validate(linked, plugins=[PLUGIN]), "files", "does not belong")
    assert validate(honest, plugins=[PLUGIN]).accepted


def test_no_archive_and_no_folder_are_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK")
    refused(validate(tmp_path / "x.zip"), "files", "no sound zip")
    refused(validate(tmp_path / "nothing"), "files", "is not a folder")
