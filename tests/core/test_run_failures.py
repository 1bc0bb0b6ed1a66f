"""What fails is counted, named and left without a number; everything else is as if nothing had failed."""

from __future__ import annotations

import random
from collections import Counter as Counted
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer
from toyruns import files, lines_of, log_lines, play, unfinished
from toys import Counter, Plain, ToyJudge, ToyModel, ToySimulator, ToySuite, case, reply

import rlpa_bench
from rlpa_bench import hookimpl, pipeline
from rlpa_bench.errors import JudgeError, ProviderError, SimulatorError, UsageError
from rlpa_bench.interfaces import Generation, Guide, Sampling
from rlpa_bench.plan import with_turns
from rlpa_bench.runner.batch import RunStoppedError
from rlpa_bench.types import Case, Message, Output, Session, State, Turn, TurnSubject, Utterance, Verdict, View


class Stumbles(Plain):
    """Fails at turn 3, in the way that ``fault`` says, until it is None."""

    name = "stumbles"
    fault: Any = None

    async def respond(self, view: View) -> Output:
        if view.turn == 3 and self.fault is not None:
            if isinstance(self.fault, Exception):
                raise self.fault
            return self.fault  # type: ignore[no-any-return]
        return await super().respond(view)


CANDIDATE_FAULTS = [
    (ProviderError("the endpoint is down", reason="503"), "candidate: 503", "candidate: 503: the endpoint is down"),
    (ZeroDivisionError("by zero"), "candidate: ZeroDivisionError", "candidate: ZeroDivisionError: by zero"),
    ("text", "candidate: TypeError", "candidate: TypeError: baseline 'stumbles' returned str, not an Output with a"),
    (Output(None), "candidate: TypeError", "candidate: TypeError: baseline 'stumbles' returned Output, not an Out"),  # type: ignore[arg-type]
    (Output(reply("Hm?"), memory={1, 2}), "candidate: TypeError", "candidate: TypeError: Type is not JSON seria"),
]


@pytest.mark.parametrize(("fault", "kind", "reason"), CANDIDATE_FAULTS)
def test_a_failing_candidate_costs_nobody_else_anything(
    whole: rlpa_bench.Run, out: Path, monkeypatch: pytest.MonkeyPatch, fault: Any, kind: str, reason: str
) -> None:
    monkeypatch.setattr(Stumbles, "fault", fault)
    run = play(out, Stumbles, baseline="stumbles,counter", limit=6)
    failed = [d for d in run.dialogues() if d.candidate == "toy/stumbles"]
    assert len(failed) == 12 and {len(d.turns) for d in failed} == {2}
    assert all(d.ended.startswith(f"error: {reason}") for d in failed)
    assert run.info["failures"] == {kind: 12}
    assert run.info["counts"] == {"planned": 24, "played": 12, "failed": 12, "retried": 0}
    for name in ("dialogues.jsonl", "scores.jsonl"):
        assert lines_of(out / name, candidate="counter") == lines_of(whole.path / name, candidate="counter")
    turns = {score.turn for score in run.scores() if score.candidate == "toy/stumbles"}
    assert turns == {1, 2}, "a turn that never came was scored"
    cell = run.summary["rows"]["toy/stumbles"]["AVG[asks]"]
    assert (cell["planned"], cell["scored"], cell["missing"]) == (60, 24, {"error": 36})
    assert cell["mean"] is None and cell["bounds"] == pytest.approx([40, 100])
    assert run.summary["rows"]["counter"] == whole.summary["rows"]["counter"]


class Grumpy(ToySimulator):
    """Fails in one dialogue, when it is to speak for the third time."""

    fault: Any = SimulatorError("the line is dead", reason="dead")

    async def reply(self, state: State) -> Utterance:
        if state.key == "case-1/0/3":
            if isinstance(self.fault, Exception):
                raise self.fault
            return self.fault  # type: ignore[no-any-return]
        return await super().reply(state)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (SimulatorError("the line is dead", reason="dead"), "simulator: dead: the line is dead"),
        (KeyError("mood"), "simulator: KeyError: 'mood'"),
        (None, "simulator: TypeError: simulator 'toy' returned NoneType, not an Utterance with a text"),
        (Utterance(3), "simulator: TypeError: simulator 'toy' returned Utterance, not an Utterance with a text"),  # type: ignore[arg-type]
        (Utterance("Hm.", state={1, 2}), "simulator: TypeError: Type is not JSON serializable: set"),
    ],
)
def test_a_failing_simulator_is_not_charged_to_the_candidate(
    whole: rlpa_bench.Run, out: Path, monkeypatch: pytest.MonkeyPatch, fault: Any, reason: str
) -> None:
    monkeypatch.setattr(Grumpy, "fault", fault)
    run = play(out, Grumpy)
    failed = {(d.candidate, d.case, d.seed): d for d in run.dialogues() if d.ended != "schedule"}
    assert {(name, seed) for name, case_, seed in failed if case_ == "case-1"} == {("toy/plain", 0), ("counter", 0)}
    assert {d.ended for d in failed.values()} == {f"error: {reason}"} and len(failed) == 2
    assert {len(d.turns) for d in failed.values()} == {1}, "the turn that the user never answered counts"
    for name in ("dialogues.jsonl", "scores.jsonl"):
        others = [f for f in (whole.path / name).read_bytes().splitlines() if b'"case":"case-1"' not in f]
        assert [f for f in (out / name).read_bytes().splitlines() if b'"case":"case-1"' not in f] == others


class Erratic(ToyJudge):
    """Fails at one turn of one user."""

    fault: Any = JudgeError("no verdict to be read", reason="unparseable")

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        if subject.key == "case-1/0/3" and subject.gold.items[0].value == "31":
            if isinstance(self.fault, Exception):
                raise self.fault
            return self.fault  # type: ignore[no-any-return]
        return await super().judge(subject)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (JudgeError("no verdict to be read", reason="unparseable"), "unparseable: no verdict to be read"),
        (RecursionError("too deep"), "RecursionError: too deep"),
        (None, "TypeError: judge 'asks' returned NoneType, not verdicts by part"),
        ({}, "no verdict for this part"),
        ({"asks": 1.0, "length": "1"}, "no verdict for this part"),
        ({"asks": Verdict(2.0), "length": Verdict(-1.0)}, "out_of_range: "),
        ({"asks": Verdict(float("nan")), "length": Verdict(float("inf"))}, "out_of_range: "),
        ({"asks": Verdict("1"), "length": Verdict("1")}, "out_of_range: "),  # type: ignore[arg-type]
    ],
)
def test_a_failing_judge_books_errors_and_never_a_number(
    whole: rlpa_bench.Run, out: Path, monkeypatch: pytest.MonkeyPatch, fault: Any, reason: str
) -> None:
    monkeypatch.setattr(Erratic, "fault", fault)
    run = play(out, Erratic)
    bad = [score for score in run.scores() if score.status != "scored"]
    assert {(s.case, s.seed, s.turn, s.judge) for s in bad} == {("case-1", 0, 3, "asks")}
    assert sorted(s.part for s in bad) == ["asks", "asks", "length", "length"]
    assert all(s.status == "error" and s.value is None and s.reason.startswith(reason) for s in bad)
    good = lines_of(out / "scores.jsonl", status="scored")
    assert set(good) < set((whole.path / "scores.jsonl").read_bytes().splitlines())
    assert len(good) + len(bad) == sum(1 for _ in whole.scores())
    assert (out / "dialogues.jsonl").read_bytes() == (whole.path / "dialogues.jsonl").read_bytes()
    cell = run.summary["rows"]["toy/plain"]["AVG[asks]"]
    assert (cell["planned"], cell["scored"]) == (60, 59) and list(cell["missing"]) == [f"error: {reason.split(':')[0]}"]
    assert run.info["counts"]["failed"] == 0


def test_half_a_character_does_not_harm_a_run(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stumbles, "fault", Output(reply("Hm \ud83d?")))
    run = play(out, Stumbles, baseline="stumbles", limit=1, seeds=1)
    assert [turn.response for turn in next(run.dialogues()).turns][2] == "Hm ??"


def test_numbers_of_other_types_are_booked_as_floats(whole: rlpa_bench.Run, out: Path) -> None:
    import numpy as np

    class Numpy(ToyJudge):
        async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
            verdicts = await super().judge(subject)
            return {"asks": Verdict(bool(verdicts["asks"].value)), "length": Verdict(np.float64(len(subject.reply)))}

    assert files(play(out, Numpy).path) == files(whole.path)


class Unplugged(ToyModel):
    down = True

    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        if self.down:
            raise ProviderError("wrong key", reason="401")
        return await super().generate(messages, sampling, guide)


def test_a_run_stops_after_twenty_equal_failures_and_goes_on_when_it_is_mended(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Unplugged, "down", True)
    with pytest.raises(RunStoppedError, match=r"20 dialogues in a row failed .*401: wrong key.*mend it, then resume"):
        play(out, Unplugged, baseline="plain", seeds=6)
    failed = sum(1 for line in log_lines(out) if "failed" in line)
    assert 20 <= failed < 36, "dialogues that were under way may fail too, no new one begins"
    monkeypatch.setattr(Unplugged, "down", False)
    run = play(out, Unplugged, baseline="plain", seeds=6)
    assert run.info["counts"] == {"planned": 36, "played": 36 - failed, "failed": failed, "retried": 0}
    run = play(out, Unplugged, baseline="plain", seeds=6, retry_errors=True)
    assert run.info["counts"] == {"planned": 36, "played": 36, "failed": 0, "retried": failed}
    assert files(out) == files(play(tmp_path / "undisturbed", baseline="plain", seeds=6).path)


def test_failures_of_several_kinds_do_not_stop_a_run(out: Path) -> None:
    class Mixed(Plain):
        name = "mixed"
        count = 0

        async def respond(self, view: View) -> Output:
            type(self).count += 1
            raise ProviderError("no", reason="429" if self.count % 2 else "500")

    run = play(out, Mixed, baseline="mixed", seeds=6)
    assert run.info["failures"] == {"candidate: 429": 18, "candidate: 500": 18}


def test_retry_errors_plays_failed_dialogues_only_and_from_where_they_stood(
    whole: rlpa_bench.Run, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Grumpy, "fault", SimulatorError("the line is dead", reason="dead"))
        play(out, Grumpy)
    before = (out / "log" / "0000.jsonl").read_bytes()
    run = play(out)
    assert (out / "log" / "0000.jsonl").read_bytes() == before, "a plain resume played failed dialogues again"
    assert run.info["counts"]["failed"] == 2
    run = play(out, retry_errors=True)
    added = (out / "log" / "0000.jsonl").read_bytes().removeprefix(before)
    assert {line["unit"] for line in log_lines(out)} == set(range(24))
    assert added.count(b'"turn":{') == 2 * 4, "turns 2 to 5 of two dialogues were to be played"
    assert run.info["counts"] == {"planned": 24, "played": 24, "failed": 0, "retried": 2}
    assert files(out) == files(whole.path)


def test_a_kill_while_a_failed_dialogue_is_played_again(whole: rlpa_bench.Run, out: Path, tmp_path: Path) -> None:
    failed = play(tmp_path / "failed", Grumpy)
    start = (failed.path / "log" / "0000.jsonl").stat().st_size
    play(failed.path, retry_errors=True)
    log = (failed.path / "log" / "0000.jsonl").read_bytes()
    for number, end in enumerate(i + 1 for i in range(start, len(log)) if log[i : i + 1] == b"\n"):
        partial = unfinished(failed.path, tmp_path / str(number), end)
        run = play(partial)
        ended = [d for d in run.dialogues() if d.ended != "schedule"]
        assert all(len(d.turns) == 1 for d in ended), "a dialogue that was going on was booked as failed"
        for dialogue in run.dialogues():
            scored = lines_of(partial / "scores.jsonl", candidate=dialogue.candidate, case=dialogue.case,
                              seed=dialogue.seed)  # fmt: skip
            assert len(scored) == 3 * len(dialogue.turns), "scores of another number of turns"


def test_max_cost_stops_and_resumes(out: Path, tmp_path: Path) -> None:
    priced = {"options": ["model.price_prompt=100000", "model.price_completion=0"], "max_connections": 1}
    for most in (12, 16):  # a dialogue is five calls of one dollar; what was spent before counts
        said = rf"--max-cost {most}.0 is spent \({most}.00 US dollars\); resume with"
        with pytest.raises(RunStoppedError, match=said):
            play(out, max_cost=float(most), **priced)
        assert sum(1 for line in log_lines(out) if "scores" in line) == most // 5
    run = play(out, **priced)
    assert run.info["calls"]["costs"] == {"candidate": 60.0}, "some call was paid twice"
    undisturbed = play(tmp_path / "undisturbed", **priced)
    assert files(out) == files(undisturbed.path)
    assert undisturbed.info["calls"]["costs"] == {"candidate": 60.0} and not undisturbed.info["calls"]["unpriced"]
    assert run.summary["rows"]["toy/plain"]["cost"]["mean"] == pytest.approx(5.0)


class Dozen(ToySuite):
    def cases(self) -> Sequence[Case]:
        return [case(i) for i in range(12)]


def test_without_a_model_the_default_one_plays_ten_cases_and_controls_play_all(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "DEFAULT_MODEL", "toy")
    run = play(out, Dozen, model="", seeds=1)
    counts = {name: info["planned"] for name, info in run.info["candidates"].items()}
    assert counts == {"toy/plain": 10, "counter": 12}
    assert sum(1 for d in run.dialogues() if d.candidate == "toy/plain") == 10
    cell = run.summary["rows"]["toy/plain"]["AVG[asks]"]
    assert (cell["planned"], cell["scored"]) == (50, 50), "cases that were not planned count as missing"


@pytest.mark.parametrize(
    ("terms", "limit"), [({"model": "toy"}, 12), ({"model": "", "limit": 11}, 11), ({"model": "", "limit": 3}, 3)]
)
def test_whoever_names_a_model_or_a_limit_gets_what_they_named(
    out: Path, monkeypatch: pytest.MonkeyPatch, terms: dict[str, Any], limit: int
) -> None:
    monkeypatch.setattr(pipeline, "DEFAULT_MODEL", "toy")
    run = play(out, Dozen, seeds=1, **terms)
    assert {info["planned"] for info in run.info["candidates"].values()} == {limit}


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"model": "toy,toy"}, "candidate 'toy/plain' occurs twice; each may occur once"),
        ({"baseline": "plain,plain"}, "candidate 'toy/plain' occurs twice"),
        ({"baseline": "counter,counter"}, "candidate 'counter' occurs twice"),
        ({"judge": "asks,asks"}, "judges asks, asks name one twice; name each once"),
    ],
)
def test_doubled_names_are_refused(out: Path, terms: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        play(out, **terms)
    assert not out.exists()


def test_doubled_cases_are_refused(out: Path) -> None:
    class Echoing(ToySuite):
        def cases(self) -> Sequence[Case]:
            return [case(0), case(1), case(0)]

    with pytest.raises(UsageError, match="case 'case-0' occurs twice; each may occur once"):
        play(out, Echoing)


class Uneven(ToySuite):
    """Cases of one to four turns, the last in two sessions."""

    def cases(self) -> Sequence[Case]:
        singles = [case(i, (Session(i + 1, "Hello"),)) for i in range(3)]
        return [*singles, case(3, (Session(2, "Hello"), Session(2, "Back again")))]


def test_dialogues_of_unequal_length(out: Path, tmp_path: Path) -> None:
    run = play(out, Uneven, max_connections=16)
    assert [len(d.turns) for d in run.dialogues()] == [1, 1, 2, 2, 3, 3, 4, 4] * 2
    cell = run.summary["rows"]["toy/plain"]["AVG[asks]"]
    assert (cell["planned"], cell["scored"], cell["missing"]) == (20, 20, {})
    assert [cell["by_turn"][str(turn)]["n"] for turn in (1, 2, 3, 4)] == [8, 6, 4, 2]
    assert files(out) == files(play(tmp_path / "one", Uneven, max_connections=1).path)


@pytest.mark.parametrize("turns", [1, 2, 3, 4, 9])
def test_turns_stretch_or_cut_the_last_session(turns: int) -> None:
    cases = with_turns(Uneven(None, None).cases(), turns)  # type: ignore[arg-type]
    assert [c.turns for c in cases] == [turns] * 4
    assert all(session.turns > 0 for c in cases for session in c.sessions)


class Clumsy:
    """Observes, and fails at it."""

    seen = 0

    @hookimpl
    def rlpa_bench_run_start(self) -> None:
        raise RuntimeError("no connection to the tracker")

    @hookimpl
    def rlpa_bench_turn_end(self, turn: Turn) -> None:
        type(self).seen += 1
        raise RuntimeError(f"no connection at turn {turn.index}")


class Careful:
    """Observes, after or before the clumsy one."""

    seen = 0

    @hookimpl
    def rlpa_bench_turn_end(self, candidate: str, seed: int) -> None:
        type(self).seen += 1


def test_an_observer_that_fails_stops_nobody_and_is_reported(whole: rlpa_bench.Run, out: Path) -> None:
    Careful.seen = Clumsy.seen = 0
    run = play(out, watchers=[Careful(), Clumsy(), Careful()])
    assert files(out) == files(whole.path)
    assert Careful.seen == 240 and Clumsy.seen == 120
    (problem,) = run.info["problems"]
    assert problem == (
        "plugin 'Clumsy' of this process: 121 of 121 events lost: 120 (turn_end raised RuntimeError: no connection at "
        "turn 1); 1 (run_start raised RuntimeError: no connection to the tracker)"
    )


def test_the_toys_are_what_the_tests_say(whole: rlpa_bench.Run) -> None:
    assert whole.info["counts"] == {"planned": 24, "played": 24, "failed": 0, "retried": 0}
    assert {d.candidate for d in whole.dialogues()} == {"toy/plain", Counter.name}


FAULTS = {
    "429": "429", "500": "500", "hang": "timeout", "truncated": "connection", "reset": "connection",
    "garbage": "bad_body", "no-choices": "no_choices",
}  # fmt: skip
"""What the server does, and the reason under which it is counted."""


@pytest.mark.parametrize("faults", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_injected_faults_are_all_accounted_for_and_none_is_a_zero(
    out: Path, monkeypatch: pytest.MonkeyPatch, faults: int
) -> None:
    draw = random.Random(faults)
    plan = draw.choices(list(FAULTS), k=faults)
    dealt = [what for fault in plan for what in ["ok"] * draw.randrange(3) + [fault]]
    with OpenAIServer(*dealt) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        run = play(
            out, model="openai:served", baseline="plain", seeds=faults // 5, max_retries=0, stop_after=10**9,
            max_connections=8, options=["model.openai.timeout=0.3"],
        )  # fmt: skip
    assert server.plan == [], "some faults were not injected"
    expected = Counted(f"candidate: {FAULTS[fault]}" for fault in plan)
    assert run.info["failures"] == expected and run.info["counts"]["failed"] == faults
    failed = [d for d in run.dialogues() if d.ended.startswith("error")]
    assert len(failed) == faults and Counted(":".join(d.ended.split(":")[1:3]).strip() for d in failed) == expected
    played = {(d.case, d.seed, t.index) for d in run.dialogues() for t in d.turns}
    scores = list(run.scores())
    assert {(s.case, s.seed, s.turn) for s in scores} == played, "a turn that never was has a score"
    assert all(s.value is not None for s in scores)
    cell = run.summary["rows"]["openai:served/plain"]["AVG[asks]"]
    lost = sum(5 - len(d.turns) for d in failed)
    assert cell["planned"] - cell["scored"] == lost == sum(cell["missing"].values())
