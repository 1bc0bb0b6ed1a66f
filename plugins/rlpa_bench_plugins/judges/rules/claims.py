"""What a reply says of the user: "you …", "your …" and "as a …" followed by a value of the ontology."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rlpa_bench.ontology import Ontology
from rlpa_bench.types import TRAIT_SLOT

from .text import Text

_HEDGE = re.compile(
    r"\b(?:maybe|perhaps|might|could|may|if|guess|wonder(?:ing)?|probably|possibly|imagine|seems?|bet|suppose|unless"
    r"|whether|would|sounds? like|looks? like|assum\w+|ever|when you|once you|someday|one day|or something)\b"
)
_NOT = r"(?:do not|don't|did not|didn't|never|cannot|can't|could not|couldn't|no longer)"
_STATE = (
    rf"\byou(?:'re| are| were|'ve been| have been)\b(?: {_NOT})?(?: not)?"
    r"|\byou(?:'ve| have)(?: got)?(?= (?:a|an|one|two|three|four|five|no|kids|children|your|twin)\b)"
    rf"|\byou(?: {_NOT})?(?: \w+ly| still| also| always| all| both| too)?"
    r" (?:love|like|enjoy|adore|hate|dislike|loathe|detest|avoid|prefer|stand|live|work|study|studied|grew up|come|play"
    r"|own|speak|teach|collect|practi[sc]e|do|go|paint|write|cook|bake|read|run)\b"
    r"|\bas an?\b|\bbeing\b"
    r"|\byour (?:love of|love for|passion for|life as an?|job as an?|work as an?|home in|life in|years? in)\b"
    r"|\b(?:a|an|one) \w+ like you\b"
)
_YOURS = re.compile(
    r"\byour (?:\w+ )?(wife|husband|ex-wife|ex-husband|late wife|late husband|fianc[ée]e?"
    r"|girlfriend|boyfriend|kids|children|sons?"
    r"|daughters?|grandchildren|grandkids|twins|baby|dogs?|cats?)\b"
)
_MARKER = re.compile(_STATE)
_AS_A = re.compile(r"(?s).*?(\bas an? [^,?]{3,40}|$).*")
_STOP = re.compile(
    r"[,;:()]|\b(?:but|so|because|while|which|who|although|though|than|since|if|when|why|i|i'm|i've|my|that's|it's"
    r"|with|to be able|should|have to|need to|right|welcome|lucky|sure)\b"
)
_DISLIKE = re.compile(rf"\b(?:hate|dislike|loathe|detest|avoid|not|no|isn't|aren't|weren't|{_NOT})\b")
_OFF = re.compile(
    r"([\w' -]{3,40}?) (?:is not|isn't|are not|aren't|was never|is hardly) (?:your thing|for you|your cup)"
)
_TO_FIRST = re.compile(r"\byou(?:'re| are)\b|\byour\b|\byou\b")
_FIRST = {"you're": "i'm", "you are": "i am", "your": "my", "you": "i"}
_REACH = 60
"""Characters after the marker in which the value must begin."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Something asserted of the user; ``ids`` are the readings of one phrase."""

    ids: tuple[str, ...]
    sign: int
    phrase: str


class Claims:
    """Finds claims with an ontology; the results are kept by text."""

    def __init__(self, ontology: Ontology) -> None:
        self._ontology = ontology
        self.of = lru_cache(512)(self._of)

    def _of(self, reply: Text) -> tuple[Claim, ...]:
        """Claims of all sentences that are neither questions nor hedged.

        Of a question the part before its last comma and "as a …" count; "your wife" counts everywhere.
        """
        found: list[Claim] = []
        for sentence in reply.sentences:
            text = sentence.text
            if "you" not in text and " a" not in text:
                continue
            for match in _YOURS.finditer(text):
                found += self._values(f"my {match[1]}", 1)
            if sentence.question:
                text = text.rpartition(",")[0] or _AS_A.sub(r"\1", text)
            found += self._stated(text)
            found += self._denied(text)
        return tuple(dict.fromkeys(found))

    def _denied(self, text: str) -> Iterator[Claim]:
        if "n't" not in text and "not" not in text and "never" not in text and "hardly" not in text:
            return
        for match in _OFF.finditer(text):
            yield from self._values(match[1], -1)

    def _stated(self, text: str) -> Iterator[Claim]:
        for match in _MARKER.finditer(text):
            rest = text[match.end() : match.end() + _REACH]
            stop = _STOP.search(rest)
            rest = rest[: stop.start()] if stop else rest
            clause = _TO_FIRST.sub(lambda found: _FIRST[found[0]], match[0] + rest)
            before = text[: match.start() if match[0].startswith("as ") else match.end() + len(rest)]
            if _HEDGE.search(before):
                continue
            sign = -1 if _DISLIKE.search(match[0] + rest[:12]) else 1
            yield from self._values(clause, sign)

    def _values(self, clause: str, sign: int) -> Iterator[Claim]:
        spans: dict[tuple[int, int], list[str]] = {}
        for mention in self._ontology.mentions(clause):
            if mention.value.slot != TRAIT_SLOT:
                spans.setdefault((mention.start, mention.end), []).append(mention.value.id)
        for (start, end), ids in spans.items():
            yield Claim(tuple(ids), sign, clause[start:end])
