"""Which facts a free utterance states: the disclosure ledger of simulators that cannot say what they disclosed.

Sentences are read by the ontology's reader, with denial and dislike; a fact is stated by its own words, by its value or
a narrower one with the same sign, or, outside the ontology, by all words of its value. Questions and remarks about the
partner state nothing. English; in other languages only a fact's own words and its value count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rlpa_bench.ontology import Ontology
from rlpa_bench.types import Item

_SENTENCE = re.compile(r"[^.!?:。！？：\n]+(?:[.:](?=\w)[^.!?:。！？：\n]*)*[.!?:。！？：]*")
"""A colon ends a sentence too: "No secret: I'm 29"."""
_FIRST = re.compile(r"\b(?:i|i['’](?:m|ve|d|ll)|me|my|mine|we|we['’](?:re|ve)|our|us)\b|我", re.IGNORECASE)
_SECOND = re.compile(r"\b(?:you|your|yours|you['’](?:re|ve|d|ll))\b|你", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")


def own_statements(text: str) -> list[str]:
    """The sentences in which the speaker may speak of themselves."""
    found = []
    for match in _SENTENCE.finditer(text):
        sentence = match[0].strip()
        asks = sentence[-1:] in "?？"
        if sentence and (_FIRST.search(sentence) or not (asks or _SECOND.search(sentence))):
            found.append(sentence)
    return found


def readings(text: str, ontology: Ontology, *, personal: bool = False) -> list[Item]:
    """Values of the ontology that the speaker's statements hold, with their sign.

    Args:
        personal: only from sentences in the first person.
    """
    sentences = (s for s in own_statements(text) if not personal or _FIRST.search(s))
    return [atom for sentence in sentences for atom in ontology.resolve(Item("", sentence)) if atom.id]


def stated(text: str, facts: Sequence[Item], ontology: Ontology) -> tuple[str, ...]:
    """Keys of the facts that the text states, in profile order."""
    read = readings(text, ontology)
    said = text.replace("’", "'")
    spoken = " ".join(own_statements(text)).casefold()
    return tuple(item.key for item in facts if _states(item, said, spoken, read, ontology))


def _states(item: Item, said: str, spoken: str, read: Iterable[Item], ontology: Ontology) -> bool:
    if any(sentence.rstrip(".!") in said for sentence in item.say):
        return True
    atoms = [atom for atom in ontology.resolve(item) if atom.id]
    if atoms:
        return all(
            any(r.polarity == atom.polarity and ontology.relation(r.id, atom.id) in ("same", "child") for r in read)
            for atom in atoms
        )
    words = set(_WORD.findall(item.value.casefold()))
    if item.value.isascii():
        return item.polarity > 0 and bool(words) and words <= set(_WORD.findall(spoken))
    return item.polarity > 0 and item.value.casefold() in spoken
