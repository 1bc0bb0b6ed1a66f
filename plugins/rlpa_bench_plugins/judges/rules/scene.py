"""What a criterion looks at: the reply and all that was said before, read and matched against the gold once."""

from __future__ import annotations

from dataclasses import dataclass

from rlpa_bench.types import Item, TurnSubject

from .text import Text, read
from .topics import Topics
from .words import words

Finding = tuple[bool, str]
"""Whether a criterion is met, and why in a few words."""

_GREETING = words("greeting")


@dataclass(frozen=True, slots=True)
class Scene:
    """One judged turn. ``Finding`` functions take it and nothing else."""

    subject: TurnSubject
    topics: Topics
    reply: Text
    user: Text
    own: tuple[Text, ...]
    """The candidate's earlier replies of this session."""
    heard: tuple[Text, ...]
    """All the user said in this session, latest last."""
    disclosed: tuple[Item, ...]
    """Facts stated so far. Where the simulated user cannot tell, those that the user's words draw on."""
    usable: tuple[Item, ...]
    """Disclosed facts a reply can be expected to take up: all but gender."""
    now: tuple[Item, ...]
    """Usable facts stated just now."""
    drawn: Item | None
    """A disclosed fact that the reply draws on, the latest one first."""
    opening: bool
    """Nothing is known yet and the user only greets."""
    related: frozenset[str]
    """The words of the reply that belong to disclosed facts."""

    @classmethod
    def of(cls, subject: TurnSubject, topics: Topics) -> Scene:
        reply, user = read(subject.reply), read(subject.user)
        heard = (*(read(turn.user) for turn in subject.history), user)
        disclosed = _disclosed(subject, topics, heard)
        usable = tuple(item for item in disclosed if item.slot != "Gender")
        now = tuple(item for item in subject.disclosed_now if item.slot != "Gender" and not item.is_trait)
        return cls(
            subject=subject,
            topics=topics,
            reply=reply,
            user=user,
            own=tuple(read(turn.response) for turn in subject.history),
            heard=heard,
            disclosed=disclosed,
            usable=usable,
            now=now,
            drawn=topics.draws(reply, reversed(usable), now),
            opening=not usable and (not user.content or not user.vocabulary.isdisjoint(_GREETING)),
            related=topics.related(reply, disclosed),
        )


def _disclosed(subject: TurnSubject, topics: Topics, heard: tuple[Text, ...]) -> tuple[Item, ...]:
    if subject.disclosed is not None:
        return tuple(item for item in subject.disclosed if not item.is_trait)
    facts = subject.gold.facts
    return tuple(item for item in facts if any(topics.draws(text, (item,)) for text in heard))
