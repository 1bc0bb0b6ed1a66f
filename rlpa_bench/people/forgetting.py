"""Taking a person's data out of a run: out of its log and out of whatever was written from it.

Logs are only ever appended to, with this one exception. Every file that holds something of the person's dialogues is
written anew without it and takes the old one's place at once. The dialogues stay planned: they count as failed, with
the reason ``withdrawn`` and no turn, so that a run does not look better for what was taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlpa_bench.people.journal import FILE
from rlpa_bench.people.study import WITHDRAWN
from rlpa_bench.plan import Unit
from rlpa_bench.recompute import rebuild
from rlpa_bench.runs import Run, write_json
from rlpa_bench.transcripts import Log, dumps, read_lines, replacing

KEPT = (FILE, "cases.jsonl")
"""Files of a run that are seen to elsewhere."""


class ForgettingLog(Log):
    """A log that takes no lines of units that were withdrawn, such as verdicts that were on their way."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path = path
        self._withdrawn: set[int] = set()

    def withdraw(self, units: Iterable[int]) -> None:
        """Takes what there is of these units out of the file, and nothing more of them in."""
        self._withdrawn.update(units)
        self.close()
        withdraw_from_log(self._path, self._withdrawn)
        super().__init__(self._path)

    def _write(self, line: Mapping[str, Any]) -> None:
        if line["unit"] not in self._withdrawn:
            super()._write(line)


def withdraw_from_log(path: Path, units: Iterable[int]) -> None:
    """Writes a log file anew in which these units have failed before their first turn."""
    gone = sorted(set(units))
    with replacing(path) as file:
        if path.exists():
            file.writelines(dumps(line) for line in read_lines(path) if line["unit"] not in gone)
        for unit in gone:
            file.write(dumps({"unit": unit, "failed": WITHDRAWN, "turns": 0}))
            file.write(dumps({"unit": unit, "scores": [], "turns": 0}))


def withdraw_from_files(run: Path, units: Sequence[Unit]) -> None:
    """Writes a run's sorted files anew without these dialogues, then whatever is derived from them."""
    gone = {(unit.case.id, unit.seed) for unit in units}

    def mine(line: Mapping[str, Any]) -> bool:
        return (line.get("case"), line.get("seed")) in gone

    for path in run.glob("*.jsonl"):
        if path.name not in KEPT:
            _rewrite(path, mine, _emptied if path.name == "dialogues.jsonl" else None)
    if not (run / "dialogues.jsonl").exists():
        return
    info = Run(run).info
    if "counts" in info:
        failed = sum(line["ended"].startswith("error") for line in read_lines(run / "dialogues.jsonl"))
        played = info["counts"]["played"] + info["counts"]["failed"] - failed
        write_json(run / "run.json", {**info, "counts": {**info["counts"], "failed": failed, "played": played}})
    rebuild(run)


def _emptied(dialogue: Mapping[str, Any]) -> dict[str, Any]:
    return {**dialogue, "turns": [], "ended": f"error: {WITHDRAWN}"}


def _rewrite(
    path: Path, mine: Callable[[Mapping[str, Any]], bool], instead: Callable[[Mapping[str, Any]], Any] | None
) -> None:
    with replacing(path) as file:
        for line in read_lines(path):
            if not mine(line):
                file.write(dumps(line))
            elif instead:
                file.write(dumps(instead(line)))
