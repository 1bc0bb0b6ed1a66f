"""What people said of replies and inferred profiles, beside what judges and the matching with the gold say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rlpa_bench.agreement import binary_agreement, cohen_kappa
from rlpa_bench.free_matching import matcher
from rlpa_bench.interfaces import Part
from rlpa_bench.ontology import Ontology
from rlpa_bench.people.journal import Opinion
from rlpa_bench.runs import Run
from rlpa_bench.types import JSON, Case, Item

PASSED = 4
"""Grades from here on count as yes where a yes or no is compared with them; fixed before anybody was asked."""
Opinions = Mapping[tuple[str, str, int], Opinion]
Counts = Counter[tuple[float, int]]
"""(verdict, grade) -> turns."""


def verdicts(run: Run, said: Opinions) -> dict[str, JSON]:
    """Per judge with an alignment: people's grades of the turns that it scored.

    ``concordance`` is the chance that of two turns with different verdicts the better one has the better grade (ties
    count half; .5 is no relation). For a verdict of yes or no, grades from 4 on count as yes, and the figures are
    those of RLPA's Tables 9 and 10 with the people as labels; for one from 1 to 5 there is a quadratic kappa.
    """
    parts = {name: info.parts[info.alignment] for name, info in run.judges.items() if info.alignment}
    wanted = {name: run.judges[name].alignment for name in parts}
    counts: dict[str, Counts] = {name: Counter() for name in parts}
    for score in run.scores():
        opinion = said.get((score.candidate, score.case, score.seed))
        if opinion is None or wanted.get(score.judge) != score.part or score.value is None or score.turn is None:
            continue
        if score.turn in opinion.ratings:
            counts[score.judge][score.value, opinion.ratings[score.turn]] += 1
    return {name: _compared(counts[name], part) for name, part in parts.items() if counts[name]}


def _compared(counts: Counts, part: Part) -> dict[str, JSON]:
    turns = counts.total()
    values = sorted({value for value, _ in counts})
    grades = {
        f"{value:g}": math.fsum(g * n for (v, g), n in counts.items() if v == value)
        / sum(n for (v, _), n in counts.items() if v == value)
        for value in values[:20]
    }
    found: dict[str, JSON] = {"turns": turns, "mean grade by verdict": grades, "concordance": concordance(counts)}
    if part.binary or set(values) <= {part.low, part.high}:
        yes = {True: 0, False: 0}, {True: 0, False: 0}
        for (value, grade), n in counts.items():
            yes[value == part.high][grade >= PASSED] += n
        figures = binary_agreement(yes[1][True], yes[1][False], yes[0][True], yes[0][False])
        found |= {name: _known(figure) for name, figure in figures.items()}
    elif (part.low, part.high) == (1, 5):
        pairs = list(counts.elements())
        found["kappa, quadratic"] = _known(
            cohen_kappa([round(v) for v, _ in pairs], [g for _, g in pairs], "quadratic")
        )
    return found


def concordance(counts: Counts) -> float | None:
    """Of pairs of turns with different verdicts, the share whose better verdict has the better grade; None without."""
    right = pairs = 0.0
    for (value, grade), n in counts.items():
        for (other, lower), m in counts.items():
            if value > other:
                pairs += n * m
                right += n * m * (0.5 * (grade >= lower) + 0.5 * (grade > lower))
    return right / pairs if pairs else None


def profiles(run: Run, said: Opinions, ontology: Ontology) -> dict[str, JSON]:
    """People's "right" and "wrong" of the inferred lines, beside the matching with the gold.

    The matching calls a line right if one of its items states a golden one fully. ``unsure`` ones are counted apart.
    """
    yes = {True: 0, False: 0}, {True: 0, False: 0}
    answers: Counter[str] = Counter()
    corrected = 0
    for key, opinion in said.items():
        case = run.cases[key[1]]
        for line in opinion.items or ():
            answer = line["answer"]
            answers[answer] += 1
            corrected += bool(answer == "wrong" and line["correction"])
            if case.gold and answer != "unsure":
                yes[_holds(Item(line["slot"], line["value"]), case, ontology)][answer == "right"] += 1
    compared = sum(map(sum, (side.values() for side in yes)))
    figures = binary_agreement(yes[1][True], yes[1][False], yes[0][True], yes[0][False]) if compared else {}
    return {
        "lines": answers.total(),
        **{answer: answers[answer] for answer in ("right", "wrong", "unsure")},
        "corrected": corrected,
        "beside the matching": {"lines": compared} | {name: _known(figure) for name, figure in figures.items()},
    }


def _holds(item: Item, case: Case, ontology: Ontology) -> bool:
    assert case.gold is not None
    golden = case.gold.at(len(case.sessions) - 1, case.turns).items
    by = matcher(golden, ontology)
    facts = by.resolve(golden)
    return any(by.weight(mine, fact) == 1 for mine in by.resolve([item]) for fact in facts)


def candidates(runs: Sequence[Run], titles: Sequence[str]) -> dict[str, JSON]:
    """Per candidate of the first run its mean grade, and in every run the mean of each judge's alignment.

    ``order`` is Kendall's tau-b of the candidates by grade and by such a mean, None for fewer than three.
    """
    rows = runs[0].summary["rows"]
    grades = {
        name: row["rating"]["mean"] for name, row in rows.items() if row.get("rating", {}).get("mean") is not None
    }
    columns: dict[str, dict[str, float]] = {}
    for run, title in zip(runs, titles, strict=True):
        for name, row in run.summary["rows"].items():
            for column, cell in row.items():
                if column.startswith("AVG[") and column.endswith("]") and name in grades and cell["mean"] is not None:
                    columns.setdefault(f"{column}, {title}", {})[name] = cell["mean"]
    return {
        "rating": grades,
        **columns,
        "order": {column: _tau(grades, means) for column, means in columns.items()},
    }


def _tau(one: Mapping[str, float], other: Mapping[str, float]) -> float | None:
    shared = sorted(one.keys() & other.keys())
    if len(shared) < 3:
        return None
    from scipy.stats import kendalltau

    result: Any = kendalltau([one[name] for name in shared], [other[name] for name in shared])
    return _known(float(result.statistic))


def _known(value: float) -> float | None:
    return None if math.isnan(value) or math.isinf(value) else value
