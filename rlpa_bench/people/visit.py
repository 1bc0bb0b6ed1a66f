"""What a person can see and do at their place; the page and the terminal are made of this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlpa_bench.errors import UsageError
from rlpa_bench.people.study import Place, Study, Talk
from rlpa_bench.types import JSON, SLOTS, TRAIT_SLOT, Item

LONGEST = 2000
"""Characters of a message; a fact or a correction has a tenth of it."""
GRADES = (1, 2, 3, 4, 5)
"""How well a reply suited the person, as the page words it."""
GRADE_WORDS = ("not at all", "hardly", "partly", "well", "very well")
ANSWERS = ("right", "wrong", "unsure")
"""What can be said of an inferred item."""
FACT_SLOTS = tuple(slot for slot in SLOTS if slot != TRAIT_SLOT)


@dataclass(frozen=True, slots=True)
class Visit:
    """One person's place, through the eyes of that person."""

    study: Study
    place: Place

    # Seeing

    def state(self) -> dict[str, JSON]:
        """Everything that the page shows; candidates under their neutral names."""
        talk = self.place.talk
        seen: dict[str, JSON] = {
            "version": self.place.version,
            "person": self.place.person,
            "card": self._card(),
            "own": self.study.own,
            "of": len(self.place.talks),
        }
        if talk is None:
            return {**seen, "phase": "done"}
        seen |= {"partner": talk.label, "number": self.place.talks.index(talk) + 1, "messages": _messages(talk)}
        seen |= {"turns": self.place.case.turns, "turn": len(talk.turns), "rated": _rated(talk)}
        if talk.ended:
            return {**seen, "phase": "profile", "profile": [_plain(item) for item in _inferred(talk)]}
        return {**seen, "phase": "chat" if talk.asked else "wait"}

    def _card(self) -> list[JSON]:
        gold = self.place.case.gold
        return [_plain(item) for item in gold.at(0, 1).items] if gold else []

    # Doing

    def say(self, text: str) -> None:
        """Says something to the partner. Raises UsageError when it is not the person's turn, or for no words."""
        talk = self._asked()
        text = text.strip()
        if not text:
            raise UsageError("Your message is empty; write something, or leave the conversation.")
        _short(text, LONGEST, "Your message")
        _need_rating(talk)
        self._speak(talk, text, leaves=False)

    def leave(self) -> None:
        """Ends this conversation early; the partner answers once more. Raises UsageError when it is not their turn."""
        self._speak(self._asked(), "Goodbye.", leaves=True)

    def rate(self, turn: int, rating: int) -> None:
        """Grades the partner's reply of a turn. Raises UsageError for a turn that is not there, or a grade."""
        talk = self._current()
        if not 1 <= turn <= len(talk.turns):
            raise UsageError(f"There is no answer {turn} to rate; the last one is answer {len(talk.turns)}.")
        if rating not in GRADES:
            raise UsageError(f"{rating} is no rating; choose {GRADES[0]} to {GRADES[-1]}.")
        if talk.ratings.get(turn) != rating:
            self.study.write(self.place, talk, "rating", turn=turn, rating=rating)
            talk.ratings[turn] = rating
            self.place.change()

    def confirm(self, answers: Sequence[Mapping[str, Any]], missing: str = "") -> None:
        """Says of every inferred item whether it is right, and what is missing; ends this partner.

        Args:
            answers: one per item, in order: ``answer`` (right, wrong, unsure) and for a wrong one ``correction``.

        Raises:
            UsageError: before the conversation has ended, or when an item is left out.
        """
        talk = self._current()
        if not talk.ended:
            raise UsageError("The conversation is not over yet; the profile comes at its end.")
        if not talk.ended.startswith("user"):
            _need_rating(talk)
        items = _inferred(talk)
        if len(answers) != len(items):
            raise UsageError(f"{len(items)} lines wait for an answer, {len(answers)} have one; answer each.")
        said = [_answered(item, answer) for item, answer in zip(items, answers, strict=True)]
        _short(missing, LONGEST, "What is missing")
        self.study.write(self.place, talk, "profile", items=said, missing=missing.strip())
        talk.profile = said
        self.place.change()

    def export(self) -> dict[str, JSON]:
        """All that is kept of the person; the code itself is not."""
        lines = [line for line in self.study.journal.lines() if line.get("person") == self.place.person]
        labels = {talk.unit.candidate: talk.label for talk in self.place.talks}
        told = [
            {k: labels.get(v, v) if k == "candidate" else v for k, v in line.items() if k not in ("code", "output")}
            for line in lines
        ]
        talks = [{"partner": talk.label, "ended": talk.ended, "messages": _messages(talk)} for talk in self.place.talks]
        return {"person": self.place.person, "consent": self.study.consent, "card": self._card(),
                "conversations": [talk for talk in talks if talk["messages"]], "record": told}  # fmt: skip

    def delete(self) -> None:
        """Takes everything back; the code is worth nothing any more."""
        self.study.forget(self.place)

    def _speak(self, talk: Talk, text: str, *, leaves: bool) -> None:
        self.study.write(self.place, talk, "said", turn=len(talk.turns) + 1, text=text, leaves=leaves)
        assert talk.asked is not None
        asked, talk.asked = talk.asked, None
        talk.pending = text
        asked.set_result((text, leaves))
        self.place.change()

    def _current(self) -> Talk:
        talk = self.place.talk
        if talk is None:
            raise UsageError("You have talked to everybody already; thank you.")
        return talk

    def _asked(self) -> Talk:
        talk = self._current()
        if talk.ended:
            raise UsageError("This conversation is over; look at what the partner noted of you, then the next begins.")
        if talk.asked is None:
            raise UsageError("The partner has not answered yet; wait for the answer.")
        return talk


def seat(study: Study, *, agreed: bool, publish: bool = False, facts: Sequence[Mapping[str, Any]] = ()) -> str:
    """Lets a person take part; returns the code that opens their place.

    Raises:
        UsageError: without consent, without a fact where people play themselves, or when all places are taken.
    """
    if not agreed:
        raise UsageError("Nothing begins without your agreement; read the text and tick the box.")
    if not study.own:
        return study.join(publish)
    told = []
    for fact in facts:
        slot, value = str(fact.get("slot", "")), str(fact.get("value", "")).strip()
        if slot not in FACT_SLOTS:
            raise UsageError(f"{slot[:40]!r} is none of {', '.join(FACT_SLOTS)}.")
        _short(value, LONGEST // 10, slot)
        if value:
            told.append({"slot": slot, "value": value})
    if not told:
        raise UsageError("Write at least one thing about yourself that you are willing to be known by.")
    return study.join(publish, told)


def _messages(talk: Talk) -> list[JSON]:
    said: list[JSON] = []
    for turn in talk.turns:
        said.append({"who": "you", "text": turn.user.text})
        rating = talk.ratings.get(turn.index)
        said.append({"who": "partner", "text": turn.response, "turn": turn.index, "rating": rating})
    if talk.pending:
        said.append({"who": "you", "text": talk.pending})
    return [message for message in said if message["text"]]


def _inferred(talk: Talk) -> tuple[Item, ...]:
    """What the partner has noted by the end."""
    return talk.turns[-1].inferred if talk.turns else ()


def _plain(item: Item) -> dict[str, JSON]:
    return {"slot": item.slot, "value": item.value, "polarity": item.polarity}


def _rated(talk: Talk) -> bool:
    return not talk.turns or len(talk.turns) in talk.ratings


def _need_rating(talk: Talk) -> None:
    if not _rated(talk):
        raise UsageError("Rate the last answer first.")


def _answered(item: Item, answer: Mapping[str, Any]) -> dict[str, Any]:
    given, correction = answer.get("answer"), str(answer.get("correction", "")).strip()
    if given not in ANSWERS:
        raise UsageError(f"Say of “{item.value[:60]}” whether it is {', '.join(ANSWERS[:-1])} or you are unsure.")
    _short(correction, LONGEST // 10, "A correction")
    return {"slot": item.slot, "value": item.value, "answer": given, "correction": correction}


def _short(text: str, longest: int, what: str) -> None:
    if len(text) > longest:
        raise UsageError(f"{what} has {len(text)} characters; {longest} are possible.")
