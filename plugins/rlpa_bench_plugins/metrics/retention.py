"""General capability beside alignment: what `rlpa-bench probe` measured of the models of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.options import Options
from rlpa_bench.probing import results
from rlpa_bench.runs import read_info


class RetentionMetric(Metric):
    """``general[task]``, as lm-eval reports it, and ``retention[task]``, in percent of the reference's.

    A model has one result and no dialogues, so a candidate counts as one unit and has no interval here; the standard
    error over the questions is in probe.json. RLPA asks whether training costs general capability.
    """

    name = "retention"
    Options = Options

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._left: dict[str, list[Value]] = {}
        """Candidate -> its values, until its first dialogue comes by."""
        self._columns: dict[str, Column] = {}

    def read_run(self, path: Path) -> None:
        """Raises DataError if probe.json is none."""
        self._left, self._columns = {}, {}
        data, candidates = results.read(path), read_info(path)["candidates"]
        for candidate, task, result, reference in results.measured(data, candidates):
            general = Column(f"general[{task}]", f"{result['metric']} of lm-eval's {task}", headline=True)
            values = [Value(general.name, None, result["value"])]
            self._columns.setdefault(general.name, general)
            if reference is not None:
                kept = Column(f"retention[{task}]", "the former in percent of the reference's", headline=True)
                values.append(Value(kept.name, None, *results.retention(result, reference)))
                self._columns.setdefault(kept.name, kept)
            self._left.setdefault(candidate, []).extend(values)

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return list(self._columns.values())

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        yield from self._left.pop(record.dialogue.candidate, ())
