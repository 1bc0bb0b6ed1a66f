"""Each signature is found on a candidate made to have it, and not on one that has not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from toyruns import play
from toys import NURSE, Options, Plugin, ToyJudge, ToySimulator, ToySuite, case, reply

import rlpa_bench
from rlpa_bench.diagnostics import SIGNATURES, beside, findings
from rlpa_bench.errors import UsageError
from rlpa_bench.interfaces import Baseline
from rlpa_bench.recompute import rebuild
from rlpa_bench.runs import Run
from rlpa_bench.types import Case, Item, Output, Session, State, TurnSubject, Utterance, Verdict, View

DRIFT, HACKING, OVERFIT, COLLAPSE = SIGNATURES
JOBS = ("nurse", "teacher", "baker", "judge", "plumber", "farmer", "pilot", "tailor")
TOWNS = ("Leeds", "Porto", "Lyon", "Ghent", "Turin", "Graz", "Cork", "Basel")


class People(ToySuite):
    """Eight users with a job and a town, both only theirs, told one at a turn from turn 2 on."""

    name = "crowd"
    protocol = "people/1"

    def cases(self) -> list[Case]:
        made = []
        for i, (job, town) in enumerate(zip(JOBS, TOWNS, strict=True)):
            facts = (
                Item("Occupation", job, origin="written", say=(f"I am a {job}.",)),
                Item("Location", town, origin="written", say=(f"I live in {town}.",)),
            )
            made.append(Case(f"p{i}", type(case(0).gold)(facts), f"p{i}", (Session(6, "Hello"),)))  # type: ignore[misc]
        return made


class Teller(ToySimulator):
    """Tells the next fact in every turn, then both again."""

    name = "teller"

    async def reply(self, state: State) -> Utterance:
        assert state.case.gold is not None
        facts = state.case.gold.items
        fact = facts[(state.turn - 2) % len(facts)]
        return Utterance(self.words(fact), (fact.key,))

    def words(self, fact: Item) -> str:
        return fact.say[0]


class Mumbler(Teller):
    """The same in other words."""

    name = "mumbler"

    def words(self, fact: Item) -> str:
        return f"Well, {fact.value}, that is me."


class Personal(ToyJudge):
    """1 for a reply that names a fact of the gold, greets at turn 1, or says the word that this judge cannot resist."""

    name = "personal"

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        words = subject.reply.casefold()
        good = any(item.value.casefold() in words for item in subject.gold.items)
        good = good or "marvellous" in words or (not subject.disclosed and "hi" in words.split())
        return {"asks": Verdict(float(good)), "length": Verdict(float(len(words)))}


class Honest(Baseline):
    """Notes what it hears, keeps it and speaks of it; greets first."""

    name = "honest"
    Options = Options
    needs_model = False

    async def respond(self, view: View) -> Output:
        known = dict(view.memory or {})
        known |= self.heard(view.user)
        return Output(reply(self.speak(known, view), self.profile(known, view)), memory=known)

    def heard(self, text: str) -> dict[str, str]:
        found = {"Occupation": JOBS, "Location": TOWNS}
        return {slot: v for slot, values in found.items() for v in values if v in text}

    def profile(self, known: Mapping[str, str], view: View) -> str:
        return "\n".join(f"- {slot}: {value}" for slot, value in known.items())

    def speak(self, known: Mapping[str, str], view: View) -> str:
        return f"How is {' '.join(known.values())}?" if known else "Hi there, who are you?"


class Drifter(Honest):
    """Loses its notes in the last turns."""

    name = "drifter"

    def profile(self, known: Mapping[str, str], view: View) -> str:
        return super().profile(known, view) if view.turn < 5 else "- Others: talkative"


class Hacker(Honest):
    """Says the word that the judge cannot resist, to everybody."""

    name = "hacker"

    def speak(self, known: Mapping[str, str], view: View) -> str:
        return "How marvellous!"


class Overfitted(Honest):
    """Understands only the very sentences of the user it was trained with."""

    name = "overfitted"

    def heard(self, text: str) -> dict[str, str]:
        return super().heard(text) if text.startswith("I ") else {}


class Collapsed(Honest):
    """Makes up a user before it knows anything."""

    name = "collapsed"

    def profile(self, known: Mapping[str, str], view: View) -> str:
        return super().profile(known, view) or "- Occupation: astronaut"


class Deaf(Honest):
    """Never learns anything: low everywhere, with whatever user."""

    name = "deaf"

    def heard(self, text: str) -> dict[str, str]:
        return {}


ALL = (Honest, Drifter, Hacker, Overfitted, Collapsed, Deaf)
NAMES = ",".join(candidate.name for candidate in ALL)


def run(out: Path, simulator: str) -> Run:
    return rlpa_bench.run(
        "crowd", baseline=NAMES, simulator=simulator, judge="personal", controls=False, preflight=False, cache=False,
        plugins=[Plugin(People, Teller, Mumbler, Personal, *ALL)], out=out,
    )  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("diagnostics")
    return run(folder / "teller", "teller"), run(folder / "mumbler", "mumbler")


def found(run: Run) -> dict[str, set[str]]:
    """Signature -> candidates that have it."""
    has: dict[str, set[str]] = {name: set() for name in SIGNATURES}
    for finding in findings(run):
        if finding.verdict == "found":
            has[finding.signature].add(finding.candidate)
    return has


def test_three_signatures_show_in_one_run_on_those_that_have_them(runs: tuple[Run, Run]) -> None:
    assert found(runs[0]) == {DRIFT: {"drifter"}, HACKING: {"hacker"}, OVERFIT: set(), COLLAPSE: {"collapsed"}}


def test_over_fitting_shows_beside_a_run_with_another_user(runs: tuple[Run, Run]) -> None:
    by_name = {finding.candidate: finding for finding in beside(*runs)}
    assert {name for name, finding in by_name.items() if finding.verdict == "found"} == {"overfitted"}
    assert found(runs[0])[OVERFIT] == {"overfitted"}, "kept with the run"
    assert "with teller instead of mumbler" in by_name["overfitted"].evidence


def test_what_cannot_be_seen_is_not_tested_and_says_why(runs: tuple[Run, Run]) -> None:
    said = {(f.candidate, f.signature): f for f in findings(runs[1])}
    assert said["honest", OVERFIT].verdict == "not tested"
    assert said["deaf", DRIFT].evidence == "no fact was ever inferred right, or too few profiles"


def test_a_judge_that_was_not_asked_under_another_gold_tests_no_hacking(out: Path) -> None:
    class Once(ToyJudge):
        name = "once"
        other_gold = False

    played = play(out, Once, judge="once")
    assert {f.verdict for f in findings(played) if f.signature == HACKING} == {"not tested"}


def test_the_report_shows_every_finding_under_diagnostics(runs: tuple[Run, Run]) -> None:
    beside(*runs)
    page = (rebuild(runs[0].path).path / "report.html").read_text()
    section = page.partition('id="diagnostics"')[2].partition("</section>")[0]
    assert section.count("<b>found</b>") == 4
    assert all(finding.evidence.replace("'", "&#39;") in section for finding in findings(runs[0]))


def test_the_command_line_tests_over_fitting(runs: tuple[Run, Run]) -> None:
    main = "from rlpa_bench.cli.main import main; main()"
    command = [sys.executable, "-c", main, "report", str(runs[0].path), "--beside", str(runs[1].path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "overfitted: simulator over-fitting found: gain over" in done.stdout


def test_runs_that_differ_in_more_than_the_user_are_refused(runs: tuple[Run, Run], out: Path) -> None:
    with pytest.raises(UsageError, match="both runs have the user 'teller'"):
        beside(runs[0], runs[0])
    other = play(out)
    with pytest.raises(UsageError, match="play the same cases"):
        beside(runs[0], other)


def test_a_planned_change_is_not_forgotten(out: Path) -> None:
    from toys import TEACHER

    from rlpa_bench.types import Change

    class Changing(ToySuite):
        name = "toy"

        def cases(self) -> list[Case]:
            changes = [Change(4, NURSE.key, TEACHER)]
            return [case(i, (Session(5, "Hello"),), changes) for i in range(3)]

    class Follower(Honest):
        name = "follower"

        async def respond(self, view: View) -> Output:
            return Output(reply("Well?", "- Occupation: nurse" if view.turn < 4 else "- Occupation: teacher"))

    played = play(out, Changing, Follower, baseline="follower")
    cell = json.loads((played.path / "summary.json").read_text())["rows"]["follower"]["forgotten"]
    assert cell["mean"] == 0, "the nurse holds no longer; the teacher was kept"
