"""What a conformance check found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


class Fault(Exception):  # noqa: N818 - a finding about somebody else's code, no error of ours
    """A check found something; the message says what and how to mend it."""


class Skipped(Exception):  # noqa: N818 - as above
    """A check does not apply; the message says why."""


@dataclass(frozen=True, slots=True)
class Result:
    """One check of one component."""

    check: str
    status: Literal["passed", "failed", "skipped"]
    message: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one component."""

    kind: str
    name: str
    results: Sequence[Result]

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if result.status == "failed"]

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "results": [asdict(result) for result in self.results]}

    def __str__(self) -> str:
        marks = {"passed": "ok    ", "failed": "FAILED", "skipped": "-     "}
        lines = [f"{self.kind} {self.name}"]
        lines += [f"  {marks[r.status]} {r.check}{': ' if r.message else ''}{r.message}" for r in self.results]
        return "\n".join(lines)


class ConformanceError(AssertionError):
    """A component breaks a promise of its kind; ``report`` holds every check."""

    def __init__(self, report: Report) -> None:
        found = "\n".join(f"  {result.check}: {result.message}" for result in report.failed)
        super().__init__(f"{report.kind} {report.name!r} does not conform:\n{found}")
        self.report = report
