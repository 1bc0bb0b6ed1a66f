"""The experiment's parts, on a plan so small that it takes seconds."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reference_trainer.monitor import StoppedError
from reference_trainer.recipe import SftRecipe, load
from reference_trainer.tiny import tables
from reference_trainer.tiny.__main__ import main
from reference_trainer.tiny.cues import halved
from reference_trainer.tiny.demonstrations import SUITE, Sample, demonstrate, draw, harness, named
from reference_trainer.tuning import check_rows
from rlpa_bench.contract import Contract
from rlpa_bench.errors import UsageError
from rlpa_bench.ontology import Ontology
from rlpa_bench.types import Item

HELD_OUT = "aloe-unseen"


def test_the_halves_of_the_cues_are_apart_and_together_whole() -> None:
    whole = Ontology.load()
    training, held_out = halved(whole, "training"), halved(whole, "held-out")
    for key, value in whole.values.items():
        one, two = training.values[key].cues, held_out.values[key].cues
        assert not set(one) & set(two)
        assert set(one) | set(two) == set(value.cues)
        assert (training.values[key].label, training.values[key].aliases) == (value.label, value.aliases)
    assert sum(len(v.cues) for v in training.values.values()) == pytest.approx(
        sum(len(v.cues) for v in held_out.values.values()), rel=0.1
    )


def test_training_and_evaluation_share_no_user_and_no_template() -> None:
    pool, unseen = harness(SUITE, "training").cases(), harness(HELD_OUT, None).cases(60)
    assert len({case.cluster for case in unseen}) == 60
    assert not {case.cluster for case in pool} & {case.cluster for case in unseen}
    assert {case.templates for case in pool} == {"training"}
    assert {case.templates for case in unseen} == {"evaluation"}
    said = {text for case in pool if case.gold for item in case.gold.items for text in item.say}
    assert not said & {text for case in unseen if case.gold for item in case.gold.items for text in item.say}


@pytest.fixture(scope="module")
def samples() -> list[Any]:
    return asyncio.run(demonstrate(per_profile=1, seed=0))


def test_demonstrations_keep_the_contract_and_hold_what_was_told(samples: list[Any]) -> None:
    assert len(samples) == 3370
    assert not any(Contract.parse(sample.completion).malformed for sample in samples)
    questions = [sample.completion.count("?") > 0 for sample in samples]
    assert sum(questions) / len(questions) == pytest.approx(1 / 3, abs=0.02), "a third of the dialogues is the asker's"
    told = [len(Contract.items(Contract.parse(s.completion).profile)) for s in samples if s.turn == 10]
    assert sum(told) / len(told) > 4
    assert max(told) >= 11


def test_demonstrations_become_data_for_the_recipe_sft(tmp_path: Path) -> None:
    words = ["demonstrations", "--out", str(tmp_path), "--rows", "40", "--turns", "2"]
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.output.startswith("40 rows")
    data = tmp_path / "sft.jsonl"
    recipe = load("sft", [f"data={data}"])
    assert isinstance(recipe, SftRecipe) and check_rows(recipe) == 40
    rows = [json.loads(line)["messages"] for line in data.read_text().splitlines()]
    assert {len(row) for row in rows} == {3, 5}, "system, at most one earlier exchange, the user, the reply to learn"
    assert not any(Contract.parse(row[-1]["content"]).malformed for row in rows)
    known = json.loads((tmp_path / "trained_on.json").read_bytes())
    assert known["suite"] == SUITE and known["templates"] == ["training"]
    assert 20 <= len(known["profiles"]) <= 40, "those of the drawn rows only"


def test_demonstrations_use_hardly_a_held_out_cue(samples: list[Any]) -> None:
    """Cues shared by two values can be in both halves; a teacher never takes one for the value it is held out for."""
    whole = Ontology.load()
    training, held_out = halved(whole, "training"), halved(whole, "held-out")
    free = {cue for v in training.values.values() for cue in v.cues}
    only = {cue for v in held_out.values.values() for cue in v.cues} - free
    replies = " ".join(Contract.parse(sample.completion).response for sample in samples).casefold()

    def share(cues: set[str]) -> float:
        return sum(f" {cue.casefold()} " in replies for cue in cues) / len(cues)

    assert share(free) > 0.3
    assert share(only) < 0.08


def test_items_get_the_name_of_their_value_and_ages_their_number() -> None:
    ontology = Ontology.load()
    given = (Item("Occupation", "night-shift nurse", id="occupation/nurse"), Item("Age", "34", id="age/34"))
    assert [item.value for item in named(given, ontology)] == ["nurse", "34"]


def test_all_demonstrations_keep_their_order_and_fewer_are_drawn() -> None:
    made = [Sample((), str(i), "case", 1) for i in range(50)]
    assert draw(made, None, seed=0) == made
    some = draw(made, 9, seed=0)
    assert some == draw(made, 9, seed=0) != made[:9] and len(set(some) & set(made)) == 9


def test_holm() -> None:
    assert tables.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert tables.holm([0.9, 0.8]) == [1.0, 1.0]


def made_up() -> dict[str, Any]:
    """Results of two methods, three profiles and two seeds; ``full`` is better by .2 everywhere, +- .01 by profile."""

    def dialogues(seed: int, more: float) -> list[dict[str, Any]]:
        lines = []
        for i in range(3):
            value = 0.1 * i + 0.01 * seed + more + (0.01 * (i - 1) if more else 0.0)
            lines.append({"case": f"c{i}", "cluster": f"p{i}", "turns": 10, **dict.fromkeys(tables.COLUMNS, value)})
        return lines

    found = {f"sft-{s}": dialogues(s, 0.0) for s in (0, 1, 2)} | {f"full-{s}": dialogues(s, 0.2) for s in (0, 1)}
    curve = [{"step": i, "reward": 0.1 * i} for i in range(8)]
    return {"plan": {}, "dialogues": found, "turns": {}, "curves": {"full-0": curve}, "stages": {}}


def test_the_primary_outcome_is_paired_by_profile_over_shared_seeds() -> None:
    (outcome,) = tables.compare(tables.by_method(made_up()), [tables.PRIMARY])
    assert outcome.difference.mean == pytest.approx(0.2)
    assert outcome.difference.clusters == 3
    assert list(outcome.seeds) == pytest.approx([0.2, 0.2])
    half = 4.302652729911275 * 0.01 / 3**0.5  # Student's t with 2 degrees of freedom, standard deviation .01
    assert outcome.difference.low == pytest.approx(0.2 - half)


def test_tables_and_curves_are_made_from_one_file(tmp_path: Path) -> None:
    path, curves = tmp_path / "results.json", tmp_path / "curves.svg"
    path.write_text(json.dumps(made_up()), encoding="utf-8")
    done = CliRunner().invoke(main, ["tables", str(path), "--curves", str(curves)])
    assert done.exit_code == 0
    assert "| `full` − `sft` | +0.200 | [+0.175, +0.225] |" in done.output
    assert "<title>full-0</title>" in curves.read_text(encoding="utf-8")


def test_the_page_shows_what_the_results_give() -> None:
    page = Path(__file__).parents[2] / "docs/explanation/learning.md"
    text = page.read_text(encoding="utf-8")
    for name, curves in {"": True, "-longer": False, "-smollm2": True}.items():
        results = json.loads(page.with_name(f"learning-results{name}.json").read_text(encoding="utf-8"))
        assert tables.markdown(results) in text
        drawn = page.with_name(f"learning-curves{name}.svg")
        assert not curves or tables.curves_svg(results) == drawn.read_text(encoding="utf-8")


def test_a_folder_without_results_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no finished evaluation"):
        tables.gather(tmp_path)


@pytest.mark.slow
def test_every_stage_runs_and_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="the experiment needs torch")
    pytest.importorskip("transformers", reason="the experiment needs transformers")
    from reference_trainer.tiny import experiment
    from reference_trainer.tiny.plan import ARMS, Plan

    async def few(per_profile: int, seed: int, turns: int) -> list[Any]:
        return (await demonstrate(per_profile, seed, turns))[:64]

    monkeypatch.setattr(experiment, "demonstrate", few)
    plan = Plan(per_profile=1, tickets=2, steps=2, batch=4, seeds=1, profiles=2, max_tokens=12)
    said: list[str] = []
    with pytest.raises(StoppedError, match="dpo-0: only 0 turns"):  # random weights write nothing that earns anything
        experiment.Experiment(tmp_path, plan, said.append).run()
    found = tables.gather(tmp_path)
    assert set(found["dialogues"]) == {"sft-0", "full-0", "profile-only-0", "response-only-0"}
    assert all(len(lines) == 2 for lines in found["dialogues"].values())
    assert [len(found["curves"][f"{arm}-0"]) for arm in ARMS] == [2, 2, 2]
    known = json.loads((tmp_path / "full-0/model/trained_on.json").read_text(encoding="utf-8"))
    assert (known["suite"], len(known["profiles"])) == ("training-full", 337)
    assert known["rewards"] == ["profile.f1", "rules.gate"]
    count = len(said)
    with pytest.raises(StoppedError):
        experiment.Experiment(tmp_path, plan, said.append).run()
    assert len(said) == count, "what was done is done again"
    with pytest.raises(UsageError, match="another plan"):
        experiment.Experiment(tmp_path, replace(plan, steps=3), said.append).run()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_smollm2_goes_through_its_plan_in_small(tmp_path: Path) -> None:
    """From the pinned file to an evaluation; what comes out of each stage is a checkpoint that ends its turns."""
    pytest.importorskip("torch", reason="the experiment needs torch")
    transformers = pytest.importorskip("transformers", reason="the experiment needs transformers")
    pytest.importorskip("gguf", reason="the pinned weights are a GGUF file")
    from reference_trainer.tiny.experiment import Experiment
    from reference_trainer.tiny.plan import PLANS

    plan = replace(PLANS["smollm2"], rows=8, turns=1, tickets=1, samples=2, steps=1, batch=2, profiles=2, max_tokens=8)
    Experiment(tmp_path, plan, lambda _: None).run()
    found = tables.gather(tmp_path)
    assert set(found["dialogues"]) == {"base-0", "sft-0", "full-0"}
    assert "2 held-out profiles, 1 turns;" in tables.markdown(found)
    for stage in ("base", "sft", "full-0"):
        path = tmp_path / stage / "model"
        assert transformers.AutoTokenizer.from_pretrained(path).eos_token == "<|im_end|>"
        assert transformers.AutoConfig.from_pretrained(path).eos_token_id == 2
    known = json.loads((tmp_path / "full-0/model/trained_on.json").read_text(encoding="utf-8"))
    assert (known["method"], known["title"]) == ("rlpa", "SmolLM2-135M, rlpa")
