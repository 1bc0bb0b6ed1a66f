"""Which board a run belongs to: rows of different keys never share a table."""

from __future__ import annotations

import re
from typing import Any

from rlpa_bench.build import OptionTree
from rlpa_bench.comparison import terms as shared_terms
from rlpa_bench.leaderboard.schema import Key
from rlpa_bench.leaderboard.terms import rescored
from rlpa_bench.manifest import digest
from rlpa_bench.plan import Plan
from rlpa_bench.runs import Run
from rlpa_bench.transcripts import dumps, plain

_SERVING = {"slots", "threads", "gpu_layers", "price_prompt", "price_completion", "base_url", "timeout", "context"}
"""Options of a model that decide how it is served, not what it says."""


def board_key(run: Run, plan: Plan, options: OptionTree) -> Key:
    """What decides the board of a run; ``options`` are those that the suite was built with here."""
    identity = run.info["identity"]
    config = identity["config"]
    candidate = plan.candidates[0]
    cases = [case for case in plan.cases if plan.plays(candidate, case)]
    own = options.get("suites", {}).values()
    changed = any("profiles" in values or "personalities" in values for values in own)
    split = f"own personas {identity['cases'][:8]}, " if changed else ""
    whole = config["limit"] is None and len(cases) == len(plan.cases)
    lengths = [case.turns for case in cases]
    return Key(
        suite=config["suite"],
        protocol=identity["protocol"],
        split=split + (f"all {len(cases)} cases" if whole else f"sample of {len(cases)} cases"),
        simulator=config["simulator"],
        judges=tuple(run.judges),
        turns=(min(lengths), max(lengths)),
        terms=digest(dumps(_terms(run, [case.id for case in cases]))),
    )


def _terms(run: Run, played: list[str]) -> dict[str, Any]:
    """Everything that rows of one board share, judges that were added later included."""
    terms: dict[str, Any] = plain(shared_terms(run))
    terms["components"] |= rescored(run)
    for part in ("components", "options"):
        terms[part] = {k: v for k, v in terms[part].items() if not k.startswith("judges/") or k[7:] in run.judges}
    terms["played"] = played
    if models := _models(run, terms["options"]):
        terms["models"] = models
    return terms


def _models(run: Run, options: dict[str, Any]) -> dict[str, Any]:
    """What is recorded of the models that play the user and judge, by their name."""
    identity, found = run.info["identity"], {}
    for values in options.values():
        for spec in filter(None, (values.get("model"), *(values.get("models") or ()))):
            names = (f"models/{spec}", f"models/{spec.partition(':')[0]}")
            said: dict[str, Any] = next(
                (identity["options"][name] for name in names if name in identity["options"]), {}
            )
            kept = {name: value for name, value in said.items() if name not in _SERVING}
            found[spec] = {"component": identity["components"].get(f"models/{spec}"), "options": kept}
    return found


def board_id(key: Key) -> str:
    """A readable id of a board, one per key."""
    words = [key.protocol, key.split, key.simulator, *key.judges]
    plain_words = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
    return f"{plain_words[:80]}-{key.terms[:8]}"
