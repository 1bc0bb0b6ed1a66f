"""What the simulated user remembers from turn to turn, besides the transcript; small and JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

from rlpa_bench.types import JSON

TRUST, PATIENCE = 20, 6
MANY = 3


@dataclass(slots=True)
class Memory:
    """Read from the last utterance's state, changed while a reply is planned, written into the next."""

    trust: int = TRUST
    """0 to 100: opens the user up."""
    patience: int = PATIENCE
    """0 to 6: at 0 the user would leave, if allowed."""
    streak: int = 0
    """Replies in a row that did nothing but ask."""
    news: int = 0
    """How many planned changes of the gold lie behind."""
    asked: dict[str, int] = field(default_factory=dict)
    """How often each slot was asked about."""
    denied: list[str] = field(default_factory=list)
    """Ids of the latest values that the user denied."""

    @staticmethod
    def read(state: JSON) -> Memory:
        """From an utterance's state; a fresh memory where there is none (the protocol's fixed opening)."""
        if state is None:
            return Memory()
        return Memory(**state | {"asked": dict(state["asked"]), "denied": list(state["denied"])})

    def write(self) -> JSON:
        return {name: getattr(self, name) for name in self.__slots__}

    def feel(self, trust: int, patience: int = 0) -> None:
        """Changes trust and patience within their bounds."""
        self.trust = max(0, min(100, self.trust + trust))
        self.patience = max(0, min(PATIENCE, self.patience + patience))

    def deny(self, key: str) -> bool:
        """Remembers a denied value; whether it had been denied before."""
        again = key in self.denied
        self.denied = [*(k for k in self.denied if k != key), key][-MANY:]
        return again
