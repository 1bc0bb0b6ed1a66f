"""How the user reads a reply: by the exemplars that it is most like, word for word and pair for pair.

No pattern stands for a slot here: each sentence is compared with the lines of ``exemplars.txt`` by the truncated words
and word pairs that they share. Values are found by the closed ontology. English.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise

from rlpa_bench.ontology import Mention, Ontology, Value
from rlpa_bench.types import SLOTS, TRAIT_SLOT

STEM = 6
"""Letters of a word that count: enough to tell words apart, few enough to forgive their endings."""
ALIKE = {"question": 0.30, "praise": 0.35}
"""Likeness to an exemplar that a reading needs."""
LONGEST = 2000
"""Characters of a reply that are read, from its beginning and its end alike."""
NEAR = 6
"""Words before a value among which the word for the user must stand, for the value to be said of them."""

STATEMENTS = ("praise", "plain")

_HEAD = re.compile(r"^\[(.+)\]$", re.MULTILINE)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_CLAUSE = re.compile(r"[,;:–—]| - |\band\b|\bor\b(?= (?:do|are|what|where|how|who)\b)")
_WORD = re.compile(r"[a-z][a-z']*|\d+")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_YOU = _set("you your you're you've yours yourself u ur")
_MINE = _set("my mine i'm i've")
_ASKS = _set("tell share introduce describe")
_UNSURE = _set("if might may could would should maybe perhaps suppose imagine unless whether wonder some people")
_DENIES = _set("not don't never aren't no isn't hate dislike can't doesn't without")
_PHATIC = _set(
    "see understand hear heard remember know think guess hope agree mean wonder will can could would suppose believe "
    "imagine appreciate say said admire bet"
)
"""Verbs by which a partner says nothing of itself: I see, I hope …"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A value said of the user, with the readings of its words; ``denied`` if said not to hold."""

    values: tuple[Value, ...]
    denied: bool = False

    @property
    def slot(self) -> str:
        return self.values[0].slot


@dataclass(slots=True)
class Reply:
    """One reply as the user takes it."""

    stems: frozenset[str] = frozenset()
    words: int = 0
    sentences: int = 0
    questions: int = 0
    asked: list[str] = field(default_factory=list)
    """Slots asked about, in order of place."""
    open: bool = False
    """Whether it asks for anything at all of the user."""
    guesses: list[Claim] = field(default_factory=list)
    """Values named in questions."""
    claims: list[Claim] = field(default_factory=list)
    personal: bool = False
    """Whether the partner tells something of itself."""
    praise: int = 0
    """Sentences of praise."""


class Memory:
    """Memory-based classifier: texts are what the exemplars most like them are (Daelemans and van den Bosch 2005).

    Likeness is the cosine of binary feature vectors weighted by inverse document frequency.
    """

    def __init__(self, examples: Mapping[str, Sequence[str]]) -> None:
        lines = [(name, frozenset(features(text))) for name, texts in examples.items() for text in texts]
        counts = Counter(feature for _, found in lines for feature in found)
        self._weights = {feature: math.log(1 + len(lines) / n) for feature, n in counts.items()}
        self._unknown = math.log(1 + len(lines))
        self._labels = [name for name, _ in lines]
        self._norms = [self._norm(found) for _, found in lines]
        self._index: dict[str, list[int]] = {}
        for i, (_, found) in enumerate(lines):
            for feature in found:
                self._index.setdefault(feature, []).append(i)

    def best(self, text: str) -> tuple[str, float]:
        """The class of the most similar exemplars, and the likeness of the nearest one, 0 to 1; none and 0 if none is.

        Each class counts by its nearest exemplar and, with half and a quarter of the weight, the next two.
        """
        found = sorted(set(features(text)))
        shared: dict[int, float] = {}
        for feature in found:
            for i in self._index.get(feature, ()):
                shared[i] = shared.get(i, 0.0) + self._weights[feature] ** 2
        norm = self._norm(found)
        by_class: dict[str, list[float]] = {}
        for i, dot in shared.items():
            by_class.setdefault(self._labels[i], []).append(dot / (norm * self._norms[i]))
        ranked = {name: sorted(likes, reverse=True) for name, likes in by_class.items()}
        if not ranked:
            return "", 0.0
        top = max(ranked, key=lambda name: (_weighed(ranked[name]), name))
        return top, ranked[top][0]

    def _norm(self, found: Iterable[str]) -> float:
        return math.sqrt(math.fsum(self._weights.get(feature, self._unknown) ** 2 for feature in found)) or 1.0


def _weighed(likes: Sequence[float]) -> float:
    return math.fsum(like / 2**i for i, like in enumerate(likes[:3]))


def words(text: str) -> list[str]:
    """Lower-case words and numbers."""
    return _WORD.findall(text.translate({0x2018: "'", 0x2019: "'"}).lower())


def features(text: str) -> list[str]:
    """Truncated words and pairs of neighbours."""
    found = [word[:STEM] for word in words(text)]
    return [*found, *(f"{one} {other}" for one, other in pairwise(found))]


@lru_cache(1)
def exemplars() -> tuple[dict[str, list[str]], str]:
    """Section -> its lines, and the sha256 of the file."""
    content = files(__package__).joinpath("exemplars.txt").read_text(encoding="utf-8")
    parts = _HEAD.split("\n".join(line for line in content.splitlines() if not line.startswith("#")))
    sections = {
        name: [line for line in body.splitlines() if line] for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }
    return sections, sha256(content.encode()).hexdigest()


class Understanding:
    """Reads replies; a pure function of the text."""

    def __init__(self, ontology: Ontology) -> None:
        self._ontology = ontology
        sections, self.digest = exemplars()
        self._questions = Memory({name: lines for name, lines in sections.items() if name not in STATEMENTS})
        self._statements = Memory({name: sections[name] for name in STATEMENTS})

    def read(self, text: str) -> Reply | None:
        """The reply, or None if it cannot be read as words."""
        if len(text) > LONGEST:
            text = f"{text[: LONGEST // 2]}\n{text[-LONGEST // 2 :]}"
        found = words(text)
        if not found or 2 * sum(map(len, found)) < len("".join(text.split())):
            return None
        reply = Reply(frozenset(word[:STEM] for word in found), len(found))
        mentions = self._ontology.mentions(text)
        for match in _SENTENCE.finditer(text):
            if words(match[0]):
                inside = [m for m in mentions if match.start() <= m.start < match.end()]
                self._sentence(reply, match[0], match.start(), inside)
        return reply

    def _sentence(self, reply: Reply, sentence: str, start: int, inside: Sequence[Mention]) -> None:
        reply.sentences += 1
        own = words(sentence)
        asks = "?" in sentence[-3:] or own[0] in _ASKS
        if asks:
            self._question(reply, sentence, inside)
        else:
            name, sure = self._statements.best(sentence)
            reply.praise += name == "praise" and sure >= ALIKE["praise"]
        reply.personal |= not asks and _personal(own)
        if not asks or own[-1] in ("right", "correct") or own[0] == "so":
            reply.claims += _claims(sentence, start, inside)

    def _question(self, reply: Reply, sentence: str, inside: Sequence[Mention]) -> None:
        reply.questions += 1
        slots: dict[str, None] = {}
        for clause in _CLAUSE.split(sentence):
            name, sure = self._questions.best(clause)
            if sure >= ALIKE["question"] and len(words(clause)) > 1:
                if name == "open":
                    reply.open = True
                elif name in SLOTS:
                    slots[name] = None
        facts = [m for m in inside if m.value.slot != TRAIT_SLOT]
        if _YOU & set(words(sentence)):
            values = [Claim(values) for values in _by_place(facts)]
            if not slots:
                slots |= dict.fromkeys(claim.slot for claim in values)
            reply.guesses += [claim for claim in values if claim.slot in slots]
        reply.asked += [slot for slot in slots if slot not in reply.asked]


def _personal(own: Sequence[str]) -> bool:
    """Whether a sentence tells something of its speaker: in the first person, and more than "I see"."""
    if _MINE & set(own) and not _YOU & set(own):
        return len(own) > 3
    for i, word in enumerate(own[:-1]):
        if word in ("i", "we"):
            return len(own) > 3 and not _YOU & set(own) and own[i + 1] not in _PHATIC
    return False


def _claims(sentence: str, start: int, inside: Sequence[Mention]) -> Iterable[Claim]:
    """Values that follow a word for the user within a few words, where nothing makes the sentence unsure."""
    for values, place in zip(_by_place(inside), _places(inside), strict=True):
        before = words(sentence[: place - start])
        last = max((i for i, word in enumerate(before) if word in _YOU), default=None)
        if last is None and before[-2:-1] != ["as"]:
            continue
        if _UNSURE & set(before) or (last is not None and len(before) - last > NEAR):
            continue
        if values[0].slot != TRAIT_SLOT:
            yield Claim(values, bool(_DENIES & set(before[last or 0 :])))


def _places(mentions: Sequence[Mention]) -> list[int]:
    return list(dict.fromkeys(m.start for m in mentions))


def _by_place(mentions: Sequence[Mention]) -> list[tuple[Value, ...]]:
    found: dict[int, tuple[Value, ...]] = {}
    for mention in mentions:
        found[mention.start] = (*found.get(mention.start, ()), mention.value)
    return list(found.values())
