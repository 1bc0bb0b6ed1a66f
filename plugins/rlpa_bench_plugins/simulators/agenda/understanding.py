"""What a reply asks of the user, assumes about the user, and how it treats the user. English, rules only."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rlpa_bench.ontology import Mention, Ontology, Value
from rlpa_bench.types import TRAIT_SLOT
from rlpa_bench_plugins.simulators.agenda.patterns import Patterns

LONGEST = 2000
"""Characters of a reply that the user reads: of longer ones the beginning and, since questions end them, the end."""

_PLAIN = {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x130: "i", 0xA0: " "}
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.](?=\w)[^.!?\n]*)*[.!?]*")
_WORD = re.compile(r"[a-z][a-z']+")
_BREAK = re.compile(r"[,;:()]| but ")
_ALIKE = re.compile(r"(?:as|being|fellow) an? ")


@dataclass(frozen=True, slots=True)
class Guess:
    """Something that the reply says or asks of the user: one of the values that its words may mean."""

    values: tuple[Value, ...]
    denied: bool = False

    @property
    def slot(self) -> str:
        return self.values[0].slot


@dataclass(slots=True)
class Reading:
    """One reply, understood."""

    words: list[str] = field(default_factory=list)
    sentences: int = 0
    questions: int = 0
    """Sentences that ask something about the user."""
    asked: list[str] = field(default_factory=list)
    """Slots asked about, in order of place."""
    details: set[str] = field(default_factory=set)
    """Those of them that are asked about in depth: how long, why, what the best of it is."""
    open: bool = False
    """Whether it asks for anything the user likes to tell."""
    follows: bool = False
    """Whether it asks for more of the same, or in more detail."""
    guesses: list[Guess] = field(default_factory=list)
    """Values named in questions."""
    claims: list[Guess] = field(default_factory=list)
    """Values that the reply holds to be true (or, ``denied``, untrue) of the user."""
    praise: int = 0
    """Sentences that praise the user or what the user said."""
    mentions: tuple[Mention, ...] = ()
    warm: bool = False
    greeting: bool = False

    @property
    def flattery(self) -> bool:
        return self.praise > 0 and 3 * self.praise >= self.sentences

    @property
    def only_questions(self) -> bool:
        return 0 < self.questions == self.sentences


class Understanding:
    """Reads replies; a pure function of the text."""

    def __init__(self, ontology: Ontology, patterns: Patterns) -> None:
        self._ontology = ontology
        self._slots = patterns.slots
        self._roles = patterns.roles
        self._claim = patterns.other["claim"]
        self._is = {name: pattern.search for name, pattern in patterns.other.items()}

    def read(self, text: str) -> Reading | None:
        """The reply, or None if it cannot be read as words."""
        if len(text) > LONGEST:
            text = f"{text[: LONGEST // 2]}\n{text[-LONGEST // 2 :]}"
        low = text.translate(_PLAIN).lower()
        words = _WORD.findall(low)
        if not words or 2 * sum(map(len, words)) < len("".join(low.split())):
            return None
        reading = Reading(words, mentions=self._ontology.mentions(text))
        reading.warm = self._is["warm"](low) is not None
        reading.greeting = self._is["greeting"](low) is not None
        for found in _SENTENCE.finditer(low):
            if _WORD.search(found[0]):
                self._sentence(reading, found[0], found.start())
        return reading

    def _sentence(self, reading: Reading, sentence: str, start: int) -> None:
        inside = [m for m in reading.mentions if start <= m.start < start + len(sentence)]
        reading.sentences += 1
        praised = self._is["praise"](sentence) is not None
        reading.praise += praised
        marked = "?" in sentence[-3:]
        asking = marked or self._is["request"](sentence) or self._is["unmarked"](sentence)
        if asking:
            self._question(reading, sentence.strip(), inside, marked)
        if not asking or self._is["presumes"](sentence) or self._is["tag"](sentence.strip()):
            for guess in self._claims(sentence, start, inside):
                if not (praised and guess.slot == TRAIT_SLOT):
                    reading.claims.append(guess)

    def _question(self, reading: Reading, sentence: str, inside: list[Mention], marked: bool) -> None:
        request = self._is["request"](sentence)
        short = marked and sentence.count(" ") < 9 and self._is["first"](sentence) is None
        if not request and self._is["offer"](sentence):
            return
        to_user = self._is["addressed"](sentence) or self._is["open"](sentence)
        if not (short or to_user or (request and not marked)):
            return
        slots = self._asked(sentence)
        facts = [m for m in inside if m.value.slot != TRAIT_SLOT]
        if not slots and to_user and self._is["open"](sentence) is None:
            slots = list(dict.fromkeys(m.value.slot for m in facts))
        if slots:
            reading.guesses += [Guess(values) for values in _by_place(facts).values()]
        elif self._is["open"](sentence):
            reading.open = True
        elif self._is["follow"](sentence):
            reading.follows = True
        else:
            return
        if self._is["follow"](sentence):
            reading.follows = True
        if self._is["detail"](sentence):
            reading.details.update(slots)
        reading.questions += 1
        reading.asked += [slot for slot in slots if slot not in reading.asked]

    def _asked(self, sentence: str) -> list[str]:
        hits = sorted(
            (found.start(), slot, found[0])
            for slot, pattern in self._slots.items()
            if (found := pattern.search(sentence)) is not None
        )
        hits = [hit for hit in hits if self._is["generic"](hit[2]) is None] or hits
        return [slot for _, slot, _ in hits]

    def _claims(self, sentence: str, start: int, inside: list[Mention]) -> list[Guess]:
        claims = []
        for (first, last), values in _by_place(inside).items():
            context = self._context(sentence[: first - start], sentence[: last - start])
            if context is not None:
                claims.append(Guess(values, denied=self._is["negated"](context) is not None))
        named = {value.id for claim in claims for value in claim.values}
        for key, pattern in self._roles.items():
            found = pattern.search(sentence) if key not in named else None
            if found is not None and self._is["hypothetical"](sentence[: found.start()]) is None:
                claims.append(Guess((self._ontology.values[key],)))
        return claims

    def _context(self, before: str, until: str) -> str | None:
        """The words that lead up to a value and ascribe it to the user, or None if nothing does."""
        if self._is["hypothetical"](before):
            return None
        if self._is["your"](before):
            return ""
        found = list(self._claim.finditer(until))
        if not found:
            return None
        last = found[-1]
        gap = before[last.end() :]
        alike = _ALIKE.match(last[0])
        if len(gap) > (20 if alike else 45) or _BREAK.search(gap):
            return None
        if alike and self._is["self"](before[: last.start()]):
            return None
        return until[last.start() :]


def _by_place(mentions: list[Mention]) -> dict[tuple[int, int], tuple[Value, ...]]:
    places: dict[tuple[int, int], tuple[Value, ...]] = {}
    for mention in mentions:
        place = (mention.start, mention.end)
        places[place] = (*places.get(place, ()), mention.value)
    return places
