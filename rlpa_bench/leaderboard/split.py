"""Fresh personas from a seed: a split that nobody can have trained on or memorised before its date.

Profiles are composed at random from the closed ontology, so combinations may be unusual; each value is one that the
simulated user can state and the judges can read. Whoever keeps the seed to themselves can publish the digests first
and the files later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from rlpa_bench.errors import UsageError
from rlpa_bench.ontology import Ontology, Value
from rlpa_bench.randomness import Draws
from rlpa_bench.runs import write_json
from rlpa_bench.transcripts import dumps

SHAPE = {
    "Age": (1, 1), "Gender": (1, 1), "Marital Status": (1, 1), "Occupation": (1, 1), "Educational Background": (1, 1),
    "Location": (1, 1), "Family Background": (1, 1), "Interests": (3, 4), "Others": (1, 2),
}  # fmt: skip
"""Slot -> fewest and most values of a profile, as in the evaluation personas of ALOE."""
TRAITS = (3, 5)
AGES = (18, 80)
_TRIES = 200


def split(out: Path, *, seed: str, day: date, profiles: int = 60, personalities: int = 5) -> dict[str, Any]:
    """Writes profiles.jsonl, personalities.jsonl and split.json, whose content it returns.

    Args:
        seed: any text; the same seed, day and sizes give the same files.
        day: stamped on the split and on every id.

    Raises:
        UsageError: for sizes below 1, or a folder that holds something.
    """
    if profiles < 1 or personalities < 1 or not seed:
        raise UsageError("a split needs a seed and at least one profile and one personality")
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty; choose another --out")
    ontology, stamp = Ontology.load(), f"{day:%Y%m%d}"
    draws = Draws("fresh-split", seed, stamp, ontology.digest)
    mark = sha256(f"{seed}/{stamp}".encode()).hexdigest()[:6]
    facts = _distinct(profiles, lambda: _profile(ontology, draws))
    traits = _distinct(personalities, lambda: _personality(ontology, draws))
    files = {
        "profiles.jsonl": [{"id": f"f{stamp}-{mark}-{i:03}", "facts": items} for i, items in enumerate(facts, 1)],
        "personalities.jsonl": [{"id": f"t{stamp}-{mark}-{i:02}", "traits": t} for i, t in enumerate(traits, 1)],
    }
    out.mkdir(parents=True, exist_ok=True)
    digests = {}
    for name, rows in files.items():
        content = b"".join(map(dumps, rows))
        (out / name).write_bytes(content)
        digests[name] = sha256(content).hexdigest()
    about = {
        "split": f"fresh {stamp}-{mark}",
        "date": day.isoformat(),
        "seed_sha256": sha256(seed.encode()).hexdigest(),
        "profiles": profiles,
        "personalities": personalities,
        "ontology": ontology.digest,
        "sha256": digests,
    }
    write_json(out / "split.json", about)
    return about


def _distinct(number: int, draw: Callable[[], list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """So many drawn rows, no two alike. Raises UsageError if the ontology has not so many."""
    found: dict[frozenset[str], list[dict[str, Any]]] = {}
    for _ in range(number * _TRIES):
        if len(found) == number:
            break
        row = draw()
        found.setdefault(frozenset(item["id"] for item in row), row)
    if len(found) < number:
        raise UsageError(f"the ontology gives only {len(found)} distinct rows of {number}; ask for fewer")
    return list(found.values())


def _profile(ontology: Ontology, draws: Draws) -> list[dict[str, Any]]:
    chosen: list[Value] = []
    for slot, (least, most) in SHAPE.items():
        values = [value for value in ontology.slot(slot) if slot != "Age" or _adult(value)]
        _draw(ontology, draws, values, least + draws.below(most - least + 1), chosen)
    return [_item(value) for value in chosen]


def _adult(value: Value) -> bool:
    """Whether an age is one year, not a decade, within ``AGES``."""
    return value.label.isdigit() and AGES[0] <= int(value.label) <= AGES[1]


def _personality(ontology: Ontology, draws: Draws) -> list[dict[str, Any]]:
    chosen: list[Value] = []
    number = TRAITS[0] + draws.below(TRAITS[1] - TRAITS[0] + 1)
    _draw(ontology, draws, ontology.slot("Personality Traits"), number, chosen, _pull)
    return [_item(value) for value in chosen]


def _draw(
    ontology: Ontology,
    draws: Draws,
    values: Sequence[Value],
    number: int,
    chosen: list[Value],
    against: Callable[[Value, Value], bool] = lambda a, b: False,
) -> None:
    """Adds values that neither conflict with, nor are broader or narrower than, any chosen before."""
    wanted = len(chosen) + number
    for value in draws.shuffled(values):
        if len(chosen) == wanted:
            return
        if not any(
            ontology.conflict(value.id, other.id) or ontology.relation(value.id, other.id) or against(value, other)
            for other in chosen
        ):
            chosen.append(value)


def _pull(a: Value, b: Value) -> bool:
    """Whether two traits ask for opposite things in one dimension."""
    return any(a.style[name] * b.style.get(name, 0) < 0 for name in a.style)


def _item(value: Value) -> dict[str, Any]:
    return {"slot": value.slot, "value": value.label, "id": value.id, "origin": "composed"}
