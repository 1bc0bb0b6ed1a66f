"""What can go wrong with a user that a model plays: pure detectors, for re-asking and for auditing dialogues.

Each looks at one utterance and says what it found, or nothing. They read words, not meaning, so they miss some faults;
what they report can be checked by eye, since the detail names it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rlpa_bench.ontology import Ontology
from rlpa_bench.ontology.stated import readings, stated
from rlpa_bench.types import TRAIT_SLOT, Item
from rlpa_bench_plugins.simulators.agenda.disclosure import EXTRA, cap

KINDS = ("empty", "role_drift", "prompt_leak", "fabricated", "over_disclosure", "repetition")
"""All kinds of fault that :func:`find` reports."""

_ASSISTANT = re.compile(
    r"\bas an? (?:ai|(?:large )?language model|assistant|chatbot)\b|\bi(?: am|['’]m) (?:just )?an? (?:ai|assistant|"
    r"(?:large )?language model|chatbot)\b|\bhow (?:can|may) i (?:help|assist) you\b|\bi(?: am|['’]m) here to (?:help|"
    r"assist)\b|\bhappy to (?:help|assist) you\b|(?:作为|我是)(?:一个)?(?:AI|人工智能|语言模型|助手)|"
    r"有什么(?:可以|能)帮(?:助)?(?:你|您)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"(?:^|\n)\s*\**(?:user|assistant|human|bot|system|用户|助手)\**\s*[:：]", re.IGNORECASE)
_META = re.compile(
    r"\bsystem prompt\b|\bmy (?:instructions|persona|character sheet)\b|\b(?:the|my) profile (?:says|states)\b|"
    r"\bi was (?:told|instructed) to (?:play|act)\b|\b(?:this|our) role-?play\b|</?(?:profile|response|think)>|人设|"
    r"提示词|系统提示|角色扮演",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z0-9']+|[\u4e00-\u9fff]")
_SHINGLE = 8
"""Words (or Chinese characters, half as heavy) in a row that nobody repeats from a prompt by accident."""
_ALIKE = 0.85


@dataclass(frozen=True, slots=True)
class Spoken:
    """One utterance and what it has to fit."""

    text: str
    facts: Sequence[Item] = ()
    """Facts of the user that hold now."""
    known: Collection[str] = ()
    """Keys that the user disclosed before."""
    earlier: Sequence[str] = ()
    """The user's earlier utterances."""
    partner: str = ""
    """The reply that it answers."""
    rules: str = ""
    """The prompt without the persona."""


def find(spoken: Spoken, ontology: Ontology) -> dict[str, str]:
    """Kinds of fault in an utterance, with what was found. Empty if there is none."""
    if not spoken.text.strip():
        return {"empty": "nothing was said"}
    found = {
        "role_drift": _drift(spoken),
        "prompt_leak": _leak(spoken),
        "fabricated": ", ".join(dict.fromkeys(fabricated(spoken.text, spoken.facts, ontology))),
        "over_disclosure": _over(spoken, ontology),
        "repetition": next((text[:60] for text in spoken.earlier if alike(spoken.text, text)), ""),
    }
    return {kind: detail for kind, detail in found.items() if detail}


def _drift(spoken: Spoken) -> str:
    if match := _ASSISTANT.search(spoken.text) or _LABEL.search(spoken.text):
        return match[0].strip()
    return "repeats the reply" if alike(spoken.text, spoken.partner) else ""


def _leak(spoken: Spoken) -> str:
    if match := _META.search(spoken.text):
        return match[0]
    shared = set(_shingles(spoken.rules)) & set(_shingles(spoken.text))
    return " ".join(min(shared)) if shared else ""


def _shingles(text: str) -> Iterator[tuple[str, ...]]:
    words = _WORD.findall(text.casefold().replace("’", "'"))
    size = _SHINGLE if sum(map(len, words)) > 2 * len(words) else 2 * _SHINGLE
    return (tuple(words[i : i + size]) for i in range(len(words) - size + 1))


def fabricated(text: str, facts: Sequence[Item], ontology: Ontology) -> Iterator[str]:
    """Ids of values that the user claims in the first person and that no fact of theirs supports."""
    own = [atom for item in facts for atom in ontology.resolve(item) if atom.id]
    own += [atom for item in facts for sentence in item.say for atom in readings(sentence, ontology)]
    for value in readings(text, ontology, personal=True):
        if value.slot == TRAIT_SLOT or value.polarity < 0:
            continue
        if not any(mine.polarity > 0 and ontology.relation(value.id, mine.id) for mine in own):
            yield value.id


def _over(spoken: Spoken, ontology: Ontology) -> str:
    """More new facts than the cap of volunteered ones and two more in answer to a question."""
    fresh = [key for key in stated(spoken.text, spoken.facts, ontology) if key not in spoken.known]
    most = cap(len(spoken.facts)) + EXTRA
    return f"{len(fresh)} new facts, at most {most}: {', '.join(fresh)}" if len(fresh) > most else ""


def alike(text: str, other: str) -> bool:
    """Whether one text nearly repeats the other; short ones (up to four words) never do."""
    one, two = (set(_WORD.findall(t.casefold().replace("’", "'"))) for t in (text, other))
    return len(one) > 4 and len(one & two) >= _ALIKE * len(one | two)
