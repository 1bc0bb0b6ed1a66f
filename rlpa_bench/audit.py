"""Faults of the simulated user, found in recorded dialogues, so that they are not charged to the candidate.

The kinds are those by which simulated users are known to spoil benchmarks: they leave early, take two turns in a
row, play the assistant, contradict their own profile, or tell more than the protocol lets them (RLPA, arXiv
2505.15456, prompt of the user: at most 15 % of the profile in a reply). Precision before recall: texts are read by
the closed ontology and by patterns, so that what is reported is a fault, and what is not may still be one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rlpa_bench.ontology import Ontology
from rlpa_bench.types import Case, Dialogue, Turn

KINDS = ("early stop", "two turns in a row", "role swap", "contradiction", "over the cap")
LOGGED = {
    "role_drift": "role swap",
    "prompt_leak": "prompt leak",
    "fabricated": "fabrication",
    "over_disclosure": "over the cap",
    "repetition": "repetition",
}
"""What a simulator that a model plays may log under ``faults`` in an utterance's state (name -> detail), and the kind
that it counts as."""
SHARE = 15
"""Percent of the facts that may be volunteered in a turn; at least one fact."""
ANSWERED = 2
"""Facts beyond that, in answer to a question or to a claim."""

_BOTH = re.compile(r"^\W*(?:assistant|ai|bot|chatbot|partner|model)\W*:", re.IGNORECASE | re.MULTILINE)
_ASSISTANT = re.compile(
    r"</?(?:profile|response)>|\bas an ai\b|\b(?:large )?language model\b|\bhow (?:can|may) i (?:help|assist) you\b"
    r"|\bi(?:'m| am) (?:here to (?:help|assist)|your (?:ai|virtual) assistant)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_OWN = re.compile(r"\b(?:i'm|i am|i live|i work|my (?:age|job|home))\b", re.IGNORECASE)
_UNREAL = re.compile(
    r"\b(?:not|never|used to|was|were|if|wish|would|could|might|may|than|like|almost|no longer)\b|n't\b|\?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the user."""

    kind: str
    """One of ``KINDS`` or of the values of ``LOGGED``."""
    turn: int
    detail: str

    def __str__(self) -> str:
        return f"{self.kind} (turn {self.turn}: {self.detail})"


def audit(dialogue: Dialogue, case: Case, ontology: Ontology) -> tuple[Fault, ...]:
    """The user's faults in a dialogue, in order of turns, each kind once a turn."""
    found = (*_faults(dialogue, case, ontology), *(fault for turn in dialogue.turns for fault in _logged(turn)))
    first: dict[tuple[str, int], Fault] = {}
    for fault in found:
        first.setdefault((fault.kind, fault.turn), fault)
    return tuple(sorted(first.values(), key=lambda fault: fault.turn))


def _logged(turn: Turn) -> Iterator[Fault]:
    """Faults that the simulator noticed itself and could not mend."""
    state = turn.user.state
    faults = state.get("faults") if isinstance(state, Mapping) else None
    for name, detail in faults.items() if isinstance(faults, Mapping) else ():
        if name in LOGGED:
            yield Fault(LOGGED[name], turn.index, str(detail))


def _faults(dialogue: Dialogue, case: Case, ontology: Ontology) -> Iterator[Fault]:
    known: set[str] = set()
    items = () if case.gold is None else (*case.gold.items, *(c.new for c in case.gold.changes if c.new))
    keys = {item.key for item in items}
    own = {atom.id for item in items for atom in ontology.resolve(item)}
    own |= {mention.value.id for item in items for text in item.say for mention in ontology.mentions(text)}
    before: Turn | None = None
    for turn in dialogue.turns:
        text = turn.user.text
        if not text.strip():
            yield Fault("two turns in a row", turn.index, "the user said nothing")
        elif found := _BOTH.search(text):
            yield Fault("two turns in a row", turn.index, f"the user speaks for the other side: {found[0].strip()!r}")
        if found := _ASSISTANT.search(text):
            yield Fault("role swap", turn.index, f"the user plays the assistant: {found[0]!r}")
        if case.gold is not None:
            told = turn.user.disclosed or ()
            if strange := [key for key in told if key not in keys]:
                yield Fault("contradiction", turn.index, f"states what the profile does not hold: {strange[0]}")
            if wrong := _against(text, case, turn, ontology, own):
                yield Fault("contradiction", turn.index, wrong)
            planned = _planned(case, turn)
            new = [key for key in told if key not in known and key not in planned]
            known.update(told)
            most = _most(len(case.gold.at(turn.session, turn.index).facts), before, ontology)
            if len(new) > most:
                yield Fault("over the cap", turn.index, f"tells {len(new)} new facts, {most} are allowed")
        before = turn
    if dialogue.ended.startswith("user"):
        yield Fault("early stop", len(dialogue.turns), dialogue.ended)


def _planned(case: Case, turn: Turn) -> set[str]:
    """Facts that the protocol, not the simulator, has the user tell: of remarks and of changes."""
    remark = case.remark(turn.index)
    changes = case.gold.changes if case.gold else ()
    return {*(remark.disclosed if remark else ()), *(change.new.key for change in changes if change.new)}


def _most(facts: int, before: Turn | None, ontology: Ontology) -> int:
    """New facts that an utterance may hold."""
    answers = before is not None and ("?" in before.response or bool(ontology.mentions(before.response)))
    return max(1, facts * SHARE // 100) + ANSWERED * answers


def _against(text: str, case: Case, turn: Turn, ontology: Ontology, own: set[str]) -> str:
    """A value the user claims to have in a slot that holds one, where the profile holds another; empty if none."""
    assert case.gold is not None
    if not _OWN.search(text):
        return ""
    facts = [item for item in case.gold.at(turn.session, turn.index).facts if item.id and ontology.exclusive(item.slot)]
    for sentence in _SENTENCE.findall(text):
        if not _OWN.search(sentence) or _UNREAL.search(sentence):
            continue
        for mention in ontology.mentions(sentence):
            key = mention.value.id
            rivals = [item for item in facts if item.slot == mention.value.slot and ontology.conflict(key, item.id)]
            if rivals and not any(ontology.relation(key, known) for known in own):
                return f"says {mention.text!r}, the profile holds {rivals[0].value!r}"
    return ""
