"""Tables and curves of the experiment, from the small files that its stages leave."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlpa_bench.errors import UsageError
from rlpa_bench.statistics import Difference, clustered_mean, paired_difference

METHODS = ("base", "sft", "dpo", "profile-only", "response-only", "full")
COLUMNS = {
    "reward": "reward, 0 to 2",
    "f1": "profile F1",
    "gate": "gate, held-out cues",
    "gate_board": "gate, board's judge",
    "elicited": "elicited",
    "recall_disclosed": "recall on disclosed",
    "malformed": "malformed",
}
PRIMARY = ("full", "sft")
SECONDARY = (("full", "dpo"), ("full", "profile-only"), ("full", "response-only"))

Dialogues = Mapping[str, Mapping[int, Sequence[Mapping[str, Any]]]]
"""Method -> seed -> its dialogues."""


def gather(folder: Path) -> dict[str, Any]:
    """All results of a run's folder as one small value. Raises UsageError if nothing was evaluated yet."""
    evaluations = sorted((folder / "evaluation").glob("*/done.json"))
    if not evaluations:
        raise UsageError(f"{folder} holds no finished evaluation; run the experiment first")
    return {
        "plan": _read(folder / "plan.json"),
        "dialogues": {path.parent.name: _read(path.parent / "dialogues.json") for path in evaluations},
        "turns": {path.parent.name: _read(path.parent / "turns.json") for path in evaluations},
        "curves": {path.parent.name: _thin(_read(path)) for path in sorted(folder.glob("*/curve.json"))},
        "stages": {path.parent.name: _read(path) for path in sorted(folder.glob("*/done.json"))},
    }


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _thin(curve: Sequence[dict[str, float]], most: int = 64) -> list[dict[str, float]]:
    """Means of neighbouring steps, at most so many."""
    width = math.ceil(len(curve) / most)
    groups = [curve[i : i + width] for i in range(0, len(curve), width)]
    return [{name: round(sum(line[name] for line in g) / len(g), 4) for name in g[0]} for g in groups]


def by_method(results: Mapping[str, Any]) -> Dialogues:
    found: dict[str, dict[int, Sequence[Mapping[str, Any]]]] = defaultdict(dict)
    for label, dialogues in results["dialogues"].items():
        method, _, seed = label.rpartition("-")
        found[method][int(seed)] = dialogues
    return {method: found[method] for method in METHODS if method in found}


def profile_means(seeds: Mapping[int, Sequence[Mapping[str, Any]]], column: str) -> dict[str, float]:
    """Profile -> mean over its dialogues of all seeds; those where the column is not defined are left out."""
    values: dict[str, list[float]] = defaultdict(list)
    for dialogues in seeds.values():
        for line in dialogues:
            if line[column] is not None:
                values[line["cluster"]].append(line[column])
    return {cluster: math.fsum(v) / len(v) for cluster, v in values.items()}


def _shared(a: Mapping[int, Any], b: Mapping[int, Any]) -> tuple[dict[int, Any], dict[int, Any]]:
    """The seeds that both have."""
    both = sorted(set(a) & set(b))
    return {seed: a[seed] for seed in both}, {seed: b[seed] for seed in both}


@dataclass(frozen=True, slots=True)
class Comparison:
    first: str
    second: str
    difference: Difference
    seeds: Sequence[float]
    """The mean difference of each seed."""
    adjusted: float
    """p after Holm over the comparisons of its family."""


def compare(found: Dialogues, pairs: Sequence[tuple[str, str]], column: str = "reward") -> list[Comparison]:
    """Paired differences clustered by profile, over the seeds that both methods have."""
    made = []
    for first, second in pairs:
        if first in found and second in found:
            a, b = _shared(found[first], found[second])
            difference = paired_difference(profile_means(a, column), profile_means(b, column))
            seeds = [_mean(profile_means({s: a[s]}, column)) - _mean(profile_means({s: b[s]}, column)) for s in a]
            made.append((first, second, difference, seeds))
    adjusted = holm([difference.p_value for _, _, difference, _ in made])
    return [Comparison(*entry, p) for entry, p in zip(made, adjusted, strict=True)]


def holm(values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = highest
    return adjusted


def _mean(values: Mapping[str, float]) -> float:
    return math.fsum(values.values()) / len(values)


def markdown(results: Mapping[str, Any]) -> str:
    """The tables of the page."""
    found = by_method(results)
    profiles = len(profile_means(next(iter(found.values())), "reward"))
    turns = results["plan"].get("turns", 10)
    lines = [f"{profiles} held-out profiles, {turns} turns; 95 % intervals clustered by profile.", ""]
    lines += ["| method | seeds | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for method, seeds in found.items():
        cells = [_cell(list(profile_means(seeds, column).values())) for column in COLUMNS]
        lines.append(f"| `{method}` | {len(seeds)} | " + " | ".join(cells) + " |")
    lines += ["", "Gate with held-out cues by turn, mean over profiles and seeds:", "", *_by_turn(results, list(found))]
    for title, pairs in (("Primary", (PRIMARY,)), ("Secondary (p after Holm over these)", SECONDARY)):
        if compared := compare(found, pairs):
            lines += ["", f"{title}, difference in reward:", "", *_differences(compared)]
    return "\n".join(lines) + "\n"


def _by_turn(results: Mapping[str, Any], methods: Sequence[str], column: str = "gate") -> list[str]:
    """One row per method, one column per turn."""
    curves: dict[str, dict[int, list[float]]] = {method: defaultdict(list) for method in methods}
    for label, turns in results["turns"].items():
        for line in turns:
            curves[label.rpartition("-")[0]][line["turn"]].append(line[column])
    numbers = sorted({turn for curve in curves.values() for turn in curve})
    rows = [f"| turn | {' | '.join(map(str, numbers))} |", "|---" * (len(numbers) + 1) + "|"]
    for method, curve in curves.items():
        cells = [f"{math.fsum(curve[k]) / len(curve[k]):.3f}" if curve.get(k) else "–" for k in numbers]
        rows.append(f"| `{method}` | {' | '.join(cells)} |")
    return rows


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "–"
    estimate = clustered_mean(values)
    return f"{estimate.mean:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _differences(comparisons: Sequence[Comparison]) -> list[str]:
    lines = ["| difference | mean | 95 % interval | p | smallest detectable | by seed |", "|---|---|---|---|---|---|"]
    for c in comparisons:
        d = c.difference
        p = f"{c.adjusted:.3f}" if c.adjusted >= 0.001 else "< .001"
        seeds = ", ".join(f"{value:+.3f}" for value in c.seeds)
        lines.append(
            f"| `{c.first}` − `{c.second}` | {d.mean:+.3f} | [{d.low:+.3f}, {d.high:+.3f}] | {p} "
            f"| {d.smallest_detectable:.3f} | {seeds} |"
        )
    return lines


WIDTH, HEIGHT, EDGE = 640, 300, 44
COLOURS = {"full": "#1f5fbf", "profile-only": "#b3541e", "response-only": "#2b7a3d"}
DASHES = {"full": "", "profile-only": "7 4", "response-only": "2 4"}


def curves_svg(results: Mapping[str, Any]) -> str:
    """Training reward over PPO steps, a line per seed, each arm in the unit of its own reward.

    Means of five steps, or of as many as a dialogue has turns: all open dialogues are at the same turn.
    """
    width = min(5, results["plan"].get("turns", 5))
    lines = {
        name: _smooth([step["reward"] for step in curve], width)
        for name, curve in results["curves"].items()
        if name.rpartition("-")[0] in COLOURS
    }
    top = max((max(line) for line in lines.values()), default=1.0)
    longest = max((len(line) for line in lines.values()), default=2)

    def place(i: int, value: float) -> str:
        x = EDGE + i * (WIDTH - 2 * EDGE) / max(1, longest - 1)
        return f"{x:.1f},{HEIGHT - EDGE - value / top * (HEIGHT - 2 * EDGE):.1f}"

    drawn = []
    for name, line in lines.items():
        arm = name.rpartition("-")[0]
        points = " ".join(place(i, value) for i, value in enumerate(line))
        drawn.append(
            f'<polyline fill="none" stroke="{COLOURS[arm]}" stroke-width="1.6" stroke-dasharray="{DASHES[arm]}" '
            f'points="{points}"><title>{name}</title></polyline>'
        )
    shown = {name.rpartition("-")[0] for name in lines}
    for i, arm in enumerate(arm for arm in COLOURS if arm in shown):
        y = 16 + 14 * i
        drawn.append(
            f'<line x1="{EDGE + 8}" x2="{EDGE + 38}" y1="{y}" y2="{y}" stroke="{COLOURS[arm]}" stroke-width="1.6" '
            f'stroke-dasharray="{DASHES[arm]}"/><text x="{EDGE + 44}" y="{y + 4}">{arm}</text>'
        )
    axes = (
        f'<path d="M{EDGE} {EDGE // 2}V{HEIGHT - EDGE}H{WIDTH - EDGE // 2}" fill="none" stroke="#666"/>'
        f'<text x="4" y="{EDGE + 4}">{top:.2f}</text><text x="20" y="{HEIGHT - EDGE}">0</text>'
        f'<text x="{WIDTH - 130}" y="{HEIGHT - 14}">PPO step 1 to {longest}</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="Training reward over PPO steps">'
        f'<rect width="100%" height="100%" fill="#fff"/>{axes}{"".join(drawn)}</svg>\n'
    )


def _smooth(values: Sequence[float], width: int) -> list[float]:
    return [sum(part) / len(part) for i in range(len(values)) if (part := values[max(0, i - width + 1) : i + 1])]
