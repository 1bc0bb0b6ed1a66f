"""The agreement card of a run: judges with themselves over repeats, members of a panel, and judges with each other.

Streams over the scores; nothing but counts is kept.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations, groupby
from pathlib import Path

from rlpa_bench.agreement import Coincidences, Level, cohen_kappa
from rlpa_bench.errors import RunDirectoryError
from rlpa_bench.interfaces import JudgeInfo, Part
from rlpa_bench.runs import Run
from rlpa_bench.transcripts import read_scores
from rlpa_bench.types import JSON, Score


@dataclass
class _Pairs:
    """Two raters' labels of the same turns, counted."""

    counts: dict[tuple[float, float], int] = field(default_factory=lambda: defaultdict(int))

    def figures(self) -> dict[str, JSON]:
        labels = sorted({label for pair in self.counts for label in pair})
        total = sum(self.counts.values())
        same = sum(count for (a, b), count in self.counts.items() if a == b)
        kappa = cohen_kappa([[self.counts.get((a, b), 0) for b in labels] for a in labels])
        return {"turns": total, "same": same / total, "kappa": None if math.isnan(kappa) else kappa}


def agreement_card(path: Path) -> dict[str, JSON]:
    """How far the judges of a run agree.

    Returns:
        ``self``: per judge and part asked more than once, Krippendorff's alpha over the repeats; ``panels``: per panel
        alpha over its members and kappa of every two; ``judges``: kappa of every two judges whose alignment is a
        verdict of yes or no. Alpha is nominal for such verdicts and takes squared differences for grades.

    Raises:
        RunDirectoryError: for a folder that holds no run.
        DataError: for scores that cannot be read.
    """
    run = Run(path)
    if not (path / "scores.jsonl").exists():
        raise RunDirectoryError(f"{path} holds no scores; wait until the run is complete, or resume it")
    repeats: dict[tuple[str, str], Coincidences] = defaultdict(Coincidences)
    panels: dict[str, Coincidences] = defaultdict(Coincidences)
    members: dict[str, dict[tuple[str, str], _Pairs]] = defaultdict(lambda: defaultdict(_Pairs))
    judges: dict[tuple[str, str], _Pairs] = defaultdict(_Pairs)
    gates = {name: info.alignment for name, info in run.judges.items() if info.alignment and _binary(info)}
    for group in read_scores(path / "scores.jsonl"):
        for _, of_turn in groupby(group, key=lambda score: score.turn):
            scores = [score for score in of_turn if score.judge in run.judges]
            given = _by_part(scores)
            for key, values in given.items():
                repeats[key].add(values)
            for name in run.judges:
                first = {part: values[0] for (judge, part), values in given.items() if judge == name and "@" in part}
                panels[name].add(list(first.values()))
                _compare(first, members[name])
            _compare({name: given[name, part][0] for name, part in gates.items() if (name, part) in given}, judges)
    return {
        "self": _self(repeats, run.judges),
        "panels": {
            name: {
                "turns": counts.units,
                "alpha": _alpha(counts, next(part for key, part in run.judges[name].parts.items() if "@" in key)),
                "pairs": _figures(members[name]),
            }
            for name, counts in panels.items()
            if counts.units
        },
        "judges": _figures(judges),
    }


def _by_part(scores: Iterable[Score]) -> dict[tuple[str, str], list[float | None]]:
    given: dict[tuple[str, str], list[float | None]] = {}
    for score in scores:
        given.setdefault((score.judge, score.part), []).append(score.value)
    return given


def _compare(given: Mapping[str, float | None], into: dict[tuple[str, str], _Pairs]) -> None:
    for (a, one), (b, two) in combinations(sorted(given.items()), 2):
        if one is not None and two is not None:
            into[a, b].counts[one, two] += 1


def _self(repeats: Mapping[tuple[str, str], Coincidences], judges: Mapping[str, JudgeInfo]) -> dict[str, JSON]:
    found: dict[str, dict[str, JSON]] = {}
    for (judge, part), counts in sorted(repeats.items()):
        if counts.units:
            alpha = _alpha(counts, judges[judge].parts[part])
            found.setdefault(judge, {})[part] = {"turns": counts.units, "alpha": alpha}
    return dict(found)


def _alpha(counts: Coincidences, part: Part) -> float | None:
    level: Level = "nominal" if part.binary else "interval"
    alpha = counts.alpha(level)
    return None if math.isnan(alpha) else alpha


def _binary(info: JudgeInfo) -> bool:
    return info.target == "turn" and info.parts[info.alignment].binary


def _figures(pairs: Mapping[tuple[str, str], _Pairs]) -> dict[str, JSON]:
    return {" | ".join(names): found.figures() for names, found in sorted(pairs.items(), key=lambda p: p[0])}
