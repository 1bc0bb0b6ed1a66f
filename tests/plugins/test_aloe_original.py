"""ALOE's own protocol: released texts, 100 cases, the user opens, and the odd line of a file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError
from rlpa_bench_plugins.suites.aloe import AloeSuite
from rlpa_bench_plugins.suites.aloe_original import AloeOriginalSuite
from rlpa_bench_plugins.suites.text_files import read_texts

from rlpa_bench.contract import Contract
from rlpa_bench.datasets import DATASETS
from rlpa_bench.errors import DataError
from rlpa_bench.ontology import Ontology

SOURCE = "RLPA_BENCH_ALOE_SOURCE"
FILES: Mapping[str, list[str]] = {
    "profile_eval.jsonl": [f"Profile {n}." for n in range(1, 21)],
    "personality_eval.jsonl": [f"Personality {n}." for n in range(1, 8)],
    "profile.jsonl": [f"Training profile {n}." for n in range(1, 6)],
    "personality.jsonl": [f"Training personality {n}." for n in range(1, 4)],
}


def write(folder: Path) -> Path:
    """Files of ALOE's shape with texts of our own; line 2 of profile.jsonl holds two texts."""
    for name, texts in FILES.items():
        lines = [json.dumps(text) for text in texts]
        if name == "profile.jsonl":
            lines[1:3] = [lines[1] + lines[2]]
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder


def suite(folder: Path, **options: Any) -> AloeOriginalSuite:
    context = SimpleNamespace(contract=Contract(), ontology=Ontology.load(), data={"aloe": folder}.__getitem__)
    return AloeOriginalSuite(AloeOriginalSuite.Options(**options), context)  # type: ignore[arg-type]


def test_a_hundred_cases_of_ten_turns_that_the_user_opens(tmp_path: Path) -> None:
    made = suite(write(tmp_path))
    cases = made.cases()
    assert (made.protocol, len(cases), len({case.id for case in cases})) == ("aloe-original/1", 100, 100)
    assert {(case.turns, len(case.sessions), case.sessions[0].opening) for case in cases} == {(10, 1, None)}
    assert [case.text for case in cases[:2]] == ["Profile 1.\nPersonality 1.", "Profile 1.\nPersonality 2."]
    assert cases[-1].text == "Profile 20.\nPersonality 5."
    assert cases[-1].id == "aloe-20.aloe-p5"
    assert {case.turns for case in suite(tmp_path, turns=3).cases()} == {3}


def test_the_gold_is_what_the_texts_state(tmp_path: Path) -> None:
    context = SimpleNamespace(ontology=Ontology.load())
    full = {case.id: case.gold for case in AloeSuite(AloeSuite.Options(), context).cases()}  # type: ignore[arg-type]
    left_out = 0
    for case in suite(write(tmp_path)).cases():
        gold, aloe = case.gold, full[case.id]
        assert gold is not None and aloe is not None
        assert {item.origin for item in gold.items} == {"aloe"}
        assert [item for item in aloe.items if item.origin == "aloe"] == list(gold.items)
        assert gold.at(0, 1).facts and gold.at(0, 1).traits
        left_out += len(aloe.items) - len(gold.items)
    assert left_out > 0


def test_samples_spread_over_profiles(tmp_path: Path) -> None:
    assert len({case.cluster for case in suite(write(tmp_path)).sample(10)}) == 10


def test_training_texts_are_played_once_each_without_gold(tmp_path: Path) -> None:
    made = suite(write(tmp_path), split="training")
    cases = made.cases()
    assert [case.text.splitlines() for case in cases] == [
        [f"Training profile {n}.", f"Training personality {(n - 1) % 3 + 1}."] for n in range(1, 6)
    ]
    assert all(case.gold is None and case.templates == "training" for case in cases)
    assert made.describe()["notes"] == ["profile.jsonl, line 2: 2 texts on one line, read as 2 entries"]


def test_the_description_names_what_decides_the_cases(tmp_path: Path) -> None:
    described = suite(write(tmp_path)).describe()
    assert set(described) == {
        "profile_eval.jsonl", "personality_eval.jsonl", "notes", "profiles", "personalities", "ontology"
    }  # fmt: skip
    assert described["notes"] == []
    (tmp_path / "profile_eval.jsonl").write_text('"other"\n' * 20)
    assert suite(tmp_path).describe()["profile_eval.jsonl"] != described["profile_eval.jsonl"]


def test_other_splits_are_refused() -> None:
    with pytest.raises(ValidationError):
        AloeOriginalSuite.Options(split="test")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('"a"\n{"b": 1}\n', r"line 2: holds no text; write one JSON string a line"),
        ('"a"\n" "\n', r"line 2: holds no text"),
        ('"a" "b\n', r"line 1: not JSON \(.*\); write one JSON string a line"),
        ("\n\n", r"the file is empty"),
    ],
)
def test_a_malformed_text_file_is_one_sentence(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        read_texts(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_or_binary_text_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_texts(tmp_path / "none.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b'"\xff"')
    with pytest.raises(DataError, match="not UTF-8 at byte 1"):
        read_texts(tmp_path / "binary.jsonl")


@pytest.mark.skipif(SOURCE not in os.environ, reason=f"set {SOURCE} to a folder with ALOE's four persona files")
def test_the_released_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLPA_BENCH_CACHE_DIR", str(tmp_path))
    folder = DATASETS["aloe"].folder
    folder.mkdir(parents=True)
    for file in DATASETS["aloe"].files:
        (folder / file.name).write_bytes((Path(os.environ[SOURCE]) / file.name).read_bytes())
    assert DATASETS["aloe"].path() == folder
    assert len(suite(folder).cases()) == 100
    training = suite(folder, split="training")
    assert len(training.cases()) == 331
    assert training.describe()["notes"] == ["profile.jsonl, line 6: 2 texts on one line, read as 2 entries"]
    assert len(read_texts(folder / "personality.jsonl").entries) == 71
