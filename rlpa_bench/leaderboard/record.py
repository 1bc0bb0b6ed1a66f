"""The parts of run.json that a leaderboard relies on, as a pydantic model; any other shape is refused at once."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from rlpa_bench.leaderboard.schema import Digest, Moment, Name

MOST_SEEDS = 100
MOST_TURNS = 1000

Tree = dict[str, dict[str, Any]]
Count = Annotated[int, Field(ge=1, strict=True)]


class _Part(BaseModel):
    """Keys that are not named stay unread."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Config(_Part):
    """What was asked of the run."""

    suite: Name
    simulator: Name
    judges: tuple[Name, ...]
    models: tuple[Name, ...]
    options: dict[str, Tree]
    seeds: Annotated[Count, Field(le=MOST_SEEDS)]
    limit: Count | None
    turns: Annotated[Count, Field(le=MOST_TURNS)] | None


class Identity(_Part):
    """What decided its numbers."""

    cases: Digest
    components: dict[str, dict[str, Any]]
    config: Config
    contract: dict[str, Any]
    options: Tree
    plugins: dict[str, str]
    protocol: Name


class Candidate(_Part):
    """Who played."""

    model: str
    baseline: Name
    control: bool
    grants: tuple[str, ...]
    trained_on: dict[str, Any] | None = None


class Plan(_Part):
    """Which dialogues were planned."""

    candidates: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1)]
    seeds: Annotated[Count, Field(le=MOST_SEEDS)]
    subsets: dict[str, tuple[str, ...]]
    shard: tuple[int, int]


class Rescored(_Part):
    """A later judging."""

    components: dict[str, dict[str, Any]]


class RunRecord(BaseModel):
    """run.json of one candidate; keys that it does not name are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str = Field(alias="schema", max_length=100)
    version: Name
    python: Name
    git: dict[str, str | bool] | None = None
    created: Moment
    suite: Name
    simulator: Name
    candidates: dict[Name, Candidate]
    identity: Identity
    plan: Plan
    judges: list[dict[str, Any]]
    retries: Annotated[int, Field(ge=0, strict=True)] | None = None
    rescored: tuple[Rescored, ...] = ()
