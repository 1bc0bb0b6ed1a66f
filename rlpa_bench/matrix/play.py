"""Plays a matrix: one ordinary run a simulator, judged by every judge, and a small manifest beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rlpa_bench.build import OptionTree, parse_options
from rlpa_bench.errors import RunDirectoryError, UsageError
from rlpa_bench.manifest import without_secrets
from rlpa_bench.matrix.analysis import Analysis, analyse
from rlpa_bench.matrix.grid import read_grid
from rlpa_bench.plan import refuse_doubled
from rlpa_bench.request import Request, names
from rlpa_bench.runs import Run, differing, locked, read_info, read_json, write_json
from rlpa_bench.transcripts import plain

SCHEMA = "rlpa-bench-matrix/1"
SIMULATORS = ("agenda", "reciprocal")
JUDGES = ("rules", "retrieval", "profile")


@dataclass(frozen=True)
class Matrix:
    """A matrix on disk."""

    path: Path
    runs: Mapping[str, Run]
    """Simulator -> its run."""

    def analysis(self, judges: Sequence[str] = (), candidates: Sequence[str] = ()) -> Analysis:
        """The figures, of all judges and candidates or of those named. Raises UsageError for unknown names."""
        return analyse(read_grid(list(self.runs.values()), judges, candidates))


def matrix(
    suite: str = "aloe",
    *,
    out: str | Path,
    model: str | Sequence[str] = (),
    baseline: str | Sequence[str] = (),
    simulator: str | Sequence[str] = SIMULATORS,
    judge: str | Sequence[str] = JUDGES,
    controls: bool = False,
    turns: int | None = None,
    limit: int | None = None,
    seeds: int = 1,
    repeats: int = 1,
    options: Sequence[str] | OptionTree = (),
    plugins: Iterable[object] = (),
    **carried: Any,
) -> Matrix:
    """Plays every candidate on the same cases with every simulator, and has every judge judge every turn once.

    A directory that holds part of the same matrix is gone on with: what was played and judged is kept, and further
    simulators and judges are added.

    Args:
        simulator, judge: several names; everything else is as in :func:`rlpa_bench.run`.
        carried: how it is carried out (``max_cost``, ``watch``, …), as there; ``max_cost`` is of each run.

    Raises:
        RlpaBenchError: as :func:`rlpa_bench.run` does, or if ``out`` holds another matrix.
    """
    simulators, judges, path = names(simulator), names(judge), Path(out)
    refuse_doubled("simulator", simulators)
    refuse_doubled("judge", judges)
    if not simulators or not judges:
        raise UsageError("a matrix needs a simulator and a judge; name them with --simulator and --judge")
    tree = options if isinstance(options, Mapping) else parse_options(options)
    terms = {
        "suite": suite, "models": list(names(model)), "baselines": list(names(baseline)), "controls": controls,
        "turns": turns, "limit": limit, "seeds": seeds, "repeats": repeats,
    }  # fmt: skip
    _refuse_strangers(tree, simulators)
    shared = tuple(plugins)
    with locked(path):
        folders = _manifest(path, terms, simulators, judges, tree)
        for name in simulators:
            request = Request(
                suite, names(model), names(baseline), name, judges, controls, turns, limit, seeds, repeats,
                _of_simulator(tree, name),
            )  # fmt: skip
            _one(path / folders[name], request, shared, carried)
    return load_matrix(path)


def load_matrix(path: str | Path) -> Matrix:
    """The matrix in a directory, with the runs begun so far that have a summary. Raises RunDirectoryError."""
    where = Path(path)
    runs = {
        name: Run(where / folder)
        for name, folder in read_manifest(where)["runs"]
        if (where / folder / "summary.json").is_file()
    }
    if not runs:
        raise RunDirectoryError(f"{where} holds no finished run yet; go on with rlpa-bench matrix --resume {where}")
    return Matrix(where, runs)


def read_manifest(path: Path) -> dict[str, Any]:
    """The content of matrix.json. Raises RunDirectoryError."""
    if not (path / "matrix.json").is_file():
        raise RunDirectoryError(
            f"{path} holds no matrix (there is no matrix.json); name the folder that `matrix` wrote"
        )
    manifest: dict[str, Any] = read_json(path / "matrix.json")
    if manifest.get("schema") != SCHEMA:
        raise RunDirectoryError(
            f"{path} was written in format {manifest.get('schema')!r}, this version reads {SCHEMA!r}"
        )
    return manifest


def recorded(path: Path) -> dict[str, Any]:
    """What a begun matrix was asked for, as arguments of :func:`matrix`. Raises RunDirectoryError."""
    manifest = read_manifest(path)
    renamed = {"models": "model", "baselines": "baseline"}
    settings = {renamed.get(name, name): value for name, value in manifest["terms"].items()}
    return settings | {
        "simulator": [name for name, _ in manifest["runs"]],
        "judge": manifest["judges"],
        "options": manifest["options"],
    }


def _manifest(
    path: Path, terms: Mapping[str, Any], simulators: Sequence[str], judges: Sequence[str], options: OptionTree
) -> dict[str, str]:
    """Writes the manifest, or adds to the one that is there; the folder of each simulator's run."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    manifest: dict[str, Any] = {"schema": SCHEMA, "created": now, "terms": terms, "runs": [], "judges": []}
    if (path / "matrix.json").exists():
        manifest = read_manifest(path)
        if found := list(differing(manifest["terms"], terms)):
            raise RunDirectoryError(
                f"{path} holds a matrix of other terms: {'; '.join(found[:3])}; resume with the old ones or choose "
                "another --out"
            )
    elif any(path.glob("[!.]*")):
        raise RunDirectoryError(f"{path} is not empty and holds no matrix; choose another --out")
    folders: dict[str, str] = dict(manifest["runs"])
    for name in simulators:
        folder = "runs/" + re.sub(r"[^\w.-]+", "-", name)
        folders.setdefault(name, f"{folder}-{len(folders)}" if folder in folders.values() else folder)
    manifest["runs"] = list(folders.items())
    manifest["judges"] = list(dict.fromkeys([*manifest["judges"], *judges]))
    manifest["options"] = without_secrets(options)
    write_json(path / "matrix.json", manifest)
    return folders


def _one(path: Path, request: Request, plugins: Sequence[object], carried: Mapping[str, Any]) -> None:
    """Plays, or goes on with, the run of one simulator; judges that were added later judge its transcripts."""
    from rlpa_bench.pipeline import run
    from rlpa_bench.recompute import rescore

    info = read_info(path) if (path / "run.json").is_file() else None
    begun = tuple(info["identity"]["config"]["judges"]) if info else request.judges
    if info is None or not _finished(info) or carried.get("retry_errors"):
        run(
            request.suite, model=request.models, baseline=request.baselines, simulator=request.simulator, judge=begun,
            controls=request.controls, turns=request.turns, limit=request.limit, seeds=request.seeds,
            repeats=request.repeats, options=_of_judges(request.options, begun), out=path, plugins=plugins,
            **carried,
        )  # fmt: skip
    else:
        _refuse_other(path, info["identity"]["config"], request, begun)
    have = Run(path).judges
    if added := [name for name in request.judges if name not in have]:
        cache = carried.get("cache", True)
        rescore(path, judge=",".join(added), cache=cache, options=_texts(request.options, added), plugins=plugins)


def _finished(info: Mapping[str, Any]) -> bool:
    counts = info.get("counts", {})
    return "planned" in counts and counts["played"] + counts["failed"] == counts["planned"]


def _refuse_other(path: Path, recorded: Mapping[str, Any], request: Request, judges: Sequence[str]) -> None:
    """A finished run is not begun again, so its configuration is compared here. Raises RunDirectoryError."""
    wanted = plain(without_secrets(asdict(request)))
    wanted |= {"judges": list(judges), "options": plain(without_secrets(_of_judges(request.options, judges)))}
    if found := list(differing(recorded, wanted)):
        raise RunDirectoryError(
            f"{path} was played with another configuration: {'; '.join(found[:3])}; resume with the old one or choose "
            "another --out"
        )


def _refuse_strangers(tree: OptionTree, simulators: Sequence[str]) -> None:
    """Options of simulators that take no part would be dropped silently."""
    for name in tree.get("simulators", {}):
        if name != "*" and all(name not in (spec, spec.partition(":")[0]) for spec in simulators):
            raise UsageError(f"options of simulator {name!r} fit none of this matrix ({', '.join(simulators)})")


def _of_simulator(tree: OptionTree, spec: str) -> OptionTree:
    """The options without those of other simulators."""
    own = {name: v for name, v in tree.get("simulators", {}).items() if name in ("*", spec, spec.partition(":")[0])}
    rest = {kind: by_name for kind, by_name in tree.items() if kind != "simulators"}
    return rest | ({"simulators": own} if own else {})


def _of_judges(tree: OptionTree, judges: Sequence[str]) -> OptionTree:
    """The options without those of judges that were added after the run began."""
    bare = {name.partition(":")[0] for name in judges}
    own = {name: v for name, v in tree.get("judges", {}).items() if name == "*" or name.partition(":")[0] in bare}
    rest = {kind: by_name for kind, by_name in tree.items() if kind != "judges"}
    return rest | ({"judges": own} if own else {})


def _texts(tree: OptionTree, judges: Sequence[str]) -> list[str]:
    """The options of these judges and of models, as they would stand on the command line."""
    found = []
    for kind in ("judges", "models"):
        for name, values in _of_judges(tree, judges).get(kind, {}).items():
            where = kind[:-1] if name == "*" else f"{kind[:-1]}.{name}"
            found += [f"{where}.{option}={value}" for option, value in values.items()]
    return found
