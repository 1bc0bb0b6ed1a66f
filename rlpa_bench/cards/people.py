"""The people card of a run whose users were people: how they and simulated users talk, how they and judges rate.

Disclosure is compared by one reader (:mod:`rlpa_bench.ontology.stated`) on everybody's words, since a simulator knows
what it discloses and a person does not say so; what a simulator's own ledger says stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rlpa_bench.cards.opinions import candidates, profiles, verdicts
from rlpa_bench.errors import UsageError
from rlpa_bench.ontology import Ontology
from rlpa_bench.ontology.stated import stated
from rlpa_bench.people.journal import FILE, opinions
from rlpa_bench.runs import Run
from rlpa_bench.statistics import clustered_mean, paired_difference
from rlpa_bench.types import JSON, Case, Dialogue, Turn

Key = tuple[str, str, int]
"""Candidate, case and seed."""


@dataclass
class Users:
    """How the users of one run talk, by dialogue."""

    name: str
    read: dict[Key, list[float]] = field(default_factory=dict)
    """D(k) as the reader finds it in the words, per turn."""
    ledger: dict[Key, list[float]] = field(default_factory=dict)
    """D(k) as the run has it, where it is known."""
    words: dict[Key, float] = field(default_factory=dict)
    """Mean words of what the user says, the protocol's opening left out."""
    questions: dict[Key, float] = field(default_factory=dict)
    """Share of it that asks something, in percent."""


def users_of(run: Run, ontology: Ontology, wanted: Iterable[Key] | None = None) -> Users:
    """How a run's users talk; dialogues that failed are left out."""
    users, kept = Users(run.info["simulator"]), None if wanted is None else set(wanted)
    for dialogue in run.dialogues():
        key = (dialogue.candidate, dialogue.case, dialogue.seed)
        case = run.cases[dialogue.case]
        if (kept is None or key in kept) and not dialogue.ended.startswith("error") and case.gold:
            _take(users, key, dialogue, case, ontology)
    return users


def _take(users: Users, key: Key, dialogue: Dialogue, case: Case, ontology: Ontology) -> None:
    users.read[key] = list(_curve(dialogue, case, lambda turn: _read(turn, case, ontology)))
    if all(turn.user.disclosed is not None for turn in dialogue.turns):
        users.ledger[key] = list(_curve(dialogue, case, lambda turn: turn.user.disclosed or ()))
    opening = case.sessions[0].opening
    said = [turn.user.text for turn in dialogue.turns if turn.index > 1 or opening is None]
    if said:
        users.words[key] = sum(len(text.split()) for text in said) / len(said)
        users.questions[key] = 100 * sum("?" in text for text in said) / len(said)


def _read(turn: Turn, case: Case, ontology: Ontology) -> Sequence[str]:
    assert case.gold is not None
    return stated(turn.user.text, case.gold.at(turn.session, turn.index).facts, ontology)


def _curve(dialogue: Dialogue, case: Case, told: Any) -> Iterator[float]:
    """Percent of the facts told by each turn."""
    assert case.gold is not None
    known: set[str] = set()
    for turn in dialogue.turns:
        known.update(told(turn))
        facts = case.gold.at(turn.session, turn.index).facts
        yield 100 * sum(fact.key in known for fact in facts) / len(facts) if facts else math.nan


def people_card(run: Run, beside: Sequence[Run] = ()) -> dict[str, JSON]:
    """People beside simulators, and their opinions beside those of the judges.

    Args:
        run: a run whose users were people.
        beside: runs of simulated users; dialogues of the same candidate and case are compared.

    Returns:
        ``users``: per run the curves D(k), words a turn and share of questions, on the dialogues that all runs have;
        ``differences``: people minus each simulator, paired by candidate and case, clustered by profile;
        ``verdicts``: per judge with an alignment, people's grades beside it; ``profile``: people's answers on the
        inferred lines beside the matching with the gold; ``candidates``: mean grades beside the judges' means.

    Raises:
        UsageError: for a run without people, or one that has no dialogue in common with them.
        DataError: for files that cannot be read.
    """
    said = opinions(run.path)
    if not said:
        raise UsageError(f"{run.path} has no ratings of people (people.jsonl); name a run of `rlpa-bench serve-human`")
    ontology = Ontology.load()
    people = users_of(run, ontology)
    everybody = {_title(run): people}
    for other in beside:
        title = _title(other) if _title(other) not in everybody else f"{other.info['simulator']} ({other.path})"
        everybody[title] = users_of(other, ontology, people.read)
    common = set(people.read).intersection(*(users.read for users in everybody.values()))
    if not common:
        raise UsageError("the runs have no finished dialogue of the same candidate and case; play the people's "
                         "candidates and cases with the simulator")  # fmt: skip
    clusters = {key: run.cases[key[1]].cluster for key in people.read}
    differences = {
        name: _differences(people, users, common, clusters) for name, users in everybody.items() if users is not people
    }
    return {
        "people": len({opinion.person for opinion in said.values()}),
        "dialogues": len(common),
        "users": {name: _described(users, common, clusters) for name, users in everybody.items()},
        "differences": differences,
        "verdicts": verdicts(run, said),
        "profile": profiles(run, said, ontology),
        "candidates": candidates([run, *beside], list(everybody)),
    }


def _title(run: Run) -> str:
    suffix = f" ({run.path.name})"
    return ("people" if (run.path / FILE).exists() else str(run.info["simulator"])) + suffix


def _described(users: Users, common: set[Key], clusters: Mapping[Key, str]) -> dict[str, JSON]:
    return {
        "D(k) read": _curve_means(users.read, common, clusters),
        "D(k) ledger": _curve_means(users.ledger, common, clusters),
        "words": _mean(users.words, common, clusters),
        "questions": _mean(users.questions, common, clusters),
    }


def _curve_means(curves: Mapping[Key, list[float]], common: set[Key], clusters: Mapping[Key, str]) -> dict[str, JSON]:
    longest = max((len(curves[key]) for key in common if key in curves), default=0)
    by_turn = {}
    for k in range(longest):
        values = {key: curves[key][k] for key in common if len(curves.get(key, ())) > k}
        by_turn[str(k + 1)] = _mean(values, common, clusters)
    return by_turn


def _mean(values: Mapping[Key, float], common: set[Key], clusters: Mapping[Key, str]) -> JSON:
    keys = sorted(key for key in common if key in values and not math.isnan(values[key]))
    if not keys:
        return None
    estimate = clustered_mean([values[key] for key in keys], [clusters[key] for key in keys])
    return {"mean": estimate.mean, "low": _finite(estimate.low), "high": _finite(estimate.high), "n": estimate.n}


def _differences(people: Users, users: Users, common: set[Key], clusters: Mapping[Key, str]) -> dict[str, JSON]:
    ours, theirs = ({key: curves[key][-1] for key in common} for curves in (people.read, users.read))
    return {
        "elicited, read": _difference(ours, theirs, clusters),
        "words": _difference(people.words, users.words, clusters),
        "questions": _difference(people.questions, users.questions, clusters),
    }


def _difference(one: Mapping[Key, float], other: Mapping[Key, float], clusters: Mapping[Key, str]) -> JSON:
    shared = sorted(key for key in set(one) & set(other) if not math.isnan(one[key]))
    profiles = [clusters[key] for key in shared]
    if len(set(profiles)) < 2:
        return None
    found = paired_difference([one[key] for key in shared], [other[key] for key in shared], profiles)
    return {"mean": found.mean, "low": found.low, "high": found.high, "p": found.p_value, "profiles": found.clusters}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
