"""How close the user feels, what they feel like telling, and what they think they are owed.

Social penetration theory (Altman and Taylor 1973, *Social Penetration*): people disclose from the outer layers of
themselves to the inner ones as a relationship goes through stages, and disclosure is given for disclosure (the norm of
reciprocity: Jourard 1971; Worthy, Gary and Kahn 1969). So closeness follows what the partner invests, lately more than
long ago, and there is a balance of what was given and got.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rlpa_bench.types import JSON

LAYERS = {
    "Location": 0,
    "Occupation": 0,
    "Educational Background": 0,
    "Interests": 0,
    "Others": 1,
    "Age": 1,
    "Family Background": 2,
    "Marital Status": 2,
    "Gender": 2,
}
"""Slot -> how far inside it lies: told unasked from this stage on. Unknown slots are layer 1."""
STAGES = (0.19, 0.30, 0.48)
"""Closeness at which stage 1, 2 and 3 begin: exploratory, affective and stable exchange after orientation."""
START, RATE = 0.20, 0.25
"""Closeness at first, and how fast it follows the partner's investment."""
TIME, KNOWN = 0.012, 0.30
"""What mere acquaintance adds per turn to the depth of what is told, and at most; it warms nobody."""
PERSONAL, TAKEN_UP, ASKING = 0.50, 0.35, 0.22
"""What telling of oneself, taking up what the user told, and asking are worth."""
HURT = 0.55
"""What is left of closeness after a fault."""
URGE, BY_CLOSENESS, BY_DISCLOSURE = 0.56, 0.45, 0.50
"""What a turn adds to the wish to tell: always, by closeness, and when the partner told of itself."""
FULL = 2.0
"""The wish to tell grows no further."""
OWED = 5
"""Facts told and not returned after which the user asks for a return."""


@dataclass(slots=True)
class Exchange:
    """What the user carries from turn to turn; small and JSON."""

    closeness: float = START
    urge: float = 0.0
    """Wish to tell a fact; at 1 one is told."""
    debt: int = 0
    """Facts told, less what the partner gave for them."""
    waiting: bool = False
    """Whether the user asked for a return in the last utterance."""
    sour: int = 0
    """Faults in a row."""
    news: int = 0
    """Planned changes of the gold that lie behind."""
    asked: dict[str, int] = field(default_factory=dict)
    """How often each slot was asked about."""

    @staticmethod
    def read(state: JSON, phase: float) -> Exchange:
        """From an utterance's state; a fresh one, its urge at ``phase``, where there is none (a fixed opening)."""
        return Exchange(urge=round(phase, 4)) if state is None else Exchange(**state | {"asked": dict(state["asked"])})

    def write(self) -> dict[str, Any]:
        return asdict(self)

    def stage(self, turn: int = 0) -> int:
        """0 orientation, 1 exploratory, 2 affective, 3 stable exchange; with ``turn``, as acquaintance deepens it."""
        near = self.closeness + min(KNOWN, TIME * turn)
        return sum(near >= edge for edge in STAGES)

    def invest(self, *, personal: bool, taken_up: bool, asking: bool) -> None:
        """Takes a reply without fault into account."""
        value = PERSONAL * personal + TAKEN_UP * taken_up + ASKING * asking
        if self.waiting and not personal:
            value *= 0.5
        self._follow(value)
        wish = URGE + BY_CLOSENESS * self.closeness + BY_DISCLOSURE * personal
        self.urge = round(min(FULL, self.urge + wish), 4)
        self.debt = max(0, self.debt - 2 * personal - taken_up)
        self.sour = 0

    def hurt(self, *, keep: float = HURT) -> None:
        """Takes a fault into account: nothing is told unasked now."""
        self.closeness = round(self.closeness * keep, 4)
        self.sour += 1

    def spend(self) -> bool:
        """Whether there is a wish to tell a fact; uses it up."""
        if self.urge < 1:
            return False
        self.urge = round(self.urge - 1, 4)
        return True

    def part(self) -> None:
        """A pause between sessions: closeness fades a little, a debt is forgotten."""
        self.closeness = round(self.closeness * 0.85, 4)
        self.debt, self.waiting = 0, False

    def _follow(self, value: float) -> None:
        self.closeness = round(self.closeness + RATE * (min(1.0, value) - self.closeness), 4)


def layer(slot: str) -> int:
    return LAYERS.get(slot, 1)
