"""The cells of a matrix, read from the summaries of its runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from rlpa_bench.checkpoints import seen
from rlpa_bench.errors import UsageError
from rlpa_bench.runs import Run, differing


class View(NamedTuple):
    """Through whom candidates are seen: who played the user and who judged."""

    simulator: str
    judge: str

    def __str__(self) -> str:
        return f"{self.simulator}, {self.judge}"


@dataclass(frozen=True, slots=True)
class Cell:
    """A candidate in one view: AVG on the scale 0 to 100 (of a judge's own scale, stretched to it)."""

    mean: float | None
    """None where too many units are missing, as in the run's own table."""
    low: float | None
    high: float | None
    cases: Mapping[str, float]
    """Case -> mean over its turns and seeds."""


@dataclass(frozen=True)
class Grid:
    """All cells. A cell may be lacking: not played, not judged, or withheld for missing units."""

    suite: str
    candidates: tuple[str, ...]
    views: tuple[View, ...]
    cells: Mapping[tuple[str, View], Cell]
    clusters: Mapping[str, str]
    """Case -> profile."""
    trained: Mapping[str, tuple[str, ...]]
    """Candidate -> the simulators it was trained on; only trained candidates."""
    granted: frozenset[str] = frozenset()
    """Candidates that are given the gold or the disclosure ledger."""

    @cached_property
    def simulators(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(view.simulator for view in self.views))

    @cached_property
    def judges(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(view.judge for view in self.views))

    @cached_property
    def whole(self) -> tuple[str, ...]:
        """Candidates with a value in every view: only they can be ranked across views."""
        return tuple(name for name in self.candidates if all(self._known(name, view) for view in self.views))

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """Cases that every whole candidate has in every view, in the runs' order."""
        cells = [self.cells[name, view] for name in self.whole for view in self.views]
        return tuple(case for case in self.clusters if cells and all(case in cell.cases for cell in cells))

    @cached_property
    def profiles(self) -> tuple[str, ...]:
        """Profiles of the shared cases."""
        return tuple(dict.fromkeys(self.clusters[case] for case in self.shared))

    def by_profile(self, candidate: str, view: View) -> dict[str, float]:
        """Profile -> mean over its shared cases."""
        return profile_means(self.cells[candidate, view].cases, self.clusters, self.shared)

    def pairs(self) -> Iterator[tuple[str, str, str]]:
        """(judge, simulator, other simulator) for every two simulators that one judge has seen."""
        for judge in self.judges:
            seen = [view.simulator for view in self.views if view.judge == judge]
            for i, one in enumerate(seen):
                for other in seen[i + 1 :]:
                    yield judge, one, other

    def _known(self, candidate: str, view: View) -> bool:
        cell = self.cells.get((candidate, view))
        return cell is not None and cell.mean is not None


def profile_means(
    cases: Mapping[str, float], clusters: Mapping[str, str], shared: Iterable[str] | None = None
) -> dict[str, float]:
    """Profile -> mean over its cases, of all or of the shared ones."""
    groups: dict[str, list[float]] = {}
    for case in cases if shared is None else shared:
        groups.setdefault(clusters[case], []).append(cases[case])
    return {profile: sum(values) / len(values) for profile, values in groups.items()}


def read_grid(runs: Sequence[Run], judges: Sequence[str] = (), candidates: Sequence[str] = ()) -> Grid:
    """The cells of several runs, one simulator each or several runs of one simulator with other candidates.

    Args:
        judges, candidates: those to look at; all if empty.

    Raises:
        UsageError: for runs of unlike cases, protocol or contract, a candidate played twice under one simulator, or
            names that are not there.
    """
    if not runs:
        raise UsageError("a matrix needs a run; name one or more run directories")
    for run in runs[1:]:
        _refuse_unlike(runs[0], run)
    known = dict.fromkeys(name for run in runs for name in run.summary["order"])
    chosen = _chosen("candidate", candidates, known)
    seen = _chosen("judge", judges, dict.fromkeys(name for run in runs for name in _aligned(run)))
    cells: dict[tuple[str, View], Cell] = {}
    for run in runs:
        summary = run.summary
        for judge in (name for name in _aligned(run) if name in seen):
            column = next(c for c in summary["columns"] if c["name"] == f"AVG[{judge}]")
            view = View(str(run.info["simulator"]), judge)
            for name in (name for name in summary["order"] if name in chosen):
                if (name, view) in cells:
                    raise UsageError(f"{name} was played with {view.simulator} in two of the runs; name one of them")
                if (cell := summary["rows"][name].get(column["name"])) is not None:
                    cells[name, view] = _cell(cell, column)
    views = tuple(dict.fromkeys(view for _, view in cells))
    if not views:
        raise UsageError("the runs have no judge with an alignment score; score them with one, such as rules")
    infos = [run.info for run in runs]
    return Grid(
        str(runs[0].info["suite"]),
        tuple(chosen),
        views,
        cells,
        {case.id: case.cluster for case in runs[0].cases.values()},
        {name: found for name in chosen if (found := tuple(dict.fromkeys(_trained(infos, name))))},
        frozenset(name for name in chosen if any(_candidate(info, name).get("grants") for info in infos)),
    )


def _aligned(run: Run) -> list[str]:
    columns = {column["name"] for column in run.summary["columns"]}
    return [info.name for info in run.judges.values() if info.alignment and f"AVG[{info.name}]" in columns]


def _chosen(kind: str, names: Sequence[str], known: Mapping[str, None]) -> list[str]:
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"no run has the {kind} {unknown[0]!r}; there are {', '.join(known)}")
    return [name for name in known if not names or name in names]


def _cell(cell: Mapping[str, Any], column: Mapping[str, Any]) -> Cell:
    low, high = column["low"], column["high"]
    factor = 100.0 / (high - low)

    def scaled(value: float | None) -> float | None:
        return None if value is None else (value - low) * factor

    cases = {case: (value - low) * factor for case, value in cell["cases"].items()}
    return Cell(scaled(cell["mean"]), scaled(cell["low"]), scaled(cell["high"]), cases)


def _refuse_unlike(first: Run, other: Run) -> None:
    """Runs may differ in simulator, judges and candidates, and in nothing that all of them share."""
    one, two = first.info["identity"], other.info["identity"]
    parts = {name: (one[name], two[name]) for name in ("protocol", "contract", "cases")}
    shared = [name for name in one["components"] if name in two["components"] and not name.startswith("simulators/")]
    parts |= {name: (one["components"][name], two["components"][name]) for name in shared}
    parts |= {
        f"options of {name}": (values, two["options"][name])
        for name, values in one["options"].items()
        if name in two["options"] and not name.startswith("simulators/")
    }
    found = [line for name, (a, b) in parts.items() for line in differing(a, b, name)]
    if found:
        raise UsageError(
            f"{first.path} and {other.path} cannot be one matrix: {'; '.join(found[:3])}; play both on the same terms"
        )


def _candidate(info: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = info["candidates"].get(name, {})
    return found


def _trained(infos: Iterable[Mapping[str, Any]], name: str) -> Iterator[str]:
    """The simulators that a candidate saw in training, as its ``trained_on`` says."""
    for info in infos:
        yield from seen(_candidate(info, name).get("trained_on") or {}, "simulator")
