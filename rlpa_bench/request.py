"""What is asked of a run, and how it is to be carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rlpa_bench.build import OptionTree
from rlpa_bench.errors import UsageError


@dataclass(frozen=True)
class Request:
    """What was asked for; the content of run.json's ``config``."""

    suite: str
    models: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    simulator: str = "agenda"
    judges: tuple[str, ...] = ("rules", "profile")
    controls: bool = True
    turns: int | None = None
    limit: int | None = None
    seeds: int = 1
    repeats: int = 1
    options: OptionTree = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """How a run is carried out; never part of what it measures."""

    max_connections: int | None = None
    max_retries: int = 5
    max_cost: float | None = None
    retry_errors: bool = False
    cache: bool = True
    preflight: bool = True
    stop_after: int = 20
    """Failures of one kind in a row that stop the run."""
    shard: tuple[int, int] = (0, 1)


def names(value: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else tuple(value)


def check(request: Request, limits: Limits) -> None:
    """Raises UsageError for numbers that make no sense."""
    for flag, number in (("limit", request.limit), ("seeds", request.seeds), ("repeats", request.repeats)):
        if number is not None and number < 1:
            raise UsageError(f"--{flag} {number} is not possible; it is 1 or more")
    if limits.max_retries < 0 or (limits.max_connections is not None and limits.max_connections < 1):
        raise UsageError("--max-retries is 0 or more and --max-connections 1 or more")
    if limits.stop_after < 1:
        raise UsageError(f"--stop-after {limits.stop_after} is not possible; it is 1 or more")
    index, of = limits.shard
    if not 0 <= index < of:
        raise UsageError(f"shard {limits.shard} is not (index, count) with 0 <= index < count")
