"""Personas with free keys: our own, PersonaChat's in both forms, and how the profile judge scores them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError
from rlpa_bench_plugins.judges.profile import ProfileJudge
from rlpa_bench_plugins.suites.extended import AloeExtendedSuite, FreeContract
from rlpa_bench_plugins.suites.persona_chat import fact, read_persona_chat

from rlpa_bench.contract import Contract
from rlpa_bench.errors import DataError
from rlpa_bench.free_matching import FreeMatcher
from rlpa_bench.ontology import Ontology
from rlpa_bench.types import SLOTS, Profile, TurnSubject

CONTEXT = SimpleNamespace(contract=Contract(), ontology=Ontology.load())
PARLAI = """\
1 your persona: i like to ski.
2 your persona: my wife does not like me anymore.
3 partner's persona: i have two big dogs.
4 hello , how are you ?\tgood , and you ?\t\tno|yes
1 your persona: my favorite color is dark blue.
2 your persona: i hate mornings.
3 hi !\thello !\t\ta|b
1 your persona: i like to ski.
2 your persona: my wife does not like me anymore.
3 hi !\thello !\t\ta|b
"""


def make(**options: Any) -> AloeExtendedSuite:
    return AloeExtendedSuite(AloeExtendedSuite.Options(**options), CONTEXT)  # type: ignore[arg-type]


def test_our_own_personas_have_free_keys_and_two_sentences_a_fact() -> None:
    suite = make()
    cases = suite.cases()
    assert (suite.protocol, len(cases)) == ("aloe-extended/1", 42)
    said: list[str] = []
    for case in cases:
        assert case.gold is not None and case.cluster == case.id
        assert (case.turns, case.sessions[0].opening) == (10, "Hello")
        assert any(item.slot not in SLOTS for item in case.gold.items)
        assert 4 <= len(case.gold.items) <= 7 and not any(item.id for item in case.gold.items)
        assert case.text.count(case.gold.items[0].say[0]) == 1
        said += [sentence for item in case.gold.items for sentence in item.say]
        assert all(len(item.say) == 2 for item in case.gold.items)
    assert len(set(said)) == len(said)
    assert len({item.slot for case in cases for item in case.gold.items}) >= 150  # type: ignore[union-attr]


def test_a_fact_written_as_the_contract_wants_it_states_itself_and_no_other_of_the_persona() -> None:
    by = FreeMatcher()
    for case in make().cases():
        assert case.gold is not None
        for item in case.gold.items:
            inferred = by.resolve(Contract.lines([item]))
            assert [by.weight(one, other) for one in inferred for other in case.gold.items] == [
                float(other is item) for other in case.gold.items
            ], (case.id, item)


def test_samples_are_nested_and_in_file_order() -> None:
    suite = make()
    ids = [case.id for case in suite.cases()]
    small, large = ([case.id for case in suite.sample(limit)] for limit in (5, 20))
    assert len(small) == 5 and set(small) < set(large)
    assert large == [name for name in ids if name in set(large)]
    assert [case.id for case in make(personas=7).cases()] == [case.id for case in make(personas=7).cases()]
    assert len(make(personas=7).cases()) == 7


def test_parlai_text_gives_each_persona_once(tmp_path: Path) -> None:
    path = tmp_path / "valid_self_original.txt"
    path.write_text(PARLAI, encoding="utf-8")
    entries = read_persona_chat(path)
    assert [[(item.slot, item.value, item.polarity) for item in entry.items] for entry in entries] == [
        [("likes", "ski", 1), ("wife", "does not like me anymore", 1)],
        [("pet", "two big dogs", 1)],
        [("favourite color", "dark blue", 1), ("likes", "mornings", -1)],
    ]
    assert entries[0].items[0].say == ("I like to ski.",)
    cases = make(personachat=path).cases()
    assert [case.id for case in cases] == ["personachat-0001", "personachat-0002", "personachat-0003"]
    assert cases[0].text == "I like to ski. My wife does not like me anymore."


@pytest.mark.parametrize("name", ["personality", "persona"])
@pytest.mark.parametrize("by_split", [True, False])
def test_json_gives_the_same_personas(tmp_path: Path, name: str, by_split: bool) -> None:
    rows = [
        {name: ["i like to ski .", "my wife does not like me anymore ."], "utterances": []},
        {name: ["i have two big dogs ."], "utterances": []},
        {name: ["my favorite color is dark blue .", "i hate mornings ."]},
    ]
    text, path = tmp_path / "text.txt", tmp_path / "personachat.json"
    text.write_text(PARLAI, encoding="utf-8")
    path.write_text(json.dumps({"train": rows[:1], "valid": rows[1:]} if by_split else rows), encoding="utf-8")
    assert read_persona_chat(path) == read_persona_chat(text)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("i work as a nurse.", ("job", "a nurse", 1)),
        ("i do not eat meat.", ("likes", "meat", -1)),
        ("i don't like crowds", ("likes", "crowds", -1)),
        ("i live in a large city.", ("home", "a large city", 1)),
        ("i am afraid of heights.", ("fear", "heights", 1)),
        ("I want to be famous!", ("dream", "be famous", 1)),
        ("i am a vegan.", ("about", "a vegan", 1)),
        ("sushi again tonight.", ("fact", "sushi again tonight", 1)),
    ],
)
def test_sentences_become_key_and_value(sentence: str, expected: tuple[str, str, int]) -> None:
    item = fact(sentence)
    assert (item.slot, item.value, item.polarity) == expected
    assert item.origin == "personachat"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hello\tthere\n", r'no persona found; a text file has lines such as "1 your persona'),
        ("{", r"not JSON \(.* in line 1\); fetch or save it again"),
        ('{"train": [{"utterances": []}]}', "no persona found"),
        ("", "no persona found"),
    ],
)
def test_a_file_without_personas_is_one_sentence(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "chat.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        make(personachat=path).cases()
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_missing_files_and_two_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        make(personachat=tmp_path / "none.txt").cases()
    with pytest.raises(ValidationError, match="both name personas"):
        make(personachat=tmp_path / "a", profiles=tmp_path / "b")


def test_own_files_with_free_keys(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"id": "a", "facts": [{"slot": "Pet", "value": "a llama"}]}), encoding="utf-8")
    (case,) = make(profiles=path).cases()
    assert case.gold is not None and [item.slot for item in case.gold.items] == ["Pet"]
    assert make(profiles=path).describe()["profiles"] != make().describe()["profiles"]


def test_the_contract_asks_for_free_keys_and_its_guides_allow_them() -> None:
    contract = make().contract()
    assert isinstance(contract, FreeContract)
    assert "any that fit" in contract.system and "Educational Background" not in contract.system
    written = contract.write("- Biggest Fear: deep water\n- Job: porter", "Hello you.")
    assert re.fullmatch(contract.regex(), written)
    assert not re.fullmatch(Contract().regex(), written)
    assert "key ::=" in contract.gbnf() and "- Age:" not in contract.gbnf()


async def _judge(lines: str, case_id: str) -> dict[str, float | None]:
    case = next(case for case in make().cases() if case.id == case_id)
    assert case.gold is not None
    judge = ProfileJudge(ProfileJudge.Options(), CONTEXT)  # type: ignore[arg-type]
    gold = Profile(case.gold.items)
    subject = TurnSubject(
        key="k", turn=1, session=0, history=(), user="", reply="", inferred=Contract.items(lines), gold=gold,
        disclosed=gold.items[:2],
    )  # fmt: skip
    verdicts = await judge.judge(subject)
    assert "free" in verdicts["f1"].reason
    return {part: verdict.value for part, verdict in verdicts.items()}


def test_the_profile_judge_scores_free_keys() -> None:
    import asyncio

    lines = "- Job: repairs lighthouses\n- Afraid of: deep water\n- Favourite Food: pizza"
    values = asyncio.run(_judge(lines, "extended-01"))
    assert values["precision"] == pytest.approx(2 / 3)
    assert values["recall"] == pytest.approx(2 / 5)
    assert values["recall_disclosed"] == 1
    assert values["contradiction"] == values["hallucination"] == pytest.approx(1 / 3)
    assert values["lucky"] == 0
    assert values["trait_f1"] is None
