"""What the engine says is followed: steps are reported, a run that cannot be mended stops, causes become a sentence."""

from __future__ import annotations

import pytest

from reference_trainer.monitor import Monitor, StoppedError
from reference_trainer.recipe import Guards


def line(number: int, **values: object) -> str:
    given = {"policy_loss": 0.1, "reward": 0.5, "distinct_tokens": 0.6, "malformed": 0.2, **values}
    written = str(given).replace("'nan'", "nan").replace("'inf'", "inf")
    return f"\x1b[36m(PPOTrainer pid=7)\x1b[0m INFO ppo_trainer.py:1 -- ✨ Global step {number}: {written}\n"


def monitor(**guards: float) -> Monitor:
    return Monitor(Guards.model_validate(guards))


def test_a_step_is_read_with_its_values() -> None:
    follows = monitor()
    step = follows.read(line(3, **{"profile.f1": 0.25}))
    assert step and step.number == follows.steps == 3
    assert str(step) == "step 3, reward 0.5, profile.f1 0.25, malformed 0.2, policy loss 0.1"
    assert follows.read("Generate samples: 50%\n") is None
    said = "✨ Evaluation completed in 0:01:02, global_step 3, eval_metrics: {'eval_dev_pass1': 0.75}"
    assert str(follows.read(said)) == "users set apart after step 3: reward 0.75"


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_loss_that_is_no_number_stops_the_run(value: str) -> None:
    with pytest.raises(StoppedError, match=rf"policy_loss is {value} in step 4; stopped.*resume from the"):
        monitor().read(line(4, policy_loss=value))


def test_a_policy_that_repeats_itself_stops_the_run_after_so_many_steps_in_a_row() -> None:
    follows = monitor(distinct=0.1, patience=3)
    for number, distinct in enumerate([0.05, 0.05, 0.3, 0.05, 0.05], 1):
        follows.read(line(number, distinct_tokens=distinct))
    with pytest.raises(StoppedError, match=r"only 5\.0% of an output's tokens are distinct .*up to step 6; stopped"):
        follows.read(line(6, distinct_tokens=0.05))


def test_a_policy_that_forgot_the_contract_stops_the_run() -> None:
    follows = monitor(malformed=0.9, patience=2)
    follows.read(line(1, malformed=0.95))
    with pytest.raises(StoppedError, match=r"95\.0% of the outputs break the contract"):
        follows.read(line(2, malformed=0.95))


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (
            "ray.exceptions.RayTaskError(JudgeError): ray::X()\nrlpa_bench.errors.JudgeError: judge 'x' gave no 'f1'",
            "judge 'x' gave no 'f1'",
        ),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "a GPU ran out of memory; lower"),
        ("(PPOTrainer pid=3) ValueError: Insufficient batch size", "ValueError: Insufficient batch size"),
    ],
)
def test_the_cause_of_an_end_is_kept_as_one_sentence(said: str, cause: str) -> None:
    follows = monitor()
    for each in said.split("\n"):
        follows.read(each + "\n")
    assert follows.cause.startswith(cause)
