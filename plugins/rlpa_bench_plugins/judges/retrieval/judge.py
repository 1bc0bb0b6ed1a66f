"""The judge: which of the user's facts does a reply retrieve, and what does it add to them?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rlpa_bench.interfaces import Context, Judge, Part
from rlpa_bench.options import Options
from rlpa_bench.types import JSON, Item, TurnSubject, Verdict

from .grams import FOUND, Collection, content, digest, grams

VERSION = "retrieval/1"
SENTENCE_FOUND = 0.5
"""Share of the weight of one of a fact's own sentences that the reply must hold."""
NEW = 0.4
"""Share of a reply's content that must be its own for full novelty."""
COPIED = 0.8
"""Share of a reply's content in one earlier reply from which on it is that reply again."""
WORDS = 60
"""Words of a reply beyond which it is too long, in proportion."""

ASKED = 2
"""Questions at most in a reply to a user who has told nothing."""
FREE = 2
"""Values of nobody's that a reply may name where it does not speak of the user, such as in a story of its own."""

_YOU = re.compile(r"\b(?:you|your|yours|you'(?:re|ve|d|ll))\b", re.I)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_WORD = re.compile(r"\S+")
_MARKED = re.compile(r"[<>{}\[\]|*#\\=]|https?:|www\.|^\s*\w+:\s", re.MULTILINE)
_AGAINST = re.compile(r"\b(?:not|no|never|hate|dislike|avoid|without|rather than|instead of|can't stand)\b|n't\b", re.I)


class RetrievalOptions(Options):
    """There is nothing to set: with options it would be several judges."""


class RetrievalJudge(Judge):
    """Evidence of personalisation by retrieval over character n-grams, offline and graded; not human-calibrated."""

    name = "retrieval"
    Options = RetrievalOptions
    target = "turn"
    deterministic = True
    other_gold = True
    reward = ("score",)
    alignment = "score"
    parts: ClassVar[Mapping[str, Part]] = {
        "grounding": Part(help="share of the facts named that this user told; asking, while nothing was told"),
        "novelty": Part(help="content that neither the user nor an earlier reply had"),
        "uptake": Part(help="takes up what was said just now", binary=True),
        "form": Part(help="plain text: 1 up to 60 words, then in proportion; 0 with markup, labels or addresses"),
        "score": Part(help="grounding x novelty x form, halved without uptake"),
    }

    def __init__(self, options: Any, context: Context, argument: str = "") -> None:
        super().__init__(options, context, argument)
        self._collection = Collection(context.ontology)

    def describe(self) -> Mapping[str, JSON]:
        return {"version": VERSION, "words": digest(), "ontology": self.context.ontology.digest}

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        """Verdicts of all five parts; unscored for other languages than English."""
        if subject.language != "en":
            reason = f"reads English only, not {subject.language!r}"
            return dict.fromkeys(self.parts, Verdict(None, "unscored", reason))
        if subject.malformed:
            return dict.fromkeys(self.parts, Verdict(0.0, reason=f"malformed: {subject.malformed}"))
        told = self._told(subject)
        grounding, why = self._grounding(subject, told)
        novelty, copied = self._novelty(subject, told)
        uptake = self._takes_up(subject, told)
        form, shape = _form(subject.reply)
        score = grounding * novelty * form * (1.0 if uptake else 0.5)
        return {
            "grounding": Verdict(grounding, reason=why),
            "novelty": Verdict(novelty, reason=copied),
            "uptake": Verdict(float(uptake)),
            "form": Verdict(form, reason=shape),
            "score": Verdict(score, reason=why),
        }

    def _told(self, subject: TurnSubject) -> tuple[Item, ...]:
        """Facts the user has told, gender left out: nobody need speak of it.

        Where the user cannot say what they told, the facts that their words retrieve.
        """
        if subject.disclosed is not None:
            return tuple(item for item in subject.disclosed if not item.is_trait and item.slot != "Gender")
        heard = [*(past.user for past in subject.history), subject.user]
        facts = (item for item in subject.gold.facts if item.slot != "Gender")
        return tuple(item for item in facts if any(self._evidence(item, text) for text in heard))

    def _evidence(self, item: Item, text: str) -> bool:
        """Whether a text names a fact: by its value, by what the ontology calls it, or by one of its own sentences."""
        if self._related(item, self._collection.retrieved(grams(text))):
            return True
        needed = FOUND if len(content(item.value)) < 3 else SENTENCE_FOUND
        if self._collection.covered(item.value, text) >= needed:
            return True
        return any(self._collection.covered(sentence, text) >= SENTENCE_FOUND for sentence in item.say)

    def _related(self, item: Item, retrieved: Mapping[str, Any]) -> list[str]:
        """The retrieved values that are the fact's own, or broader or narrower."""
        ontology = self.context.ontology
        own = [atom.id for atom in ontology.resolve(item) if atom.id]
        return [key for key in retrieved if any(ontology.relation(key, atom) for atom in own)]

    def _grounding(self, subject: TurnSubject, told: Sequence[Item]) -> tuple[float, str]:
        """Precision of the facts that the reply names, those of its user among all; half of it for the user's words."""
        own: dict[str, None] = {}
        foreign: dict[str, None] = {}
        loose: dict[str, None] = {}
        asks = 0
        known = _known(subject, told)
        for sentence in _SENTENCE.findall(subject.reply):
            question = sentence.rstrip().endswith("?")
            asks += question
            of_user = bool(_YOU.search(sentence))
            for item in told:
                if self._evidence(item, sentence):
                    turned = of_user and not question and (item.polarity < 0) != bool(_AGAINST.search(sentence))
                    (foreign if turned else own)[item.key] = None
            if not question:
                (foreign if of_user else loose).update(self._besides(sentence, known, told))
        foreign |= dict.fromkeys(key for key in self._stale(subject) if key not in own)
        foreign |= dict.fromkeys(list(loose)[FREE:])
        beside = f"; beside {', '.join(list(foreign)[:4])}" if foreign else ""
        if not told:
            fits = 0 < asks <= ASKED and not foreign
            return float(fits), "asks the user" if fits else f"nothing was told, and it does not just ask{beside}"
        if any(item.key in foreign for item in told):
            return 0.0, f"turns round what the user told{beside}"
        if own:
            return len(own) / (len(own) + len(foreign)), f"names {', '.join(own)}{beside}"
        if any(_holds(known, word) for word in content(subject.reply)):
            return 0.5 / (1 + len(foreign)), f"takes up the user's words only{beside}"
        return 0.0, "names nothing that the user told"

    def _besides(self, sentence: str, known: frozenset[str], told: Sequence[Item]) -> dict[str, None]:
        """Values that a sentence names in words that are not the user's, one a word; ages and gender left out."""
        found = self._collection.retrieved(grams(sentence) - known)
        related = {key for item in told for key in self._related(item, found)}
        named: dict[str, None] = {}
        read: set[str] = set()
        for key, phrase in sorted(found.items(), key=lambda pair: -len(pair[1])):
            if self.context.ontology.values[key].slot in ("Age", "Gender") or key in related:
                continue
            if 2 * len(phrase - read) > len(phrase):
                named[key] = None
                read |= phrase
        return named

    def _stale(self, subject: TurnSubject) -> list[str]:
        return [item.key for item in subject.superseded if not item.is_trait and self._evidence(item, subject.reply)]

    def _novelty(self, subject: TurnSubject, told: Sequence[Item]) -> tuple[float, str]:
        """How much of the reply's content is its own, by weight; 0 for one of its earlier replies."""
        mine = grams(subject.reply)
        if not mine:
            return 0.0, "no content"
        whole = self._collection.weight(mine)
        for past in subject.history:
            if self._collection.weight(mine & grams(past.response)) >= COPIED * whole:
                return 0.0, "an earlier reply again"
        share = self._collection.weight(mine - _known(subject, told)) / whole
        return min(1.0, share / NEW), f"{share:.0%} of its own"

    def _takes_up(self, subject: TurnSubject, told: Sequence[Item]) -> bool:
        """A fact told just now, or a content word of the user's; a user who said nothing asks for nothing."""
        now = {item.key for item in subject.disclosed_now}
        if any(item.key in now and self._evidence(item, subject.reply) for item in told):
            return True
        said = content(subject.user)
        mine = grams(subject.reply)
        return not told or not said or any(_holds(mine, word) for word in said)


def _form(reply: str) -> tuple[float, str]:
    if found := _MARKED.search(reply):
        return 0.0, f"no plain text: {found[0].strip()!r}"
    words = len(_WORD.findall(reply))
    return (min(1.0, WORDS / words) if words else 0.0), f"{words} words"


def _known(subject: TurnSubject, told: Sequence[Item]) -> frozenset[str]:
    """The n-grams of all that the user said in this session, and of the values told."""
    heard = [subject.user, *(past.user for past in subject.history), *(item.value for item in told)]
    return frozenset().union(*map(grams, heard))


def _holds(found: frozenset[str], word: str) -> bool:
    """Whether the n-grams hold most of a word."""
    own = grams(word)
    return len(own & found) > len(own) / 2
