"""What a policy was trained on, written into its checkpoints, so that every later run and board can show it."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from typing import Any

from reference_trainer.engine import VERSION
from reference_trainer.setting import Setting
from rlpa_bench.interfaces import Component
from rlpa_bench.manifest import described_as, without_secrets
from rlpa_bench.transcripts import dumps, plain


def trained_on(setting: Setting, name: str) -> Mapping[str, Any]:
    """The training terms of a recipe as JSON: users, templates, simulator, judges, rewards, base model, versions."""
    recipe, env = setting.recipe, setting.env
    profiles = sorted({case.cluster for case in setting.cases})
    judges = {judge.name: _said("judges", judge) for judge in env.judges}
    known = {
        "method": "rlpa",
        "recipe": name,
        "recipe_digest": sha256(dumps(recipe.model_dump(mode="json"))).hexdigest(),
        "title": recipe.title,
        "base_model": recipe.model,
        "engine": f"openrlhf {VERSION}",
        "version": version("rlpa-bench"),
        "suite": recipe.users.suite,
        "protocol": setting.harness.context.protocol,
        "profiles": profiles,
        "users": len(setting.cases),
        "templates": sorted({case.templates for case in setting.cases}),
        "dev_profiles": [case.cluster for case in setting.dev_cases],
        "simulator": {"name": recipe.users.simulator, **_said("simulators", env.simulator)},
        "judges": judges,
        "rewards": list(setting.rewards.names),
        "credit": recipe.credit,
        "options": setting.harness.used_options(),
    }
    return dict(without_secrets(plain(known)))


def _said(kind: str, component: Component) -> dict[str, Any]:
    return dict(described_as(f"{kind}/{component.name}", component))
