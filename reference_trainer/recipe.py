"""Recipes: what is trained, on whom, for which reward and with which numbers. TOML files, checked before anything runs.

A recipe names the environment exactly as a run does (suite, simulator, judges, options), so that the terms of training
and of measuring can be compared line by line.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.resources import files
from math import gcd, lcm
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from reference_trainer.store import Continuation
from rlpa_bench.errors import UsageError

NEVER = "recipe, not yet run on GPUs"


class Part(BaseModel):
    """Base of every table of a recipe: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Users(Part):
    """Who is met in training, and who plays them."""

    suite: str = "training-full"
    simulator: str = "agenda"
    limit: int | None = Field(None, ge=1)
    """Users to train on; None is all that are not set apart."""
    turns: int | None = Field(None, ge=1)
    """Turns per dialogue, if not the suite's own number."""
    episodes: int = Field(1, ge=1)
    dev_profiles: int = Field(20, ge=0)
    """Profiles set apart for evaluation during training, the last ones of the suite."""
    at_once: int = Field(64, ge=1)
    """Calls to users and to judges at a time, over all engines."""


class Reward(Part):
    """Whose verdicts are added up."""

    judges: tuple[str, ...] = Field(min_length=1)
    clip: tuple[float, float] = (-10.0, 10.0)
    retries: int = Field(4, ge=0)


class Rollout(Part):
    """How the policy is sampled."""

    batch: int = Field(ge=1)
    """Turns per rollout step; also the dialogues that are open at a time."""
    micro_batch: int = Field(ge=1)
    samples: int = Field(4, ge=1)
    continuation: Continuation = "best"
    temperature: float = Field(1.0, gt=0)
    top_p: float = Field(1.0, gt=0, le=1)
    max_length: int = Field(ge=64)
    """Tokens of prompt and output together."""
    max_new_tokens: int = Field(ge=8)
    """Tokens of one output."""


class Optimiser(Part):
    """PPO's numbers. The defaults are those of the authors' OpenRLHF, not of today's."""

    batch: int = Field(ge=1)
    micro_batch: int = Field(ge=1)
    epochs: int = Field(1, ge=1)
    actor_lr: float = Field(5e-7, gt=0)
    critic_lr: float = Field(9e-6, gt=0)
    warmup: float = Field(0.03, ge=0, le=1)
    betas: tuple[float, float] = (0.9, 0.95)
    max_norm: float = Field(1.0, gt=0)
    gamma: float = Field(1.0, gt=0, le=1)
    lambd: float = Field(0.95, ge=0, le=1)
    kl: float = Field(0.01, ge=0)
    clip: float = Field(0.2, gt=0)
    value_clip: float = Field(0.2, gt=0)


class Hardware(Part):
    """What it runs on."""

    gpus: int = Field(1, ge=0)
    """GPUs of one node; 0 only with the test support for CPUs."""
    gpu_gb: int = Field(80, ge=0)
    """Memory of one GPU."""
    colocate: bool = True
    """Whether actor, critic, reference and engines share the GPUs."""
    zero_stage: Literal[0, 1, 2, 3] = 2
    attention: Literal["flash_attention_2", "sdpa", "eager"] = "sdpa"
    packing: bool = False
    gradient_checkpointing: bool = False
    vllm_memory: float = Field(0.5, gt=0, lt=1)
    vllm_eager: bool = False
    prefix_caching: bool = True
    sync: Literal["nccl", "gloo"] = "nccl"
    parameters: float = Field(gt=0)
    """Billions of parameters of the base model, for the estimates of memory and disk."""


class Checkpoints(Part):
    every: int = Field(10, ge=1)
    """Steps between two checkpoints."""
    keep: int = Field(3, ge=1)
    """Resumable checkpoints that are kept; exported models are all kept."""


class Evaluation(Part):
    """Dialogues with users set apart, without best-of-N, while training goes on. A curve, never a final number."""

    every: int = Field(10, ge=1)
    judges: tuple[str, ...] = ("rules", "profile")
    temperature: float = Field(1.0, ge=0)
    """0 is greedy."""


class Guards(Part):
    """When to stop: a model that fell apart is not worth more hours. The last checkpoint stays."""

    distinct: float = Field(0.05, ge=0, le=1)
    """Least mean share of distinct tokens among those of an output."""
    malformed: float = Field(1.0, ge=0, le=1)
    """Largest share of outputs that break the contract."""
    patience: int = Field(3, ge=1)
    """Steps in a row beyond a limit that stop the run."""


class Base(Part):
    """What all recipes have."""

    title: str
    status: str = NEVER
    """What is known of it: whether it ran, where, with what outcome."""
    model: str = Field(min_length=1)
    """Checkpoint folder or hub id of the base model."""
    seed: int = Field(42, ge=0)


class PpoRecipe(Base):
    """PPO by stock OpenRLHF with our agent executor."""

    kind: Literal["ppo"]
    credit: Literal["turn", "trajectory"] = "turn"
    """``turn``: every turn is a sample with its own reward, as in the released code; ``trajectory``: a dialogue is one
    sample with the mean of its rewards, nearer to the paper's text and a deviation from the released code."""
    users: Users
    reward: Reward
    rollout: Rollout
    optimiser: Optimiser
    hardware: Hardware
    checkpoints: Checkpoints = Field(default_factory=lambda: Checkpoints.model_validate({}))
    evaluation: Evaluation = Field(default_factory=lambda: Evaluation.model_validate({}))
    guards: Guards = Field(default_factory=lambda: Guards.model_validate({}))
    options: tuple[str, ...] = ()
    """``KIND.option=value`` texts for suite, simulator and judges, as ``-o`` of a run takes them."""

    @property
    def unit(self) -> int:
        """Turns by which a rollout batch must be divisible: every GPU then has the same number of micro-batches, and
        no sample is left over from an optimiser step. A batch that is not leaves ranks without work, for which the
        others wait (``RayActorGroup.async_run_method_batch``)."""
        ranks = max(1, self.hardware.gpus)
        samples = lcm(self.rollout.micro_batch * ranks, self.optimiser.micro_batch * ranks, self.optimiser.batch)
        return samples // gcd(samples, self.rollout.samples)

    @model_validator(mode="after")
    def _consistent(self) -> PpoRecipe:
        rollout, optimiser, ranks = self.rollout, self.optimiser, max(1, self.hardware.gpus)
        if rollout.max_new_tokens >= rollout.max_length:
            raise ValueError(
                f"rollout.max_new_tokens is {rollout.max_new_tokens} of rollout.max_length {rollout.max_length}, "
                "which leaves no room for a prompt"
            )
        if optimiser.batch % (optimiser.micro_batch * ranks):
            raise ValueError(
                f"optimiser.batch {optimiser.batch} is not a multiple of optimiser.micro_batch "
                f"{optimiser.micro_batch} x {ranks} GPUs"
            )
        if rollout.batch % self.unit:
            raise ValueError(
                f"rollout.batch {rollout.batch} is not a multiple of {self.unit}, as the micro-batches, "
                f"{rollout.samples} samples and {ranks} GPUs need; take {_next(rollout.batch, self.unit)}"
            )
        if self.credit == "trajectory" and optimiser.lambd != 1:
            raise ValueError(
                f"optimiser.lambd is {optimiser.lambd}; credit 'trajectory' needs 1, since the estimator runs through "
                "the user's tokens too and would punish the end of every turn"
            )
        if self.hardware.packing and self.hardware.attention != "flash_attention_2":
            raise ValueError("hardware.packing needs hardware.attention 'flash_attention_2'")
        return self


class TrlRecipe(Base):
    """What supervised and preference tuning share."""

    data: str
    """JSON lines: the file that is trained on."""
    batch: int = Field(32, ge=1)
    """Samples of one optimiser step, over all devices."""
    micro_batch: int = Field(4, ge=1)
    epochs: float = Field(1.0, gt=0)
    lr: float = Field(gt=0)
    warmup: float = Field(0.03, ge=0, lt=1)
    max_length: int = Field(4096, ge=16)
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    gradient_checkpointing: bool = True
    max_steps: int = Field(-1, ge=-1)
    """Stops earlier; -1 is all epochs."""

    @model_validator(mode="after")
    def _divides(self) -> TrlRecipe:
        if self.batch % self.micro_batch:
            raise ValueError(f"batch {self.batch} is not a multiple of micro_batch {self.micro_batch}")
        return self


class SftRecipe(TrlRecipe):
    """Supervised tuning by TRL on chats: rows ``{"messages": [{"role": …, "content": …}, …]}``, the model's last."""

    kind: Literal["sft"]
    packing: bool = False


class DpoRecipe(TrlRecipe):
    """Preference tuning by TRL: rows ``{"prompt": [messages], "chosen": [message], "rejected": [message]}``."""

    kind: Literal["dpo"]
    beta: float = Field(gt=0)


Recipe = Annotated[PpoRecipe | SftRecipe | DpoRecipe, Field(discriminator="kind")]
_RECIPE: TypeAdapter[PpoRecipe | SftRecipe | DpoRecipe] = TypeAdapter(Recipe)


def names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(path.name.removesuffix(".toml") for path in files("reference_trainer").joinpath("recipes").iterdir())


def load(name: str, changes: Sequence[str] = ()) -> PpoRecipe | SftRecipe | DpoRecipe:
    """A recipe by its name or by the path of a TOML file, with ``TABLE.KEY=VALUE`` changes.

    Raises:
        UsageError: for an unknown name, a file that is no TOML, an unknown key or a value that does not fit.
    """
    return parse(_text(name), name, changes)


def parse(text: str, name: str, changes: Sequence[str] = ()) -> PpoRecipe | SftRecipe | DpoRecipe:
    """The recipe in a TOML text. Raises UsageError."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"recipe {name} is no TOML: {error}") from None
    for change in changes:
        _apply(values, change)
    try:
        return _RECIPE.validate_python(values)
    except ValidationError as error:
        raise UsageError(f"recipe {name}: {_first(error)}") from None


def _text(name: str) -> str:
    if name in names():
        return files("reference_trainer").joinpath("recipes", f"{name}.toml").read_text(encoding="utf-8")
    path = Path(name)
    if path.suffix == ".toml":
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"recipe {name} cannot be read: {error.strerror}") from None
    near = get_close_matches(name, names(), n=2, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}" if near else f"there are {', '.join(names())}"
    raise UsageError(f"unknown recipe {name!r}; {hint}, or give the path of a .toml file")


def _apply(values: dict[str, Any], change: str) -> None:
    path, equals, text = change.partition("=")
    *tables, key = path.strip().split(".")
    if not equals or not key:
        raise UsageError(f"--set {change!r} is not TABLE.KEY=VALUE, such as optimiser.actor_lr=1e-6")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise UsageError(f"--set {change!r}: {table!r} is a value, not a table")
    try:
        values[key] = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        values[key] = text  # a word without quotation marks


def _first(error: ValidationError) -> str:
    """The first thing wrong, as one sentence."""
    found = error.errors(include_url=False, include_input=True)[0]
    place = ".".join(str(part) for part in found["loc"] if part not in ("ppo", "sft", "dpo"))
    if found["type"] == "extra_forbidden":
        return f"unknown key {place!r}{_near(found['loc'])}"
    message = found["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _near(place: Sequence[Any]) -> str:
    model: Any = {"ppo": PpoRecipe, "sft": SftRecipe, "dpo": DpoRecipe}[place[0]]
    for part in place[1:-1]:
        model = model.model_fields[part].annotation
    known = list(model.model_fields)
    near = get_close_matches(str(place[-1]), known, n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}" if near else f"; there are {', '.join(known)}"


def _next(n: int, unit: int) -> int:
    return -(-n // unit) * unit


def dumped(recipe: PpoRecipe | SftRecipe | DpoRecipe) -> Mapping[str, Any]:
    """The recipe as JSON, every value in force."""
    return recipe.model_dump(mode="json")
