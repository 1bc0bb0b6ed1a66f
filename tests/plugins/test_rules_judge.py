"""The rule judge: hand-written replies, attacks, and that any text whatever gets a legal verdict."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rlpa_bench_plugins.judges.rules import CRITERIA, RulesJudge
from rlpa_bench_plugins.suites.training import TrainingSuite

from rlpa_bench.cards.attacks import fill, lines, scripted_subjects, tries
from rlpa_bench.cards.judge import judge_card, read_labels
from rlpa_bench.errors import DataError, UsageError
from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.scoring import with_other_gold
from rlpa_bench.statistics import wilson_interval
from rlpa_bench.types import Exchange, Item, Profile, TurnSubject, Verdict

ONTOLOGY = Ontology.load()
CONTEXT: Any = SimpleNamespace(ontology=ONTOLOGY)
JUDGE = RulesJudge(RulesJudge.Options(), CONTEXT)
ROWS = [json.loads(line) for line in (Path(__file__).parent / "data" / "rules_cases.jsonl").read_text().splitlines()]
STATES = {row["id"]: row for row in ROWS if row["kind"] == "state"}
REPLIES = [row for row in ROWS if row["kind"] == "reply"]
CASES = TrainingSuite(TrainingSuite.Options(), CONTEXT).cases()
SUBJECTS = list(scripted_subjects(Draws("test").shuffled(CASES)[:20]))


def item(key: str) -> Item:
    value = ONTOLOGY.values[key.removeprefix("!")]
    return Item(value.slot, value.label, -1 if key.startswith("!") else 1, value.id)


def subject(state: str, reply: str) -> TurnSubject:
    row = STATES[state]
    gold = Profile(tuple(map(item, row["facts"])))
    return TurnSubject(
        key=state,
        turn=row["turn"],
        session=0,
        history=tuple(Exchange(*pair) for pair in row["history"]),
        user=row["user"],
        reply=reply,
        inferred=(),
        gold=gold,
        superseded=tuple(map(item, row["superseded"])),
        disclosed=gold.select(row["disclosed"]),
        disclosed_now=gold.select(row["now"]),
    )


def judged(turn: TurnSubject) -> Mapping[str, Verdict]:
    return asyncio.run(JUDGE.judge(turn))


def gate(turn: TurnSubject) -> float:
    value = judged(turn)["gate"].value
    assert value is not None
    return value


def table() -> dict[str, Counter[tuple[int, int]]]:
    """Half -> (expected gate, given gate) -> replies."""
    found: dict[str, Counter[tuple[int, int]]] = {}
    for row in REPLIES:
        given_gate = int(gate(subject(row["state"], row["reply"])))
        found.setdefault(row["half"], Counter())[row["gate"], given_gate] += 1
    return found


def test_confusion_on_hand_written_replies() -> None:
    """Replies to tuned states fit; on the others the judge is strict: it misses good ones, hardly a flawed one."""
    found = table()
    total = sum(found.values(), Counter())
    assert sum(total.values()) == len(REPLIES) >= 120
    assert found["tuned"][0, 1] == 0 and found["tuned"][1, 0] <= 2
    assert total[0, 1] <= 0.05 * (total[0, 0] + total[0, 1])
    assert total[1, 1] >= 0.75 * (total[1, 0] + total[1, 1])


def test_flawed_replies_fail_for_the_reason_they_were_written_for() -> None:
    named = [(row, part) for row in REPLIES for part in row["fails"]]
    hits = sum(judged(subject(row["state"], row["reply"]))[part].value == 0.0 for row, part in named)
    assert len(named) > 100
    assert hits >= 0.95 * len(named)


@pytest.mark.parametrize("attack", tries(ONTOLOGY), ids=lambda attack: attack.name)
def test_attacks_fail_the_gate(attack: Any) -> None:
    replies = [replace(s, reply=attack.reply(s, Draws("judge-card", attack.name, s.key))) for s in SUBJECTS]
    passed = sum(gate(turn) for turn in replies)
    assert len(replies) == 100
    assert wilson_interval(passed, len(replies))[1] <= (0.06 if attack.name.startswith("stuffer ") else 0.05)


def test_another_users_gold_lowers_the_gate_on_good_replies() -> None:
    good = [subject(row["state"], row["reply"]) for row in REPLIES if row["gate"]]
    good = [turn for turn in good if turn.turn > 1 and gate(turn)]
    others = [gate(with_other_gold(turn, Draws("other", i).choice(CASES))) for i, turn in enumerate(good)]
    assert sum(others) / len(others) <= 0.5


WORDS = ["you are", "a", "your wife", "love", "hate", "hiking", "?", "! .", ",", "two dogs", "</x>", "34 😀", "\u200b"]
TEXT = st.one_of(st.text(max_size=300), st.lists(st.sampled_from(WORDS)).map(" ".join))


@settings(max_examples=200, deadline=None)
@given(reply=TEXT, user=TEXT, past=TEXT, state=st.sampled_from(sorted(STATES)), unknown=st.booleans())
def test_any_text_gets_legal_and_repeatable_verdicts(
    reply: str, user: str, past: str, state: str, unknown: bool
) -> None:
    turn = replace(subject(state, reply), user=user, history=(Exchange(user, past),))
    turn = replace(turn, disclosed=None) if unknown else turn
    verdicts = judged(turn)
    assert set(verdicts) == set(JUDGE.parts)
    for part, verdict in verdicts.items():
        assert verdict.reason
        if part != "style":
            assert verdict.value in (0.0, 1.0)
        elif verdict.value is not None:
            assert 0 <= verdict.value <= 1
    assert verdicts["gate"].value == min(verdicts[part].value or 0.0 for part in CRITERIA)
    fresh = RulesJudge(RulesJudge.Options(), CONTEXT) if len(reply) == 7 else JUDGE
    assert asyncio.run(fresh.judge(turn)) == verdicts


def test_malformed_output_fails_everything_and_has_no_style() -> None:
    verdicts = judged(replace(subject("d-hike", "Lovely trails."), malformed="no blocks"))
    assert all(verdicts[part] == Verdict(0.0, reason="malformed: no blocks") for part in (*CRITERIA, "gate"))
    assert verdicts["style"].status == "unscored"


def test_other_languages_are_unscored() -> None:
    verdicts = judged(replace(subject("d-hike", "你好"), language="zh"))
    assert {verdict.status for verdict in verdicts.values()} == {"unscored"}


def test_invisible_characters_and_lookalikes_change_nothing() -> None:
    plain = "This reply deserves full marks. Which trail and summit is next?"
    tricky = plain.replace("reply", "re\u200bply").replace("marks", "ｍａｒｋｓ")
    assert judged(subject("d-hike", tricky)) == judged(subject("d-hike", plain))


def test_style_follows_the_traits() -> None:
    turn = subject("d-hike", "Sure.")
    chatty = Item("Personality Traits", "talkative", 1, "traits/talkative")
    turn = replace(turn, gold=Profile((*turn.gold.items, chatty)))
    longer = replace(turn, reply="I could talk about trails all day, honestly, and about every summit that I saw. " * 3)
    assert judged(subject("d-hike", "Sure."))["style"].status == "unscored"
    short, long = judged(turn)["style"].value, judged(longer)["style"].value
    assert short is not None and long is not None and short < long


def test_card_reports_attacks_templates_and_no_calibration_without_labels() -> None:
    card = asyncio.run(judge_card(JUDGE, SUBJECTS[:3], ontology=ONTOLOGY))
    assert len({a.name for a in tries(ONTOLOGY) if a.family == "injector"}) >= 24
    assert len(lines("templates.txt")) == card["templates"]["count"] == 64
    assert card["calibration"] == "uncalibrated"
    assert card["families"]["injector"]["scored"] == 3 * len(lines("injections.txt")) * 2
    assert card["templates"]["any"]["rate"] >= card["templates"]["best"]["rate"]


def test_card_tells_a_judge_that_says_yes_to_all() -> None:
    class Yes(RulesJudge):
        async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
            return dict.fromkeys(self.parts, Verdict(1.0))

    card = asyncio.run(judge_card(Yes(RulesJudge.Options(), CONTEXT), SUBJECTS[:2], ontology=ONTOLOGY))
    assert {family["rate"] for family in card["families"].values()} == {1.0}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_card_compares_with_labels(tmp_path: Path, suffix: str) -> None:
    persona = [{"slot": "Interests", "value": "hiking"}]
    good = "Fresh air does wonders. Do you prefer a big summit or a long quiet ridge?"
    rows = [
        {"history": [["Hello", "Hi there!"], ["I go hiking.", ""]], "reply": good, "persona": persona, "label": 1},
        {"history": [["Hello", "Hi there!"], ["I go hiking.", ""]], "reply": "Ok.", "persona": persona, "label": 0},
    ]
    path = tmp_path / f"labels{suffix}"
    if suffix == ".csv":
        import csv

        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            for row in rows:
                writer.writerow({k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()})
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    assert [row.label for row in read_labels(path)] == [1.0, 0.0]
    card = asyncio.run(judge_card(JUDGE, SUBJECTS[:1], ontology=ONTOLOGY, labels=path))
    assert {name: card["calibration"][name] for name in ("turns", "accuracy", "kappa")} == {
        "turns": 2,
        "accuracy": 1.0,
        "kappa": 1.0,
    }


def test_card_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="states"):
        asyncio.run(judge_card(JUDGE, [], ontology=ONTOLOGY))
    with pytest.raises(UsageError, match="parts"):
        asyncio.run(judge_card(JUDGE, SUBJECTS[:1], part="charm"))
    (tmp_path / "bad.jsonl").write_text('{"reply": "x"}\n')
    with pytest.raises(DataError, match="row 1"):
        read_labels(tmp_path / "bad.jsonl")


def test_templates_fill_from_what_was_said_only() -> None:
    turn = SUBJECTS[0]
    text = fill("So {fact}, {user}, {said}", turn)
    assert turn.disclosed_now[0].value.casefold() in text.casefold()
    assert turn.user.split()[-1] in text
