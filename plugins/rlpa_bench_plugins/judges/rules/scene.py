"""What a criterion looks at: the reply and all that was said before, read and matched against the gold once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from rlpa_bench.types import Item, TurnSubject

from .text import Text, read
from .topics import Topics
from .words import words

Finding = tuple[bool, str]
"""Whether a criterion is met, and why in a few words."""

_GREETING = words("greeting")


@dataclass(frozen=True)
class Scene:
    """One judged turn. ``Finding`` functions take it and nothing else."""

    subject: TurnSubject
    topics: Topics

    @cached_property
    def reply(self) -> Text:
        return read(self.subject.reply)

    @cached_property
    def user(self) -> Text:
        return read(self.subject.user)

    @cached_property
    def own(self) -> tuple[Text, ...]:
        """The candidate's earlier replies of this session."""
        return tuple(read(turn.response) for turn in self.subject.history)

    @cached_property
    def heard(self) -> tuple[Text, ...]:
        """All the user said in this session, latest last."""
        return (*(read(turn.user) for turn in self.subject.history), self.user)

    @cached_property
    def disclosed(self) -> tuple[Item, ...]:
        """Facts stated so far. Where the simulated user cannot tell, those that the user's words draw on."""
        known = self.subject.disclosed
        if known is not None:
            return tuple(item for item in known if not item.is_trait)
        facts = self.subject.gold.facts
        return tuple(item for item in facts if any(self.topics.draws(text, (item,)) for text in self.heard))

    @cached_property
    def usable(self) -> tuple[Item, ...]:
        """Disclosed facts a reply can be expected to take up: all but gender."""
        return tuple(item for item in self.disclosed if item.slot != "Gender")

    @cached_property
    def now(self) -> tuple[Item, ...]:
        """Usable facts stated just now."""
        return tuple(item for item in self.subject.disclosed_now if item.slot != "Gender" and not item.is_trait)

    @cached_property
    def drawn(self) -> Item | None:
        """A disclosed fact that the reply draws on, the latest one first."""
        return self.topics.draws(self.reply, reversed(self.usable), self.now)

    @cached_property
    def opening(self) -> bool:
        """Nothing is known yet and the user only greets."""
        return not self.usable and (not self.user.content or bool(self.user.vocabulary & _GREETING))

    @cached_property
    def related(self) -> frozenset[str]:
        """The words of the reply that belong to disclosed facts."""
        grams = self.reply.grams
        return frozenset().union(*(self.topics.topic(item).every & grams for item in self.disclosed))
