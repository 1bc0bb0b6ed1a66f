"""Personas out of data sets on disk, read by the real package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rlpa_bench_plugins.adapters.hf_personas import HfPersonas

import rlpa_bench
from rlpa_bench.build import Harness
from rlpa_bench.errors import DataError, RunDirectoryError, UsageError
from rlpa_bench.testing import examine

datasets = pytest.importorskip("datasets")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
FLAT: dict[str, list[Any]] = {
    "id": ["ann", "bo", "cy"],
    "age": [34, None, 51],
    "occupation": ["nurse", "baker", "plays the glass harmonica at fairs"],
    "interests": [["chess", "hiking"], [], ["chess, hiking"]],
    "hometown": ["Lisbon", "Oslo", None],
    "notes": ["not for us", "", ""],
}


def write(folder: Path, table: dict[str, list[Any]], how: str = "disk") -> str:
    data = datasets.Dataset.from_dict(table)
    if how == "disk":
        data.save_to_disk(str(folder))
    elif how == "dict":
        datasets.DatasetDict({"train": data, "test": data.select([0])}).save_to_disk(str(folder))
    else:
        folder.mkdir()
        (folder / "train.jsonl").write_text("\n".join(json.dumps(row) for row in data))
    return f"hf-personas:{folder}"


def facts(spec: str, **options: Any) -> dict[str, dict[str, list[tuple[str, str]]]]:
    """Profile -> slot -> (value, id)."""
    suite = Harness(spec, options={"suites": {"*": options}}).suite
    found: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for case in suite.cases():
        for item in case.gold.at(0, 1).facts:
            found.setdefault(case.cluster, {}).setdefault(item.slot, []).append((item.value, item.id))
    return found


@pytest.mark.parametrize("how", ["disk", "dict", "json"])
def test_columns_are_slots_and_values_are_the_ontologys(how: str, tmp_path: Path) -> None:
    found = facts(write(tmp_path / "data", FLAT, how))
    assert list(found) == ["ann", "bo", "cy"]
    assert found["ann"]["Age"] == [("34", "age/34")]
    assert [key for _, key in found["ann"]["Occupation"]] == ["occupation/nurse"]
    assert [key for _, key in found["ann"]["Interests"]] == ["interests/chess", "interests/hiking"]
    assert found["cy"]["Interests"] == found["ann"]["Interests"], "a text is split as a list"
    assert [key for _, key in found["cy"]["Occupation"]] == [""], "what the ontology does not know is free text"
    assert set(found["bo"]) == {"Occupation"} and "Location" not in found["ann"]


def test_other_columns_are_mapped(tmp_path: Path) -> None:
    spec = write(tmp_path / "data", FLAT)
    assert [value for value, _ in facts(spec, columns={"hometown": "Location"})["ann"]["Location"]] == ["Lisbon"]
    assert list(facts(write(tmp_path / "dict", FLAT, "dict"), split="test")) == ["ann"]
    for columns in ({"homtown": "Location"}, {"hometown": "Place"}, {"hometown": "Personality Traits"}):
        with pytest.raises(UsageError, match=r"suite.columns: 'hom.*the columns are id, age, .* and the slots Age, "):
            facts(spec, columns=columns)


def test_facts_in_our_own_form_are_taken_as_they_are(tmp_path: Path) -> None:
    row = [{"slot": "Interests", "value": "chess", "polarity": -1, "id": "interests/chess", "say": ["I hate chess."]}]
    (case,) = Harness(write(tmp_path / "data", {"id": ["x"], "facts": [row]})).suite.cases()
    (item,) = case.gold.at(0, 1).facts
    assert (item.polarity, item.id, item.say) == (-1, "interests/chess", ("I hate chess.",))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"notes": ["a"]}, "has no column that is a slot \\(its columns are notes\\)"),
        ({"age": [None]}, "line 1: facts: Tuple should have at least 1 item"),
        ({"id": ["a", "a"], "age": [30, 31]}, "line 2: 'a' occurs a second time"),
        ({"facts": [[{"slot": "Shoes", "value": "big"}]]}, "line 1: unknown slot 'Shoes'"),
    ],
)
def test_rows_that_are_no_personas_are_refused(table: dict[str, list[Any]], said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        facts(write(tmp_path / "data", table))


def test_the_suite_keeps_the_promises_of_a_suite(tmp_path: Path) -> None:
    report = examine("suite", HfPersonas, argument=write(tmp_path / "data", FLAT).partition(":")[2])
    assert not report.failed, str(report)
    assert {result.check: result.status for result in report.results}["deterministic"] == "passed"


def test_a_data_set_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read data set '.*nowhere', split 'train'"):
        facts(f"hf-personas:{tmp_path / 'nowhere'}")
    with pytest.raises(DataError, match="split 'dev'"):
        facts(write(tmp_path / "data", FLAT, "dict"), split="dev")
    with pytest.raises(UsageError, match="needs a data set; write hf-personas:FOLDER"):
        facts("hf-personas")


def test_a_run_on_them_resumes_and_notices_other_rows(tmp_path: Path, out: Path) -> None:
    spec = write(tmp_path / "data", FLAT)
    terms: dict[str, Any] = {"baseline": "asker,scribe", "controls": False, "turns": 6, "out": out}
    run = rlpa_bench.run(spec, **terms)
    assert run.info["counts"]["played"] == 6 and run.info["identity"]["protocol"] == "hf-personas/1"
    assert run.summary["rows"]["asker"]["elicited"]["mean"] > 0, "the agenda user speaks of facts without sentences"
    rlpa_bench.run(spec, **terms)
    changed = write(tmp_path / "other", {**FLAT, "age": [35, None, 51]})
    Path(changed.partition(":")[2]).rename(tmp_path / "gone")
    (tmp_path / "data").rename(tmp_path / "old")
    (tmp_path / "gone").rename(tmp_path / "data")
    with pytest.raises(RunDirectoryError, match=r"components.suites/.*profiles was"):
        rlpa_bench.run(spec, **terms)
