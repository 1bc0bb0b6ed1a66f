"""From finished runs to submissions: one folder per system, packed and sealed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from os import PathLike
from pathlib import Path
from typing import Any

from rlpa_bench.build import Harness
from rlpa_bench.errors import RlpaBenchError, UsageError
from rlpa_bench.leaderboard.package import DIALOGUES, SCORES, pack, seal
from rlpa_bench.leaderboard.schema import Cost, Counts, Method, Submission, System, Training
from rlpa_bench.leaderboard.training import joined, recorded_training
from rlpa_bench.plugins import Plugins
from rlpa_bench.runs import Run, write_json
from rlpa_bench.scoring import OTHER
from rlpa_bench.summary import columns_of
from rlpa_bench.transcripts import describe_invalid, dumps, read_lines

METHODS: dict[str, Method] = {"sft": "sft", "dpo": "dpo", "rlpa": "rl", "rag": "memory"}
"""Baseline -> method class; a baseline that is not named prompts its model."""
KEPT = ("schema", "version", "created", "suite", "simulator", "judges", "retries", "rescored", "git", "python")
"""What a submission's run.json has of the run's, besides identity, plan and candidate."""


def prepare(
    runs: Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    *,
    candidates: Sequence[str] = (),
    submitter: str,
    training: Training | None = None,
    method: Method | None = None,
    notes: str = "",
    plugins: Iterable[object] = (),
) -> list[Path]:
    """Packs finished runs, one submission per candidate.

    Args:
        candidates: names of those to pack; by default all of the runs.
        training: what the systems with a model were trained on, as the submitter says.
        method: how the systems with a model came to be; by default what their baseline says.

    Returns:
        The folders written, ``out`` itself if there is one candidate, else ``out/ID``.

    Raises:
        UsageError: for a run that is not complete or must not be published,
            a candidate that is not there, or an ``out`` that is not empty.
    """
    target = Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is not an empty folder; choose another --out")
    chosen = list(_chosen([_complete(Run(path)) for path in runs], candidates))
    identities = [_slug(run, candidate) for run, candidate in chosen]
    if doubled := {one for one in identities if identities.count(one) > 1}:
        raise UsageError(f"candidate {sorted(doubled)[0]!r} is in two of these runs; prepare them apart")
    folders = {choice: target if len(chosen) == 1 else target / identity
               for choice, identity in zip(chosen, identities, strict=True)}  # fmt: skip
    known = Plugins(plugins)
    for run in dict.fromkeys(run for run, _ in chosen):
        mine = {name: folder for (other, name), folder in folders.items() if other is run}
        for folder in mine.values():
            folder.mkdir(parents=True, exist_ok=True)
        played, earned = _transcripts(run, mine, known), claimable(run, known)
        for name, folder in mine.items():
            told = Training()
            if not run.info["candidates"][name]["control"]:
                told = joined(training or told, recorded_training(run.info, name))
            about = _submission(run, name, played[name], submitter=submitter, training=told, method=method, notes=notes,
                                earned=earned)  # fmt: skip
            write_json(folder / "submission.json", about.model_dump(mode="json"))
            write_json(folder / "run.json", restricted(run.info, name))
            seal(folder)
    return list(folders.values())


def _complete(run: Run) -> Run:
    if "counts" not in run.info or not (run.path / "summary.json").exists():
        raise UsageError(f"{run.path} is not complete; resume it, or run `rlpa-bench report` on it")
    if run.info["plan"]["shard"][1] != 1:
        raise UsageError(f"{run.path} is one shard of several; merge them first")
    if why := run.unpublishable:
        raise UsageError(f"{run.path} must not be published: {why}; publish its tables and figures, not a submission")
    return run


def _chosen(runs: Sequence[Run], wanted: Sequence[str]) -> Iterator[tuple[Run, str]]:
    there = [(run, name) for run in runs for name in run.info["plan"]["candidates"]]
    names = {name for _, name in there}
    if missing := sorted(set(wanted) - names):
        raise UsageError(f"no run has candidate {missing[0]!r}; there is {', '.join(sorted(names))}")
    return ((run, name) for run, name in there if not wanted or name in wanted)


def _slug(run: Run, candidate: str) -> str:
    """A readable id that another run of other terms does not share: name, then eight digits of the run's identity."""
    from rlpa_bench.manifest import digest

    plain = re.sub(r"[^a-z0-9]+", "-", f"{run.info['suite']}-{candidate}".lower()).strip("-")
    mark = digest(dumps([run.info["identity"], run.info["plan"], run.info["created"]]))[:8]
    return f"{plain[:80]}-{mark}"


def restricted(info: Mapping[str, Any], candidate: str) -> dict[str, Any]:
    """run.json of one candidate of a run: whatever concerns only the others is left out."""
    plan, identity, entry = info["plan"], info["identity"], info["candidates"][candidate]
    subsets = {name: ids for name, ids in plan["subsets"].items() if name == candidate}
    kept = {name: info[name] for name in KEPT if name in info}
    kept["candidates"] = {candidate: entry}
    mine = entry["baseline"].partition(":")[0]

    def ours(part: Mapping[str, Any]) -> dict[str, Any]:
        """Without the other candidates' baselines; models may also be a judge's or the user's, and stay."""
        return {
            name: value
            for name, value in part.items()
            if not name.startswith("baselines/") or name.removeprefix("baselines/").partition(":")[0] == mine
        }

    kept["identity"] = {**identity, **{part: ours(identity[part]) for part in ("components", "options", "plugins")}}
    return {**kept, "plan": {**plan, "candidates": [candidate], "subsets": subsets}}


@dataclass
class Played:
    """What is counted of a candidate's dialogues while they are packed."""

    ended: list[str] = field(default_factory=list)
    system: float | None = 0.0
    simulator: float | None = 0.0

    def add(self, dialogue: Mapping[str, Any]) -> None:
        """One dialogue, as JSON."""
        self.ended.append(dialogue["ended"])
        for turn in dialogue["turns"]:
            self.system = _sum(self.system, turn["output"]["calls"])
            self.simulator = _sum(self.simulator, turn["user"]["calls"])

    def counts(self, planned: int) -> Counts:
        """Dialogues by outcome, failures by stage and reason word (``candidate: 503``)."""
        failed: dict[str, int] = {}
        for text in self.ended:
            if text.startswith("error"):
                word = ": ".join(part.strip() for part in text.split(":")[1:3])[:200]
                failed[word] = failed.get(word, 0) + 1
        return Counts(planned=planned, played=len(self.ended) - sum(failed.values()), failed=failed)

    @property
    def cost(self) -> Cost:
        return Cost(system=self.system, simulator=self.simulator)


def _sum(known: float | None, calls: Sequence[Mapping[str, Any]]) -> float | None:
    """US dollars so far and of these calls; None as soon as one of them is unpriced."""
    for call in calls:
        known = None if known is None or call["cost"] is None else known + call["cost"]
    return known


def _transcripts(run: Run, folders: Mapping[str, Path], known: Plugins) -> dict[str, Played]:
    """Packs dialogues, and the verdicts of judges that nobody can ask again for the same, each file in one pass."""
    played = {name: Played() for name in folders}
    kept = {name for judge in run.judges if not fixed(judge, known) for name in (judge, judge + OTHER)}

    def lines(name: str, values: Iterable[Any]) -> Iterator[bytes]:
        for value in values:
            played[name].add(value)
            yield dumps(value)

    left = dict(folders)
    for name, values in _by_candidate(run.path / DIALOGUES):
        if name in left:
            pack(lines(name, values), left.pop(name) / f"{DIALOGUES}.xz")
    for folder in left.values():
        pack((), folder / f"{DIALOGUES}.xz")
    for name, values in _by_candidate(run.path / SCORES) if kept else ():
        if name in folders:
            pack((dumps(value) for value in values if value["judge"] in kept), folders[name] / f"{SCORES}.xz")
    return played


def _by_candidate(path: Path) -> Iterator[tuple[str, Iterator[Any]]]:
    return groupby(read_lines(path), key=lambda value: str(value["candidate"]))


def fixed(judge: str, known: Plugins) -> bool:
    """Whether a judge gives the same verdicts to everybody; one that is not installed here may not."""
    try:
        component: Any = known.find("judges", judge).component
    except RlpaBenchError:
        return False
    return bool(component.deterministic)


def _submission(
    run: Run,
    candidate: str,
    played: Played,
    *,
    submitter: str,
    training: Training,
    method: Method | None,
    notes: str,
    earned: set[str],
) -> Submission:
    info, cells = run.info, run.summary["rows"].get(candidate, {})
    terms, entry = info["identity"], info["candidates"][candidate]
    try:
        return Submission(
            id=_slug(run, candidate),
            submitter=submitter,
            created=datetime.fromisoformat(info["created"]).astimezone(UTC),
            system=System(
                name=candidate,
                model=entry["model"],
                baseline=entry["baseline"],
                method="control" if entry["control"] else method or METHODS.get(entry["baseline"], "prompted"),
                grants=tuple(entry["grants"]),
                weights=weights(terms, entry["model"]),
                decoding=decoding(terms, entry["model"]),
                training=training,
            ),
            suite=info["suite"],
            protocol=terms["protocol"],
            simulator=info["simulator"],
            judges=tuple(run.judges),
            cost=played.cost,
            counts=played.counts(entry["planned"]),
            claims={name: cell["mean"] for name, cell in cells.items() if name in earned},
            notes=notes,
        )
    except ValueError as error:
        raise UsageError(f"{candidate}: {describe_invalid(error)}") from None


def claimable(run: Run, known: Plugins) -> set[str]:
    """Columns that transcripts and verdicts alone give; those of other files of the run cannot be recomputed."""
    metrics = Harness("", protocol=run.info["identity"]["protocol"], plugins=known).metrics()
    return set(columns_of(metrics, run.judges))


def weights(terms: Mapping[str, Any], model: str) -> dict[str, Any]:
    """What a run's identity records of a model's weights; nothing for a control."""
    return dict(terms["components"].get(f"models/{model}", {})) if model else {}


def decoding(terms: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Every option of a model in force, from a run's identity; nothing for a control."""
    return dict(terms["options"].get(f"models/{model.partition(':')[0]}", {})) if model else {}
