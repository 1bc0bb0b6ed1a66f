"""run.json: everything that decides a run's numbers, and where they came from."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from rlpa_bench.build import Candidate, Harness
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.guard import guarding
from rlpa_bench.interfaces import Component, JudgeInfo
from rlpa_bench.plan import Plan
from rlpa_bench.request import Request
from rlpa_bench.transcripts import SCHEMA, dumps, plain


def manifest(
    harness: Harness, request: Request, env: DialogueEnv, candidates: Mapping[str, Candidate], plan: Plan
) -> dict[str, Any]:
    """The content of run.json before the first turn; ``identity`` and ``plan`` are what a resume must share."""
    from importlib.metadata import version

    described: dict[str, Component] = {
        f"suites/{request.suite}": harness.suite,
        f"simulators/{request.simulator}": env.simulator,
        **{f"judges/{judge.name}": judge for judge in env.judges},
        **{f"baselines/{c.baseline.name}": c.baseline for c in candidates.values()},
        **{f"models/{spec}": e.model for spec, e in harness.context.endpoints.items()},
    }
    contract = env.contract
    identity = {
        "config": without_secrets(asdict(request)),
        "protocol": harness.context.protocol,
        "contract": {"examples": contract.examples, "system": digest(contract.system.encode())},
        "cases": digest(b"".join(dumps(case) for case in plan.cases)),
        "components": {name: described_as(name, part) for name, part in described.items()},
        "options": harness.used_options(),
        "plugins": _plugin_versions(harness, described),
    }
    return {
        "schema": SCHEMA,
        "version": version("rlpa-bench"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "identity": plain(identity),
        "plan": plan.record(),
        "suite": request.suite,
        "simulator": request.simulator,
        "candidates": {
            name: {
                "model": candidate.model,
                "baseline": candidate.baseline.name,
                "control": not candidate.baseline.needs_model,
                "grants": sorted(candidate.baseline.grants),
                "asks_format": candidate.baseline.asks_format,
                "trained_on": candidate.baseline.trained_on,
                "planned": plan.planned(name),
            }
            for name, candidate in candidates.items()
        },
        "judges": [plain(asdict(JudgeInfo.of(judge))) for judge in env.judges],
        "unpublishable": harness.suite.unpublishable,
        "retries": harness.context.max_retries,
        "problems": [str(problem) for problem in harness.plugins.problems],
        "python": sys.version.split()[0],
        "git": _git_state(),
    }


def described_as(name: str, component: Component) -> Any:
    """What a component says of itself, as JSON. Raises PluginError if it fails at it."""
    with guarding(f"describe() of {name}"):
        return plain(dict(component.describe()))


def _plugin_versions(harness: Harness, described: Iterable[str]) -> dict[str, str]:
    versions = {}
    for name in described:
        kind, _, spec = name.partition("/")
        offer = harness.plugins.find(kind, spec.partition(":")[0])
        versions[f"{kind}/{offer.name}"] = f"{offer.distribution} {offer.version}".strip()
    return versions


def without_secrets(value: Any) -> Any:
    """The value with user, password and query taken out of every address in it."""
    if isinstance(value, Mapping):
        return {key: without_secrets(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(inner) for inner in value]
    if isinstance(value, str) and "://" in value:
        parts = urlsplit(value)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return value


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def _git_state() -> dict[str, Any] | None:
    """Commit and dirtiness of the working directory, or None outside a repository."""
    with suppress(OSError, subprocess.SubprocessError):
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
        status = subprocess.run(
            ["git", "--no-optional-locks", "status", "--porcelain"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return {"commit": commit.stdout.strip(), "dirty": bool(status.stdout.strip())}
    return None
