"""Whether a run's terms are those of the instruments installed here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from rlpa_bench.build import Candidate, Harness, parse_options
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import RlpaBenchError, UsageError
from rlpa_bench.interfaces import Component, Judge, JudgeInfo
from rlpa_bench.leaderboard.checks import Findings
from rlpa_bench.leaderboard.recorded import RecordedContext, Voice
from rlpa_bench.manifest import described_as, digest
from rlpa_bench.pipeline import DEFAULT_LIMIT
from rlpa_bench.plan import Plan, with_turns
from rlpa_bench.plugins import Plugins
from rlpa_bench.runs import Run, differing
from rlpa_bench.transcripts import dumps, plain, replacing


@dataclass(frozen=True)
class Instruments:
    """What a run was measured with, built again here."""

    harness: Harness
    env: DialogueEnv
    judges: Mapping[str, Judge]
    """By name; those that can be built here."""
    voices: Mapping[str, Sequence[Voice]]
    """Judge -> what stands for the models it asks."""
    control: Candidate | None
    """The candidate itself, if it needs no model and is installed here."""
    plan: Plan


def rebuild(run: Run, findings: Findings, options: Sequence[str], plugins: Iterable[object]) -> Instruments | None:
    """Builds the instruments of a run and compares them with what the run recorded; None if they cannot be built.

    No model is built and no file is opened that the submission names: suites whose options are files get them from
    ``options``. Writes cases.jsonl, which the suite gives, beside run.json.
    """
    config = run.info["identity"]["config"]
    known = Plugins(plugins)
    try:
        harness = Harness(_plain_suite(config["suite"]), options=_tree(config, options, known), plugins=known)
        harness.context = context = RecordedContext(harness.context)
        env = DialogueEnv(harness.simulator(config["simulator"]), (), harness.context.contract)
        plan = _plan(run, harness, findings)
    except RlpaBenchError as error:
        findings.fail("terms", f"suite or simulator cannot be built here: {error}")
        return None
    judges, voices = _judges(run, harness, context, findings)
    if plan is None:
        return None
    if not findings.failed:
        _compare(run, harness, env, judges, findings)
    return Instruments(harness, env, judges, voices, _control(run, harness, plan.candidates[0], findings), plan)


def check_options(options: Sequence[str], plugins: Iterable[object]) -> None:
    """Raises UsageError for options that no plugin of their kind has."""
    known = Plugins(plugins)
    for kind, by_name in parse_options(options).items():
        for name, values in by_name.items():
            offers = [o for o in known.offers(kind) if name in ("*", o.name) or name.startswith(f"{o.name}:")]
            fields = {field for offer in offers for field in offer.component.Options.model_fields}
            if unknown := sorted(values.keys() - fields):
                raise UsageError(f"no {kind[:-1]} has an option {unknown[0]!r} (rlpa-bench plugins show NAME)")


def _plain_suite(spec: str) -> str:
    """A suite's name. Raises UsageError for one that reads what its name says, a folder or a hub's data set."""
    if ":" in spec:
        raise UsageError(
            f"suite {spec!r} names its own data, which validation never opens; play them as a file, with "
            "-o suite.profiles=FILE, and give the same when validating"
        )
    return spec


def _tree(config: Mapping[str, Any], options: Sequence[str], known: Plugins) -> dict[str, Any]:
    """The run's options without paths, under those given here."""
    tree = {
        kind: {name: {o: v for o, v in values.items() if o not in _files(kind, known)} for name, values in by.items()}
        for kind, by in config["options"].items()
    }
    for kind, by_name in parse_options(options).items():
        for name, values in by_name.items():
            tree.setdefault(kind, {}).setdefault(name, {}).update(values)
    return tree


def _files(kind: str, known: Plugins) -> set[str]:
    """Options of a kind of plugin that are paths."""
    fields = (offer.component.Options.model_fields.items() for offer in known.offers(kind))
    return {name for each in fields for name, field in each if _is_path(field.annotation)}


def _is_path(annotation: Any) -> bool:
    return annotation is Path or any(map(_is_path, get_args(annotation)))


def _judges(
    run: Run, harness: Harness, context: RecordedContext, findings: Findings
) -> tuple[dict[str, Judge], dict[str, list[Voice]]]:
    """The run's judges that can be built here, and what stands for their models."""
    built: dict[str, Judge] = {}
    voices: dict[str, list[Voice]] = {}
    for name, info in run.judges.items():
        try:
            harness.plugins.find("judges", name)
        except RlpaBenchError as error:
            findings.fail("terms", f"judge {name!r} is not known here ({error}); install its plugin, or leave it out")
            continue
        before = len(context.voices)
        try:
            judge = harness.judges([name])[0]
        except RlpaBenchError as error:
            findings.flag("terms", "judge-not-rebuilt", f"judge {name!r} cannot be built here: {error}")
            continue
        if JudgeInfo.of(judge) != info:
            findings.fail("terms", f"judge {name!r} has other parts or scales than the one installed here; judge again")
        built[name], voices[name] = judge, context.voices[before:]
    return built, voices


def _plan(run: Run, harness: Harness, findings: Findings) -> Plan | None:
    """The run's plan, if it is what the suite and the run's own configuration give."""
    identity, record = run.info["identity"], run.info["plan"]
    config = identity["config"]
    limit = config["limit"]
    cases = with_turns(harness.cases(limit), config["turns"])
    lines = [dumps(case) for case in cases]
    if identity["cases"] != digest(b"".join(lines)):
        findings.fail(
            "terms",
            f"the cases are not those that suite {config['suite']!r} gives here ({len(cases)} of them); play the suite "
            "as it is, or, for a split of one's own, give its files with -o suite.profiles=FILE",
        )
        return None
    with replacing(run.path / "cases.jsonl") as file:
        file.writelines(lines)
    name = record["candidates"][0]
    few: dict[str, list[str]] = {}
    if limit is None and not config["models"] and len(cases) > DEFAULT_LIMIT and run.info["candidates"][name]["model"]:
        few = {name: sorted(case.id for case in harness.cases(DEFAULT_LIMIT))}
    wanted = {"candidates": [name], "seeds": config["seeds"], "subsets": few, "shard": [0, 1]}
    if unlike := list(differing(wanted, record)):
        findings.fail("terms", f"the plan is not what its configuration gives: {unlike[0]}; play all planned cases")
        return None
    return Plan.restore(record, tuple(cases))


def _compare(run: Run, harness: Harness, env: DialogueEnv, judges: Mapping[str, Judge], findings: Findings) -> None:
    identity, config = run.info["identity"], run.info["identity"]["config"]
    contract = env.contract
    parts: dict[str, Component] = {f"suites/{config['suite']}": harness.suite}
    parts |= {f"simulators/{config['simulator']}": env.simulator, **{f"judges/{n}": j for n, j in judges.items()}}
    components = {name: described_as(name, part) for name, part in parts.items()}
    installed: dict[str, Any] = {
        "protocol": harness.context.protocol,
        "contract": {"examples": contract.examples, "system": digest(contract.system.encode())},
        "components": components,
        "options": {k: v for k, v in plain(harness.used_options()).items() if instrument(k)},
    }
    said = {**identity["components"], **rescored(run)}
    recorded = {
        "protocol": identity["protocol"],
        "contract": identity["contract"],
        "components": {name: said.get(name) for name in components},
        "options": {k: v for k, v in identity["options"].items() if instrument(k) and k in installed["options"]},
    }
    for name in installed["options"]:  # paths of one's own persona files differ; their digests are compared above
        if name.startswith("suites/") or (name.startswith("judges/") and name not in identity["options"]):
            recorded["options"][name] = installed["options"][name]
    for line in differing(recorded, installed):
        findings.fail("terms", f"not the instruments installed here: {line}; play and judge with these")
    _versions(run, harness, findings)


def instrument(name: str) -> bool:
    """Whether ``kind/name`` is a suite, a simulator or a judge."""
    return name.startswith(("suites/", "simulators/", "judges/"))


def rescored(run: Run) -> dict[str, Any]:
    """What later judgings recorded of their judges."""
    return {name: value for again in run.info.get("rescored", []) for name, value in again["components"].items()}


def _versions(run: Run, harness: Harness, findings: Findings) -> None:
    for name, version in run.info["identity"]["plugins"].items():
        kind, _, plugin = name.partition("/")
        if not instrument(name):
            continue
        try:
            offer = harness.plugins.find(kind, plugin)
        except RlpaBenchError:
            findings.fail("terms", f"run.json names the plugin {name!r}, which is not installed here; leave it out")
            continue
        here = f"{offer.distribution} {offer.version}".strip()
        if version != here:
            findings.flag("terms", "older-protocol", f"{name} was {version}, here it is {here}")


def _control(run: Run, harness: Harness, name: str, findings: Findings) -> Candidate | None:
    """The candidate, built again if it needs no model; its grants are compared in any case."""
    entry = run.info["candidates"][name]
    try:
        offer = harness.plugins.find("baselines", entry["baseline"].partition(":")[0])
    except RlpaBenchError:
        findings.flag("terms", "unknown-baseline", f"baseline {entry['baseline']!r} is not installed here")
        return None
    component: Any = offer.component
    if sorted(component.grants) != sorted(entry["grants"]):
        findings.fail(
            "terms",
            f"baseline {entry['baseline']!r} is given {sorted(component.grants) or 'nothing'}, but the run says "
            f"{sorted(entry['grants']) or 'nothing'}; prepare the submission from the run as it was",
        )
    if component.needs_model or entry["control"] == component.needs_model:
        if entry["control"] == component.needs_model:
            findings.fail("terms", f"{name!r} is called a control, or none, against its baseline; prepare it again")
        return None
    try:
        return harness.candidate(name)
    except RlpaBenchError as error:
        findings.flag("terms", "unknown-baseline", f"control {name!r} cannot be built here: {error}")
        return None
