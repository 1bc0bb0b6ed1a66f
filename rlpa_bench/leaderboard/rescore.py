"""Submissions judged again under another panel: their rows then stand on that panel's board too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rlpa_bench.aio import blocking
from rlpa_bench.build import Harness, OptionTree, parse_options
from rlpa_bench.cache import CallCache, cache_dir
from rlpa_bench.interfaces import Component, Judge, JudgeInfo
from rlpa_bench.leaderboard.checks import Findings
from rlpa_bench.leaderboard.package import SCORES, broken_seals, manifest_digest
from rlpa_bench.leaderboard.store import Standing, Store
from rlpa_bench.leaderboard.terms import rebuild
from rlpa_bench.leaderboard.validate import Setting, Validation, evaluate, unpacked
from rlpa_bench.manifest import described_as
from rlpa_bench.plugins import Plugins
from rlpa_bench.runs import Run, write_json
from rlpa_bench.scoring import other_case, score_dialogue
from rlpa_bench.transcripts import dumps, plain, replacing, score_order


@dataclass(frozen=True)
class _Panel:
    """Who judges, and how."""

    scorer: tuple[str, ...]
    repeats: int
    options: tuple[str, ...]
    plugins: tuple[object, ...]


@dataclass
class Rescored:
    """What became of each submission."""

    done: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Those that this panel had judged already."""
    refused: dict[str, str] = field(default_factory=dict)


def rescore(
    store: Store,
    scorer: Sequence[str],
    *,
    reason: str,
    ids: Sequence[str] = (),
    repeats: int = 1,
    options: Sequence[str] = (),
    plugins: Iterable[object] = (),
) -> Rescored:
    """Judges the transcripts of submissions again; starts no candidate and asks no user.

    Args:
        scorer: the judges of the new panel, all of them.
        ids: submissions to judge; by default all that are not withdrawn.

    Raises:
        RlpaBenchError: for a judge that is not known or cannot be built.
    """
    panel, out = _Panel(tuple(scorer), repeats, tuple(options), tuple(plugins)), Rescored()
    with store.changing():
        chosen: dict[str, Standing] = {}
        for one in store.standing():
            if not one.withdrawn and (not ids or one.result.id in ids):
                chosen.setdefault(one.result.id, one)
        for name in ids:
            store.submission(name)
        panels = {(one.result.id, one.result.board) for one in store.standing()}
        for name, one in chosen.items():
            checked = _again(store.submission(name), one, panel)
            if checked.result is None:
                out.refused[name] = next((f.text for f in checked.findings.found if f.verdict == "fail"), "unknown")
            elif (name, checked.result.board) in panels:
                out.kept.append(name)
            else:
                store.book("rescore", checked.result, reason)
                out.done.append(name)
    return out


def _again(folder: Path, one: Standing, panel: _Panel) -> Validation:
    checked = Validation(folder, Findings())
    if manifest_digest(folder) != one.result.manifest or any(broken_seals(folder)):
        checked.findings.fail("digests", "its files are not the ones that were added; restore them")
        return checked
    with TemporaryDirectory(prefix="rlpa-rescore-") as scratch:
        submission, run, _ = unpacked(folder, Path(scratch))
        suite = [option for option in panel.options if option.startswith("suite.")]
        if rebuild(run, checked.findings, suite, panel.plugins) is None:  # which also writes the cases
            return checked
        blocking(lambda: _judge(run, panel))
        changed = submission.model_copy(update={"judges": tuple(panel.scorer), "claims": {}})
        checked.findings.done |= {"files", "digests", "schema"}
        setting = Setting(panel.options, panel.plugins)
        evaluate(checked, changed, Run(run.path), one.result.manifest, setting)
    return checked


async def _judge(run: Run, panel: _Panel) -> None:
    """Replaces judges and scores of an unpacked run; only the options given now reach a judge or its model."""
    options = parse_options(option for option in panel.options if not option.startswith("suite."))
    cache, plugins = CallCache(cache_dir() / "calls.sqlite"), Plugins(panel.plugins)
    harness = Harness("", protocol=run.info["identity"]["protocol"], options=options, cache=cache, plugins=plugins)
    try:
        judges = harness.judges(panel.scorer)
        write_json(run.path / "run.json", _info(run, harness, judges, options))
        varying = [judge for judge in judges if not judge.deterministic]
        cases = tuple(run.cases.values())
        with replacing(run.path / SCORES) as file:
            for dialogue in run.dialogues() if varying else ():
                case = run.cases[dialogue.case]
                made = score_dialogue(dialogue, case, varying, repeats=panel.repeats, other=other_case(case, cases))
                file.writelines(map(dumps, sorted([asdict(s) async for s in made], key=score_order)))
    finally:
        await harness.aclose()


def _info(run: Run, harness: Harness, judges: Sequence[Judge], options: OptionTree) -> dict[str, Any]:
    """run.json as if these judges had been the run's."""
    identity = run.info["identity"]
    parts: dict[str, Component] = {f"judges/{judge.name}": judge for judge in judges}
    parts |= {f"models/{spec}": endpoint.model for spec, endpoint in harness.context.endpoints.items()}
    described = {name: described_as(name, part) for name, part in parts.items()}
    mine = {kind: by for kind, by in identity["config"]["options"].items() if kind not in ("judges", "models")}
    theirs = {kind: by for kind, by in options.items() if kind in ("judges", "models")}
    changed = {
        **identity,
        "components": identity["components"] | described,
        "options": identity["options"] | harness.used_options(),
        "config": {**identity["config"], "judges": [judge.name for judge in judges], "options": mine | theirs},
    }
    info = {name: value for name, value in run.info.items() if name != "rescored"}
    return {**info, "identity": plain(changed), "judges": plain([asdict(JudgeInfo.of(judge)) for judge in judges])}
