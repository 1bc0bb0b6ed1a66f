"""Calibration of a simulator: does it tell about itself where people did?

A row of the labelled file is a state: ``history`` ([user, reply] pairs), ``user`` (what the user said last, else the
last of the history), ``reply`` (the partner's answer to it), ``persona`` and ``label``: the slots that a person told
about in the next message (a list, maybe empty), or 1 and 0 for whether they told anything of themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlpa_bench.agreement import binary_agreement
from rlpa_bench.cards.labels import labelled_rows, labelled_turn
from rlpa_bench.cards.probe import each
from rlpa_bench.errors import BoundaryError, DataError
from rlpa_bench.interfaces import Simulator
from rlpa_bench.types import JSON, Case, Gold, Output, Session, State, Turn, TurnSubject, Utterance


async def told(simulator: Simulator, path: Path) -> dict[str, JSON]:
    """How far the simulator tells of itself in the states of a file where people did.

    Returns:
        ``told anything``: agreement as of :func:`rlpa_bench.agreement.binary_agreement`; ``slots``: precision and
        recall of the slots told, where rows name slots; ``turns`` and ``missing`` (failed, or the ledger is unknown).

    Raises:
        DataError: for a file that cannot be read, or a row that is no labelled state.
    """
    rows = [(_state(path, number, row), _label(path, number, row)) for number, row in labelled_rows(path)]
    found = await each([state for state, _ in rows], lambda state: _slots(simulator, state))
    pairs = [(mine, label) for mine, (_, label) in zip(found, rows, strict=True) if mine is not None]
    counts: dict[str, JSON] = {"turns": len(pairs), "missing": len(rows) - len(pairs)}
    if not pairs:
        return counts
    table = [(bool(mine), label if isinstance(label, bool) else bool(label)) for mine, label in pairs]
    sides = ((True, True), (True, False), (False, True), (False, False))
    figures = binary_agreement(*(table.count(side) for side in sides))
    counts["told anything"] = {name: None if math.isnan(value) else value for name, value in figures.items()}
    named = [(mine, label) for mine, label in pairs if not isinstance(label, bool)]
    if named:
        both = sum(len(mine & label) for mine, label in named)
        mine, theirs = sum(len(mine) for mine, _ in named), sum(len(label) for _, label in named)
        counts["slots"] = {"precision": both / mine if mine else None, "recall": both / theirs if theirs else None}
    return counts


async def _slots(simulator: Simulator, state: State) -> set[str] | None:
    """Slots of the facts that the simulator tells for the first time; None if that is not known."""
    try:
        said = await simulator.reply(state)
    except BoundaryError:
        return None
    if said.disclosed is None or state.case.gold is None:
        return None
    fresh = set(said.disclosed) - set(state.disclosed or ())
    return {item.slot for item in state.case.gold.at(0, 1).facts if item.key in fresh}


def _label(path: Path, number: int, row: Mapping[str, Any]) -> set[str] | bool:
    label = row.get("label")
    if isinstance(label, list):
        return {str(slot) for slot in label}
    if str(label) in ("0", "1"):
        return str(label) == "1"
    raise DataError(f"row {number} of {path} has the label {label!r}; give a list of slots, 0 or 1")


def _state(path: Path, number: int, row: Mapping[str, Any]) -> State:
    try:
        return _after(labelled_turn(f"label-{number}", row))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"row {number} of {path} is no labelled state: {error!r}; see rlpa_bench.cards.told") from error


def _after(subject: TurnSubject) -> State:
    """The state in which the user answers the reply of a turn."""
    past = [(exchange.user, exchange.response) for exchange in subject.history]
    known = tuple(item.key for item in subject.disclosed or ())
    turns = [
        Turn(i, 0, Utterance(user, known if i == 1 else ()), Output(reply), (), reply)
        for i, (user, reply) in enumerate([*past, (subject.user, subject.reply)], 1)
    ]
    case = Case(subject.key, Gold(subject.gold.items), subject.key, (Session(len(turns) + 1, "Hello"),))
    return State(case, 0, Utterance(""), 0, tuple(turns))
