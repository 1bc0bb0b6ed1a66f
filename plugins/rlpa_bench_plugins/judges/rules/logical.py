"""L: is it free of contradictions with the gold, with itself, and of facts that nobody told?"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rlpa_bench.types import Item

from .claims import Claim, Claims
from .scene import Finding, Scene
from .text import read

_SUGGESTS = re.compile(r"\b(?:try|let's|let us|how about|why not|should|recommend|suggest|join|come|fancy|up for)\b")
_PAST = re.compile(
    r"\b(?:used to|no longer|any ?more|before|back (?:when|then)|former|old|instead of|behind you|gave up|were|was"
    r"|miss)\b"
)
_REFUSED = re.compile(r"\b(?:not?|without|skip|instead)\b|n't\b")
_NUMBER = re.compile(r"^(one|two|three|four|five|six|seven) (\w+?)s?$")


def logical(scene: Scene, claims: Claims) -> Finding:
    """No contradiction, no polarity flip, no superseded value, no personal fact that was never disclosed."""
    found = claims.of(scene.reply)
    reason = _itself(scene, found) or _stale(scene) or _disliked(scene)
    for claim in found:
        reason = reason or _against(scene, claim)
    return (False, reason) if reason else (True, "no contradiction, nothing claimed unheard")


def _against(scene: Scene, claim: Claim) -> str:
    """Why the gold or the ledger speaks against a claim; empty if every word of it was told."""
    relation = scene.topics.ontology.relation
    told = False
    for key, item in _pairs(scene, claim, scene.disclosed):
        how = relation(key, item.id)
        if how in ("same", "parent") or (how == "child" and _family(key)):
            if item.polarity * claim.sign < 0:
                return f"turns round: {claim.phrase}"
            told = True
    if told or _said(scene, claim):
        return _conflict(scene, claim) if claim.sign > 0 and not told else ""
    if claim.sign < 0:
        pairs = _pairs(scene, claim, scene.subject.gold.facts)
        denied = any(relation(key, item.id) in ("same", "parent") and item.polarity > 0 for key, item in pairs)
        return f"contradicts: {claim.phrase}" if denied else ""
    return _conflict(scene, claim) or f"states as certain what was never told: {claim.phrase}"


def _pairs(scene: Scene, claim: Claim, items: Iterable[Item]) -> list[tuple[str, Item]]:
    resolve = scene.topics.ontology.resolve
    atoms = [atom for item in items for atom in resolve(item) if atom.id]
    return [(key, atom) for key in claim.ids for atom in atoms]


def _family(key: str) -> bool:
    """ "Your daughter" is no guess once children were told of: the number is checked by ``_conflict``."""
    return key.startswith("family/")


def _said(scene: Scene, claim: Claim) -> bool:
    """The user's own words name the value, or the reply only repeats a word of theirs."""
    ids = {mention.value.id for text in scene.heard for mention in scene.topics.ontology.mentions(text.plain)}
    if ids & set(claim.ids):
        return True
    return all(any(root in text.stems for text in scene.heard) for root in read(claim.phrase).stems)


def _conflict(scene: Scene, claim: Claim) -> str:
    """A different value in a slot that holds one, or a different number of the same."""
    ontology = scene.topics.ontology
    if any(ontology.relation(key, atom.id) for key, atom in _pairs(scene, claim, scene.subject.gold.facts)):
        return ""
    for key in claim.ids:
        value = ontology.values[key]
        rivals = [item for item in scene.subject.gold.facts if item.slot == value.slot and item.polarity > 0]
        if rivals and ontology.exclusive(value.slot):
            return f"contradicts: {rivals[0].value}"
        number = _NUMBER.match(value.label)
        for rival in rivals:
            other = _NUMBER.match(rival.value)
            if number and other and number[2] == other[2] and number[1] != other[1]:
                return f"contradicts: {rival.value}"
    return ""


def _itself(scene: Scene, claims: tuple[Claim, ...]) -> str:
    ontology = scene.topics.ontology
    for i, first in enumerate(claims):
        for second in claims[i + 1 :]:
            if set(first.ids) & set(second.ids) and first.sign != second.sign:
                return f"contradicts itself: {first.phrase}"
            one, two = ontology.values[first.ids[0]], ontology.values[second.ids[0]]
            alike = one.slot == two.slot and ontology.exclusive(one.slot) and first.sign == second.sign == 1
            if alike and not any(ontology.relation(a, b) for a in first.ids for b in second.ids):
                return f"contradicts itself: {first.phrase}, {second.phrase}"
    return ""


def _stale(scene: Scene) -> str:
    """A value that no longer holds, spoken of as if it did."""
    old = {atom.id for item in scene.subject.superseded for atom in scene.topics.ontology.resolve(item) if atom.id}
    if not old:
        return ""
    ontology = scene.topics.ontology
    fresh = {mention.value.id for mention in ontology.mentions(scene.user.plain)}
    for sentence in scene.reply.sentences:
        for mention in ontology.mentions(sentence.text):
            if mention.value.id in old - fresh and not _PAST.search(sentence.text):
                return f"no longer holds: {mention.text}"
    return ""


def _disliked(scene: Scene) -> str:
    """Offers what the user has said they dislike."""
    dislikes = {item.id for item in scene.disclosed if item.polarity < 0 and item.id}
    if not dislikes:
        return ""
    for sentence in scene.reply.sentences:
        if _SUGGESTS.search(sentence.text):
            for mention in scene.topics.ontology.mentions(sentence.text):
                if mention.value.id in dislikes and not _REFUSED.search(sentence.text):
                    return f"offers what they dislike: {mention.text}"
    return ""
