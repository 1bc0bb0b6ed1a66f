"""What a check found: pass, flag (shown on the row) or fail (refused), with the reason and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["pass", "flag", "fail", "skipped"]

CHECKS = {
    "files": "plain files only, no links, no strangers, within the size limits",
    "digests": "every file is the one that was sealed",
    "schema": "submission, run and transcripts have their published shape; nothing hidden, no NaN, no future date",
    "terms": "cases, contract, simulator and judges are the ones of the suite, with their options",
    "complete": "every planned dialogue is there exactly once, its turns without gaps",
    "replay": "the simulated user says every recorded word again, and the parser reads every output again",
    "judges": "verdicts of judges that vary are complete, on their scales, and what the judge's own words say",
    "scores": "with all other verdicts made here, every mean is what the submission claims (1e-9)",
    "content": "no knowledge that was never told, no words to the judge, no copies, no constant replies",
    "plausible": "claims, counts, calls and clocks fit the transcripts",
}
"""The ten checks, in their order."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    check: str
    verdict: Literal["flag", "fail"]
    text: str
    """What is wrong, where, and how to mend it."""
    flag: str = ""
    """The row's flag (a key of ``schema.FLAGS``) where the verdict is ``flag``."""


@dataclass
class Findings:
    """All findings of one submission, at most a few per check."""

    found: list[Finding] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    """Checks that were carried out to their end."""
    most: int = 5

    def fail(self, check: str, text: str) -> None:
        if sum(f.check == check and f.verdict == "fail" for f in self.found) < self.most:
            self.found.append(Finding(check, "fail", text))

    def flag(self, check: str, flag: str, text: str) -> None:
        if not any(f.flag == flag for f in self.found):
            self.found.append(Finding(check, "flag", text, flag))

    @property
    def failed(self) -> bool:
        return any(finding.verdict == "fail" for finding in self.found)

    def verdict(self, check: str) -> Verdict:
        """The worst that was found; ``skipped`` for a check that an earlier failure kept from being made."""
        verdicts = {finding.verdict for finding in self.found if finding.check == check}
        if "fail" in verdicts:
            return "fail"
        if check not in self.done:
            return "skipped"
        return "flag" if verdicts else "pass"

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(finding.flag for finding in self.found if finding.flag))
