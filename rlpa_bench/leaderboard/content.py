"""Scans of what a system wrote: knowledge it was never told, words to the judge, constants.

Except for knowledge before anything was told, which has no honest source, these flag and do not refuse: a weak model
repeats itself, and a clever one may guess.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from rlpa_bench.leaderboard.checks import Findings
from rlpa_bench.leaderboard.copies import fingerprint
from rlpa_bench.ontology import Ontology
from rlpa_bench.statistics import clustered_mean
from rlpa_bench.types import Case, Dialogue, Item, Turn

CONSTANT = 0.5
"""Share of equal replies above which a row is flagged ``constant``."""
KNOWS = 0.25
"""Share of never-told facts stated, beyond those of another user, above which a row is flagged."""
KNOWS_AT_ONCE = 0.2
"""The same before the user has told anything; with a 99.9 % interval above 0 over ``FEWEST`` profiles this refuses."""
FEWEST = 5

_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget)\b.{0,40}\b(?:instruction|rubric|criteri|previous|above)"
    r"|\b(?:note|message|memo|attention|dear|hint|instructions?)\s*(?:to|for)?\s*(?:the\s+)?"
    r"(?:judge|grader|evaluator|scorer|rater|reviewer)\b"
    r"|\bas (?:the|an?) (?:judge|grader|evaluator)\b"
    r"|\b(?:give|assign|award|return|output)\b.{0,20}\b(?:full|top|high|highest|maximum|perfect|positive)\W{1,2}"
    r"(?:score|rating|grade|verdict|marks?)\b"
    r"|\b(?:final )?(?:score|verdict|rating|grade)\s*(?:is|[:=])\s*[\"']?\d"
    r"|\\boxed\s*\{|<\|\w+\|>|\[\[\s*\w{1,12}\s*\]\]|</?(?:system|judge|verdict|score)>"
    r"|[\"'](?:gate|score|verdict|naturalness|relevance|engagement)[\"']\s*:",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(4096)
def normalised(text: str) -> str:
    """Letters and digits only, in one form and case: what small edits leave."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


@lru_cache(4096)
def order(text: str) -> str:
    """The first words to a judge in a text, or nothing."""
    found = _ORDERS.search(text)
    return found[0][:60] if found else ""


@dataclass
class Scan:
    """Counts over the dialogues of one system."""

    others: Mapping[str, Case | None]
    """Case -> another user, whose facts show what chance states."""
    ontology: Ontology
    replies: Counter[str] = field(default_factory=Counter)
    dialogues: Counter[tuple[str, ...]] = field(default_factory=Counter)
    orders: list[str] = field(default_factory=list)
    fingerprints: dict[str, str] = field(default_factory=dict)
    excess: dict[str, list[float]] = field(default_factory=dict)
    """Profile -> per turn, never-told facts stated minus those of another user, as shares."""
    at_once: dict[str, list[float]] = field(default_factory=dict)
    """The same for turns before which, and in which, nothing was told."""
    _known: dict[tuple[Item, ...], frozenset[str]] = field(default_factory=dict)

    def add(self, dialogue: Dialogue, case: Case) -> None:
        """Scans one dialogue."""
        self.fingerprints[f"{dialogue.case}/{dialogue.seed}"] = fingerprint(dialogue)
        replies = [normalised(turn.response) for turn in dialogue.turns[1:]]  # all users open alike
        self.replies.update(replies)
        if len(replies) > 1:
            self.dialogues[tuple(replies)] += 1
        for turn in dialogue.turns:
            if found := order(turn.output.raw):
                self.orders.append(f"case {dialogue.case!r}, turn {turn.index}: {found!r}")
        for told, value in self._knowledge(dialogue, case):
            self.excess.setdefault(case.cluster, []).append(value)
            if not told:
                self.at_once.setdefault(case.cluster, []).append(value)

    def _knowledge(self, dialogue: Dialogue, case: Case) -> Iterator[tuple[bool, float]]:
        """Per turn: whether anything was told by then, and the excess share of never-told facts stated."""
        other = self.others.get(case.id)
        if case.gold is None or other is None or other.gold is None:
            return
        heard: set[str] = set()
        told: set[str] = set()
        for turn in dialogue.turns:
            if turn.user.disclosed is None:
                return
            told.update(turn.user.disclosed)
            heard |= {mention.value.id for mention in self.ontology.mentions(turn.user.text)}
            gold, alien = case.gold.at(turn.session, turn.index), other.gold.at(turn.session, turn.index)
            spoken = heard | {atom.key for item in gold.select(told) for atom in self.ontology.resolve(item)}
            own, foreign = self._atoms(gold.facts), self._atoms(alien.facts)
            mine, theirs = own - foreign - spoken, foreign - own - spoken
            if mine and theirs:
                stated = self._stated(turn)
                yield bool(told), len(stated & mine) / len(mine) - len(stated & theirs) / len(theirs)

    def _atoms(self, items: tuple[Item, ...]) -> frozenset[str]:
        if items not in self._known:
            self._known[items] = frozenset(atom.key for item in items for atom in self.ontology.resolve(item))
        return self._known[items]

    def _stated(self, turn: Turn) -> frozenset[str]:
        """Keys of all values that the inferred profile or the reply names."""
        inferred = frozenset(a.key for item in turn.inferred if not item.is_trait for a in self.ontology.resolve(item))
        return inferred | {mention.value.id for mention in self.ontology.mentions(turn.response)}

    def report(self, findings: Findings, grants: tuple[str, ...]) -> None:
        """Books what was found."""
        if self.orders:
            text = f"{len(self.orders)} turns hold words to a judge, first {self.orders[0]}"
            findings.flag("content", "injection", text)
        total = self.replies.total()
        if total > 1 and (most := self.replies.most_common(1)[0])[1] > CONSTANT * total:
            text = f"{most[1]} of {total} replies from turn 2 on are the same ({most[0][:40]!r})"
            findings.flag("content", "constant", text)
        doubled = sum(n for n in self.dialogues.values() if n > 1)
        if doubled > CONSTANT * sum(self.dialogues.values()):
            text = f"{doubled} dialogues have, reply for reply, a twin with another user or seed"
            findings.flag("content", "repeated-dialogues", text)
        if "gold" not in grants:
            self._leak(findings)

    def _leak(self, findings: Findings) -> None:
        low, mean = _interval(self.at_once, 0.999)
        text = f"states {mean:.0%} more of the user's facts than of another user's before anything was told"
        if mean >= KNOWS_AT_ONCE and low > 0:
            if len(self.at_once) >= FEWEST:
                remedy = "no system can know them then: declare the grant `gold`, or mend what leaks it"
                findings.fail("content", f"{text}; {remedy}")
            findings.flag("content", "knows-undisclosed", text)
        low, mean = _interval(self.excess, 0.95)
        if mean >= KNOWS and low > 0:
            text = f"states {mean:.0%} more of the facts never told to it than of another user's: known by heart?"
            findings.flag("content", "knows-undisclosed", text)


def _interval(by_profile: Mapping[str, list[float]], confidence: float) -> tuple[float, float]:
    """Lower end of the interval over profiles, and mean; with one profile, the mean twice."""
    means = [sum(values) / len(values) for _, values in sorted(by_profile.items())]
    if not means:
        return 0.0, 0.0
    if len(means) == 1:
        return means[0], means[0]
    estimate = clustered_mean(means, None, confidence)
    return estimate.low, estimate.mean
