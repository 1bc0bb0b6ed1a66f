"""Cards of any judge and simulator, with and without labels, and the agreement card of a run."""

from __future__ import annotations

import asyncio
import csv
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer
from puppet import Say, answering, data, harness, nonce, puppet
from rlpa_bench_plugins.judges.rlpa_gate import CRITERIA
from toyruns import play as toy_run
from toys import ToyJudge

from rlpa_bench.cards.agreement import agreement_card
from rlpa_bench.cards.attacks import scripted_subjects, tries
from rlpa_bench.cards.judge import judge_card
from rlpa_bench.cards.simulator import simulator_card
from rlpa_bench.cli.main import main
from rlpa_bench.errors import DataError, RunDirectoryError, SimulatorError, UsageError
from rlpa_bench.interfaces import Judge, Part
from rlpa_bench.options import Options
from rlpa_bench.types import DialogueSubject, Message, Verdict

BUILT = harness(puppet(lambda m: ""))
STATES = list(scripted_subjects(BUILT.suite.sample(2)))
STYLES = sum(attack.family == "injector" for attack in tries(BUILT.context.ontology))


def card(name: str, say: Say, *options: str, **settings: Any) -> dict[str, Any]:
    built = harness(puppet(say), "judge.model=puppet:x", *options)
    return asyncio.run(judge_card(built.judges([name])[0], STATES, ontology=built.context.ontology, **settings))


def swayed(messages: Sequence[Message]) -> str:
    """Passes whoever tells it to."""
    told = any(word in data(messages)["reply"].lower() for word in ("score", "rate", "verdict", "rating"))
    return json.dumps({"nonce": nonce(messages), **dict.fromkeys(CRITERIA, int(told))})


def test_a_judge_that_can_be_talked_into_a_pass_is_found_out() -> None:
    figures = card("rlpa-gate", swayed, "judge.rlpa-gate.reasons=false", families=["injector"], templates=False)
    assert set(figures["families"]) == {"plain", "injector"}
    assert figures["families"]["plain"]["rate"] == 0.0
    assert figures["families"]["injector"]["scored"] == STYLES * len(STATES) >= 24 * len(STATES)
    assert 0.2 < figures["families"]["injector"]["rate"] < 0.9
    assert figures["attacks"]["score-line"]["rate"] == 1.0
    assert figures["uplift"] > 0.2
    assert figures["unusable"] == {"asked": (STYLES + 1) * len(STATES), "share": 0.0, "by reason": {}}
    assert (figures["templates"], figures["calibration"]) == ("not tried", "uncalibrated")


def test_single_attacks_can_be_named() -> None:
    figures = card("rlpa-gate", swayed, "judge.rlpa-gate.reasons=false", families=["boxed", "threat"], templates=False)
    assert set(figures["attacks"]) == {"small talk", "boxed", "threat"}


def test_what_cannot_be_used_is_counted_and_no_pass() -> None:
    figures = card("rlpa-gate", lambda m: "Great!", families=["null"], templates=False)
    assert figures["families"]["null"] == {
        "passed": 0, "scored": 0, "missing": 2 * len(STATES), "rate": None, "high": None, "mean": None,
    }  # fmt: skip
    assert figures["unusable"] == {
        "asked": 3 * len(STATES),
        "share": 1.0,
        "by reason": {"unparseable": 3 * len(STATES)},
    }
    assert (figures["self agreement"]["replies"], figures["constant"]) == (0, None)


def test_a_judge_that_says_the_same_to_everything_is_found_out() -> None:
    """No attack passes it, and that is no merit."""
    figures = card("aloe-15", answering({"score": 1}), families=["injector"], templates=False, repeats=0)
    assert (figures["families"]["injector"]["rate"], figures["uplift"], figures["constant"]) == (0.0, 0.0, True)
    assert card("rlpa-gate", swayed, "judge.rlpa-gate.reasons=false", templates=False, repeats=0)["constant"] is False


def test_a_moody_judge_does_not_agree_with_itself() -> None:
    count = iter(range(10_000))

    def moody(messages: Sequence[Message]) -> str:
        return json.dumps({"nonce": nonce(messages), "score": 1 + next(count) % 5})

    assert card("aloe-15", moody, families=["null"], templates=False)["self agreement"]["alpha"] < 0.2

    def steady(messages: Sequence[Message]) -> str:
        return json.dumps({"nonce": nonce(messages), "score": 1 + len(data(messages)["reply"]) % 5})

    agreed = card("aloe-15", steady, families=["null"], templates=False)["self agreement"]
    assert agreed == {"replies": len(STATES), "repeats": 5, "alpha": 1.0, "always the same": 1.0}


def test_a_judge_of_pairs_has_a_card() -> None:
    def longer(messages: Sequence[Message]) -> str:
        shown = data(messages)
        better = "A" if len(shown["A"]) > len(shown["B"]) else "B"
        return json.dumps({"nonce": nonce(messages), "reason": "longer", "better": better})

    figures = card("pairwise", longer, families=["longest", "null"], templates=False)
    assert figures["part"] == "preference"
    assert figures["families"]["longest"]["rate"] == 1.0
    assert figures["families"]["plain"]["rate"] in (0.0, 1.0) or figures["families"]["plain"]["scored"]
    always_first = card("pairwise", answering({"reason": "", "better": "A"}), families=["null"], templates=False)
    assert always_first["families"]["null"]["rate"] == 0.0, "a preference for a place is no pass"


class Whole(Judge):
    """Passes a dialogue in which every reply asks something."""

    name = "whole"
    Options = Options
    target = "dialogue"
    deterministic = True
    parts = {"asks": Part(binary=True)}

    async def judge(self, subject: DialogueSubject) -> Mapping[str, Verdict]:
        return {"asks": Verdict(float(all("?" in turn.reply for turn in subject.turns)))}


def test_a_judge_of_dialogues_has_a_card() -> None:
    figures = asyncio.run(judge_card(Whole(Options(), BUILT.context), STATES, families=["null"], templates=False))
    assert figures["attacks"]["null"]["rate"] == 0.0
    assert figures["attacks"]["null question"]["rate"] == 1.0
    assert figures["self agreement"] == "deterministic"


PERSONA = [{"slot": "Interests", "value": "hiking"}, {"slot": "Occupation", "value": "nurse", "disclosed": False}]
HISTORY = [["Hello", "Hi there!"]]


def labels(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    full = [{"history": HISTORY, "user": "I go hiking.", "persona": PERSONA, **row} for row in rows]
    if path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, full)))
        return path
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(full[0]))
        writer.writeheader()
        for row in full:
            writer.writerow({k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()})
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_grades_are_compared_with_peoples_grades(tmp_path: Path, suffix: str) -> None:
    rows = [{"reply": "x" * n, "label": n} for n in (1, 2, 3, 4, 5)]
    path = labels(tmp_path / f"labels{suffix}", rows)

    def by_length(messages: Sequence[Message]) -> str:
        return json.dumps({"nonce": nonce(messages), "score": max(1, min(5, len(data(messages)["reply"])))})

    found = card("aloe-15", by_length, families=["null"], templates=False, labels=path, repeats=0)["calibration"]
    assert found == {"turns": 5, "missing": 0, "kappa": 1.0, "exact": 1.0, "mean difference": 0.0}
    low = card("aloe-15", answering({"score": 1}), families=["null"], templates=False, labels=path, repeats=0)
    assert (low["calibration"]["kappa"], low["calibration"]["mean difference"]) == (0.0, -2.0)


def test_pairs_are_compared_with_peoples_choices(tmp_path: Path) -> None:
    rows = [
        {"reply": "Which trail?", "other": "Ok.", "label": 1},
        {"reply": "Ok.", "other": "Which trail?", "label": 0},
    ]

    def asking(messages: Sequence[Message]) -> str:
        better = "A" if "?" in data(messages)["A"] else "B"
        return json.dumps({"nonce": nonce(messages), "reason": "", "better": better})

    path = labels(tmp_path / "pairs.jsonl", rows)
    found = card("pairwise", asking, families=["null"], templates=False, labels=path, repeats=0)["calibration"]
    assert (found["turns"], found["accuracy"], found["kappa"]) == (2, 1.0, 1.0)
    with pytest.raises(DataError, match="row 1"):
        card("pairwise", asking, labels=labels(tmp_path / "bad.jsonl", [{"reply": "Ok.", "label": 1}]))


def test_unknown_families_and_parts_are_refused() -> None:
    with pytest.raises(UsageError, match="no attack or family 'magic'; the families are plain, null"):
        card("rlpa-gate", swayed, families=["magic"])
    with pytest.raises(UsageError, match="no part 'charm'"):
        card("rlpa-gate", swayed, part="charm")


# simulators


def user_card(name: str, say: Say, *options: str, limit: int = 2, **settings: Any) -> dict[str, Any]:
    built = harness(puppet(say), "simulator.model=puppet:x", *options)
    return asyncio.run(simulator_card(built.simulator(name), built.suite.sample(limit), **settings))


def blurting(messages: Sequence[Message]) -> str:
    """Tells the first fact of its persona in every utterance."""
    line = next(line for line in messages[0].content.splitlines() if line.startswith("- Occupation"))
    return f"I am a {line.partition(': ')[2]}, and I say so each and every time, I do."


def test_a_played_user_has_a_card() -> None:
    figures = user_card("rlpa", blurting)
    assert figures["ledger"] == "extracted"
    assert figures["determinism"] == 1.0
    assert figures["disclosure"]["silent"][0]["mean"] == 0.0
    assert figures["disclosure"]["silent"][1]["mean"] == figures["disclosure"]["silent"][9]["mean"] > 0
    assert figures["faults"]["turns"] == 2 * 5 * 9
    assert figures["faults"]["by kind"]["repetition"] > 0
    assert figures["failed dialogues"] == {}
    assert figures["calibration"] == "uncalibrated"


def test_a_user_that_fails_now_and_then_is_counted_and_one_that_always_fails_is_an_error() -> None:
    dialogues: dict[str, bool] = {}

    def half(messages: Sequence[Message]) -> str:
        first = dialogues.setdefault(messages[0].content, not dialogues)
        return "" if first else blurting(messages)

    figures = user_card("rlpa", half)
    assert figures["failed dialogues"] == {"empty": 5}
    with pytest.raises(SimulatorError):
        user_card("rlpa", lambda m: "")


def test_the_agenda_user_states_its_own_ledger() -> None:
    figures = user_card("agenda", lambda m: "")
    assert (figures["ledger"], figures["faults"], figures["calibration"]) == ("own", None, "uncalibrated")


def test_what_it_tells_is_compared_with_what_people_told(tmp_path: Path) -> None:
    rows = [
        {"reply": "What do you do for a living?", "label": ["Occupation"]},
        {"reply": "The weather has changed.", "label": []},
    ]
    told = user_card("agenda", lambda m: "", labels=labels(tmp_path / "told.jsonl", rows))["calibration"]
    assert (told["turns"], told["missing"]) == (2, 0)
    assert told["told anything"]["accuracy"] == 1.0
    assert told["slots"] == {"precision": 1.0, "recall": 1.0}
    binary = [{"reply": row["reply"], "label": int(bool(row["label"]))} for row in rows]
    told = user_card("agenda", lambda m: "", labels=labels(tmp_path / "told.csv", binary))["calibration"]
    assert (told["told anything"]["kappa"], "slots" in told) == (1.0, False)
    with pytest.raises(DataError, match=r"row 1 .* label"):
        user_card("agenda", lambda m: "", labels=labels(tmp_path / "bad.jsonl", [{"reply": "Hi", "label": "yes"}]))


# agreement


class Moody(ToyJudge):
    """Changes its mind with every repeat, and has two members that agree on even turns."""

    name = "moody"
    deterministic = False
    other_gold = False
    parts = {"asks": Part(binary=True), "asks@a/one": Part(binary=True), "asks@b/two": Part(binary=True)}

    async def judge(self, subject: Any) -> Mapping[str, Verdict]:
        repeat = int("#" in subject.key)
        one = float(subject.turn % 4 < 2)
        two = one if subject.turn % 2 == 0 else 1 - one
        return {"asks": Verdict(float(repeat)), "asks@a/one": Verdict(one), "asks@b/two": Verdict(two)}


def test_agreement_of_a_run(out: Path) -> None:
    run = toy_run(out, Moody, judge="asks,moody", repeats=2, limit=2, seeds=1)
    found = agreement_card(run.path)
    turns = 2 * 2 * 5
    assert set(found["self"]) == {"moody"}, "a deterministic judge is asked once"
    assert found["self"]["moody"]["asks"]["turns"] == turns
    assert found["self"]["moody"]["asks"]["alpha"] < 0
    assert found["self"]["moody"]["asks@a/one"]["alpha"] == 1.0
    panel = found["panels"]["moody"]
    assert panel["turns"] == turns
    assert panel["pairs"]["asks@a/one | asks@b/two"]["same"] == 2 / 5
    assert panel["alpha"] < 0.2


def test_agreement_needs_scores(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError):
        agreement_card(tmp_path)


# commands


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command line in this process: (exit code, standard output, standard error)."""
    before = signal.getsignal(signal.SIGTERM)

    def run(*words: str) -> tuple[Any, str, str]:
        monkeypatch.setattr(sys, "argv", ["rlpa-bench", *words])
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGTERM, before)
        return (ended.value.code, *capsys.readouterr())

    return run


SCRIPT = ["-o", 'model.outputs=["Hm, well."]', "--suite", "training", "--limit", "1"]


def test_command_of_the_judge_card(call: Any) -> None:
    judge = ["card", "judge", "rlpa-gate", *SCRIPT, "--attacks", "null", "--no-templates"]
    code, printed, _ = call(*judge, "-o", "judge.model=scripted")
    figures = json.loads(printed)
    assert code == 0
    assert figures["unusable"]["by reason"] == {"unparseable": 3 * figures["states"]}
    code, _, error = call("card", "judge", "rlpa-gate", "--suite", "training")
    assert code == 2
    assert "judge 'rlpa-gate': option model" in error
    assert call(*judge, "-o", "judge.model=scripted", "-o", "judge.modle=x")[0] == 2


def test_a_stopped_judge_card_goes_on_and_a_simulator_card_asks_anew(call: Any) -> None:
    where = ["--suite", "training", "--limit", "1"]
    judge = ["card", "judge", "aloe-15", *where, "--attacks", "null", "--no-templates", "--repeats", "0"]
    with OpenAIServer(text="no verdict") as server:
        at = ["-o", f"model.base_url={server.url}", "-o", "judge.model=openai:x"]
        first = call(*judge, *at)
        asked = len(server.requests)
        assert (first, len(server.requests)) == (call(*judge, *at), asked)
        assert call(*judge, *at, "--no-cache")[0] == 0
        assert len(server.requests) == 2 * asked
        user = ["card", "simulator", "rlpa", *where, *at[:2], "-o", "simulator.model=openai:x"]
        for _ in range(2):
            before = len(server.requests)
            assert call(*user)[0] == 0
            assert len(server.requests) - before >= 5 * 9


def test_command_of_the_simulator_card(call: Any) -> None:
    code, printed, _ = call("card", "simulator", "rlpa", *SCRIPT, "-o", "simulator.model=scripted")
    assert (code, json.loads(printed)["ledger"]) == (0, "extracted")


def test_command_of_the_agreement_card(call: Any, out: Path) -> None:
    toy_run(out, limit=1)
    code, printed, _ = call("card", "agreement", str(out))
    assert (code, json.loads(printed)["self"]) == (0, {})
    assert call("card", "agreement", str(out / "log"))[0] == 2
