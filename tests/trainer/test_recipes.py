"""Recipes: the bundled ones are whole, wrong ones are refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference_trainer import forecast
from reference_trainer.flags import FLAGS, LEFT_OUT, table
from reference_trainer.recipe import NEVER, DpoRecipe, PpoRecipe, SftRecipe, load, names, parse
from reference_trainer.setting import Setting
from rlpa_bench.errors import UsageError

from .test_executor import RECIPE
from .test_openrlhf import AUTHORS


def ppo(name: str, *changes: str) -> PpoRecipe:
    recipe = load(name, changes)
    assert isinstance(recipe, PpoRecipe)
    return recipe


def test_the_bundled_recipes_say_what_never_ran_on_a_gpu() -> None:
    assert {"qwen-rlpa", "profile-only", "response-only", "one-gpu", "cpu-smoke", "sft", "dpo"} <= set(names())
    for name in set(names()) - {"cpu-smoke"}:
        assert load(name).status == NEVER


def test_the_ablations_differ_from_the_whole_by_their_reward_only() -> None:
    whole = ppo("qwen-rlpa")
    assert whole.reward.judges == ("released-f1", "rlpa-gate-inferred")
    for name, judge in (("profile-only", "released-f1"), ("response-only", "rlpa-gate-inferred")):
        part = ppo(name)
        assert part.reward.judges == (judge,)
        same = {"reward": whole.reward, "title": whole.title, "options": whole.options}
        assert part.model_copy(update=same) == whole


def test_the_baselines_have_the_papers_numbers() -> None:
    sft, dpo = load("sft"), load("dpo")
    assert isinstance(sft, SftRecipe) and isinstance(dpo, DpoRecipe)
    assert (sft.epochs, sft.batch, sft.lr) == (1, 32, 1e-5)
    assert (dpo.epochs, dpo.batch, dpo.lr, dpo.beta) == (1, 32, 5e-6, 0.01)
    aloe_sft, aloe_dpo = load("sft-aloe"), load("dpo-aloe")
    assert isinstance(aloe_sft, SftRecipe) and isinstance(aloe_dpo, DpoRecipe)
    assert (aloe_sft.batch, aloe_sft.lr, aloe_sft.packing, aloe_sft.max_length) == (48, 1e-5, True, 8192)
    assert (aloe_dpo.batch, aloe_dpo.lr, aloe_dpo.beta) == (48, 1e-5, 0.9)


def test_every_flag_of_the_authors_is_in_the_table() -> None:
    places = {"--remote_rm_url", "--save_path", "--ckpt_path", "--prompt_data", "--input_key", "--label_key"}
    known = {word for flag in FLAGS for word in flag.old.split() if word.startswith("--")}
    known |= {word for old, _ in LEFT_OUT for word in old.split() if word.startswith("--")}
    assert {word for word in AUTHORS if word.startswith("--")} <= known | places
    shown = table(ppo("qwen-rlpa"))
    page = Path(__file__).parents[2] / "docs" / "how-to" / "train.md"
    assert shown in page.read_text(encoding="utf-8"), "the documented table is that of the code"
    assert "| `--actor_learning_rate` | `--actor.adam.lr` | 5e-07 | appendix E.2 and released script |" in shown
    assert "| - | `--algo.advantage.lambd` | 0.95 | default of their OpenRLHF 0.6.2; now 1 |" in shown


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["rollout.bacth=8"], r"recipe test: unknown key 'rollout\.bacth'; did you mean batch"),
        (["zzz=3"], r"unknown key 'zzz'; there are title, status, model"),
        (["rollout.batch=three"], r"rollout\.batch: Input should be a valid integer"),
        (["rollout.batch=6"], r"rollout\.batch 6 is not a multiple of 4, .*take 8"),
        (["optimiser.batch=10"], r"optimiser\.batch 10 is not a multiple of optimiser\.micro_batch 4 x 1 GPUs"),
        (["rollout.max_new_tokens=8000"], r"leaves no room for a prompt"),
        (['credit="trajectory"'], r"optimiser\.lambd is 0\.95; credit 'trajectory' needs 1"),
        (["hardware.packing=true"], r"packing needs hardware\.attention 'flash_attention_2'"),
        (["users"], r"--set 'users' is not TABLE\.KEY=VALUE"),
        (["title.x=1"], r"'title' is a value, not a table"),
        (["kind=grpo"], r"'grpo'"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_sentence(changes: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse(RECIPE, "test", changes)
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_is_named_with_its_neighbours(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown recipe 'qwen-rpla'; did you mean qwen-rlpa"):
        load("qwen-rpla")
    with pytest.raises(UsageError, match=r"absent\.toml cannot be read: No such file"):
        load(str(tmp_path / "absent.toml"))
    (tmp_path / "torn.toml").write_text("kind = ")
    with pytest.raises(UsageError, match=r"torn\.toml is no TOML"):
        load(str(tmp_path / "torn.toml"))


def test_a_recipe_in_a_file_is_as_good_as_a_bundled_one(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(RECIPE)
    recipe = load(str(tmp_path / "mine.toml"), ["optimiser.actor_lr=1e-6", "users.suite=training-full"])
    assert isinstance(recipe, PpoRecipe)
    assert (recipe.optimiser.actor_lr, recipe.users.suite) == (1e-6, "training-full")


def test_every_batch_divides_among_the_gpus_even_the_last_one() -> None:
    """3,804 users, as near as our pool comes to the paper's 3,821: a tail that the authors' code crashes on."""
    setting = Setting(ppo("qwen-rlpa"))
    assert len(setting.cases) == 3804 and setting.turns == 38_040
    tail = setting.tickets % 256
    assert tail and tail % 32 == 0 and 0 <= setting.tickets - setting.turns < 32
    assert setting.steps == 149


def test_the_forecast_counts_every_call() -> None:
    recipe = ppo("qwen-rlpa", "users.limit=64", "users.dev_profiles=2", "rollout.batch=64", "optimiser.batch=128")
    setting = Setting(recipe)
    said = list(forecast.lines(setting))
    counted = {(each.role, each.model): each for each in forecast.calls(setting)}
    assert counted["judge", "openai:gpt-4o-mini"].calls == 640 * 4 * 2
    dev = 2 * 10 * (setting.steps // 10)
    assert counted["simulator", "openai:gpt-4o-mini"].calls == 640 + dev
    assert counted["judge", "openai:gpt-4o-mini"].dollars > 0  # type: ignore[operator]
    assert any("judge calls to openai:gpt-4o-mini: $" in line for line in said)


def test_the_forecast_of_memory_warns_before_the_gpu_does() -> None:
    assert forecast.memory(ppo("qwen-rlpa")).most < 80
    small = ppo("qwen-rlpa", "hardware.gpu_gb=24", "hardware.zero_stage=0")
    assert forecast.memory(small).most > 24
    assert any("more than a GPU of 24 GB has" in line for line in forecast.lines(Setting(small)))


def test_an_option_that_reaches_nobody_is_refused() -> None:
    setting = Setting(ppo("one-gpu").model_copy(update={"options": ("simulator.nonsense=1",)}))
    with pytest.raises(UsageError, match=r"option simulator\.nonsense fits no simulator"):
        setting.harness.check_options()
