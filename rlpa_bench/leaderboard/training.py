"""What a run itself records of a checkpoint's training, and what that says of the run's own instruments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlpa_bench.checkpoints import seen, trained_on_words
from rlpa_bench.errors import DataError
from rlpa_bench.leaderboard.schema import Training


def recorded_training(info: Mapping[str, Any], candidate: str) -> Training | None:
    """Whether user, judges and profiles of a run were seen in training; None where run.json does not say.

    Raises:
        DataError: if what it says has another shape than checkpoints write.
    """
    told = info["candidates"][candidate].get("trained_on")
    if not told:
        return None
    try:
        simulators, suites = seen(told, "simulator"), seen(told, "suite")
        judges = {*seen(told, "judge"), *seen(told, "reward")}
        words = trained_on_words(told)
    except (TypeError, AttributeError):
        raise DataError(f"run.json: trained_on of {candidate!r} is no list of names; restore trained_on.json") from None
    mine = {judge["name"] for judge in info["judges"]}
    return Training(
        simulator=info["simulator"] in simulators if simulators else None,
        judge=any(judge.partition(".")[0] in mine for judge in judges) if judges else None,
        profiles=info["suite"] in suites if suites else None,
        notes=f"trained_on.json: {words}"[:2000],
    )


def joined(said: Training, recorded: Training | None) -> Training:
    """What a submitter says, under what the run records."""
    if recorded is None:
        return said
    known = {
        name: getattr(said, name) if getattr(recorded, name) is None else getattr(recorded, name)
        for name in ("simulator", "judge", "profiles")
    }
    return Training(**known, notes="; ".join(filter(None, (said.notes, recorded.notes))))


def denied(said: Training, recorded: Training | None) -> list[str]:
    """What the run records as seen and the submission does not."""
    names = ("simulator", "judge", "profiles")
    return [name for name in names if recorded and getattr(recorded, name) and not getattr(said, name)]
