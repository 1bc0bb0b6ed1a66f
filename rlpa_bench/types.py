"""The values that cross the boundaries between rooms; all frozen, all JSON-serialisable.

``None`` always means "not known" or "not scored", never 0. Times are seconds, tokens are counts,
turns are numbered from 1 over the whole dialogue, sessions from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rlpa_bench.errors import UsageError

JSON = Any
"""A value made of dict, list, str, int, float, bool and None."""

Status = Literal["scored", "unscored", "error", "truncated"]
"""The outcome of a judgement; only ``scored`` holds a number."""

SLOTS = (
    "Age",
    "Gender",
    "Interests",
    "Educational Background",
    "Personality Traits",
    "Occupation",
    "Marital Status",
    "Family Background",
    "Location",
    "Others",
)
"""The ten slots of RLPA (arXiv 2505.15456, appendix C.2)."""

TRAIT_SLOT = "Personality Traits"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that holds of a user."""

    slot: str
    value: str
    polarity: int = 1
    """1, or -1 for a dislike or a denial."""
    id: str = ""
    """Value id in the closed ontology; empty for free text."""
    origin: str = ""
    """Where it comes from: ``aloe``, ``completed``, ``written``, …; empty for inferred items."""
    say: tuple[str, ...] = ()
    """First-person sentences that state this item, for simulated users."""

    def __hash__(self) -> int:
        """Of what tells items apart; caches of whole profiles ask for it at every turn."""
        return hash((self.value, self.slot, self.polarity))

    @property
    def key(self) -> str:
        """Its name in the disclosure ledger: its id (or slot and text), ``!`` in front of dislikes."""
        name = self.id or f"{self.slot}={self.value.casefold()}"
        return name if self.polarity > 0 else f"!{name}"

    @property
    def is_trait(self) -> bool:
        """Traits are shown in style, seldom said; everything else is a fact."""
        return self.slot == TRAIT_SLOT


@dataclass(frozen=True, slots=True)
class Profile:
    """The items that hold of a user at one moment."""

    items: tuple[Item, ...] = ()

    @property
    def facts(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if not item.is_trait)

    @property
    def traits(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.is_trait)

    def select(self, keys: Iterable[str]) -> tuple[Item, ...]:
        """The items whose keys are among ``keys``, in profile order."""
        wanted = set(keys)
        return tuple(item for item in self.items if item.key in wanted)


@dataclass(frozen=True, slots=True)
class Change:
    """A planned change of the gold, in force from (session, turn) on."""

    turn: int
    old: str
    """Key of the item that ends."""
    new: Item | None
    """Item that takes its place, or None if it is withdrawn."""
    session: int = 0
    announced: bool = True
    """Whether a simulated user that can is to tell of it; if not, a remark of the case does, or nobody."""


@dataclass(frozen=True, slots=True)
class Gold:
    """The golden profile as a timeline: superseded values are kept.

    Raises:
        UsageError: for a change of an item that does not hold at that moment.
    """

    items: tuple[Item, ...]
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        for change in self.changes:
            self.at(change.session, change.turn)

    def at(self, session: int, turn: int) -> Profile:
        """The profile in force at a turn."""
        if not self.changes:
            return Profile(self.items)
        items = list(self.items)
        for change in self._past(session, turn):
            place = next((i for i, item in enumerate(items) if item.key == change.old), None)
            if place is None:
                when = f"session {change.session}, turn {change.turn}"
                raise UsageError(
                    f"the gold changes {change.old!r} at {when}, which does not hold then; name an item's key"
                )
            items[place : place + 1] = [change.new] if change.new else []
        return Profile(tuple(items))

    def superseded(self, session: int, turn: int) -> tuple[Item, ...]:
        """Items that held before and no longer do at a turn."""
        if not self.changes:
            return ()
        now = {item.key for item in self.at(session, turn).items}
        ever = (*self.items, *(change.new for change in self._past(session, turn) if change.new))
        return tuple(dict.fromkeys(item for item in ever if item.key not in now))

    def _past(self, session: int, turn: int) -> list[Change]:
        past = [change for change in self.changes if (change.session, change.turn) <= (session, turn)]
        return sorted(past, key=lambda change: (change.session, change.turn))


@dataclass(frozen=True, slots=True)
class Session:
    """One sitting: how many turns it lasts and, if the protocol fixes it, the user's first words."""

    turns: int
    opening: str | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """Words that the protocol has the user say at a turn, whoever plays the user."""

    turn: int
    """Over the whole dialogue; at a session's first turn the words follow its opening."""
    text: str
    disclosed: tuple[str, ...] = ()
    """Keys of the facts that they state."""
    alone: bool = True
    """Whether they are all that the user says; if not, they follow the user's own answer."""
    kind: str = ""
    """What metrics know them by."""


@dataclass(frozen=True, slots=True)
class Case:
    """A persona and its schedule."""

    id: str
    gold: Gold | None
    """None where the gold is elicited afterwards (a human user)."""
    cluster: str
    """The profile: the unit of statistical inference."""
    sessions: tuple[Session, ...]
    factors: Mapping[str, str] = field(default_factory=dict)
    """Fixed factors averaged inside the cluster, such as ``personality``."""
    text: str = ""
    """The persona as free text, where the suite has one."""
    language: str = "en"
    templates: str = "evaluation"
    """Which set of user templates the simulated user draws from."""
    remarks: tuple[Remark, ...] = ()
    """Planned words of the user, at most one for a turn."""

    def remark(self, turn: int) -> Remark | None:
        """What the user is planned to say at a turn."""
        return next((remark for remark in self.remarks if remark.turn == turn), None)

    @property
    def turns(self) -> int:
        return sum(session.turns for session in self.sessions)


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message: role ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Call:
    """What one model call used. ``None`` is unknown, not 0."""

    role: str
    model: str
    finish: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None
    """US dollars; None is unpriced."""
    seconds: float | None = None
    """Kept in timings.jsonl only, as is ``cached``."""
    cached: bool | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the user says, and what the simulator wants to remember."""

    text: str
    disclosed: tuple[str, ...] | None = ()
    """Keys of the facts that this utterance states; None if the simulator cannot tell."""
    ends: str = ""
    """Why the user leaves after this utterance; empty if they stay."""
    state: JSON = None
    """The simulator's own state after this utterance."""
    extracted: bool = False
    """Whether ``disclosed`` was extracted from the text afterwards."""
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """What a candidate writes in one turn."""

    raw: str
    memory: JSON = None
    """What the baseline wants to get back next turn; the only thing that outlives a session."""
    finish: str = "stop"
    """``stop``, ``length`` (cut off) or ``filter`` (refused by the provider)."""
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """One finished exchange."""

    index: int
    session: int
    user: Utterance
    output: Output
    inferred: tuple[Item, ...]
    response: str
    malformed: str = ""
    """Why the output broke the contract; empty if it kept it."""

    @property
    def truncated(self) -> bool:
        """Cut off before the contract was fulfilled."""
        return bool(self.malformed) and self.output.finish == "length"


@dataclass(frozen=True, slots=True)
class State:
    """Where a dialogue stands: the user has spoken, the candidate has not (or the dialogue has ended)."""

    case: Case
    seed: int
    user: Utterance
    session: int = 0
    turns: tuple[Turn, ...] = ()
    ended: str = ""
    """Who ended the dialogue and why (``schedule``, ``user: bored``); empty while it goes on."""

    @property
    def turn(self) -> int:
        """Number of the turn that comes next, or of the last one if the dialogue has ended."""
        return len(self.turns) + (not self.ended)

    @property
    def visible(self) -> tuple[Turn, ...]:
        """The turns of this session, all that the candidate may look back at."""
        if self.session == 0:
            return self.turns
        return tuple(turn for turn in self.turns if turn.session == self.session)

    @property
    def memory(self) -> JSON:
        return self.turns[-1].output.memory if self.turns else None

    @property
    def disclosed(self) -> tuple[str, ...] | None:
        """Disclosure ledger: keys of all facts the user has stated so far, in order; None if unknown."""
        spoken = [turn.user for turn in self.turns]
        if not self.ended:
            spoken.append(self.user)
        return ledger(spoken)

    @property
    def key(self) -> str:
        """Counter for randomness: names this turn of this dialogue, whatever was said in it."""
        return f"{self.case.id}/{self.seed}/{self.turn}"


def ledger(spoken: Iterable[Utterance]) -> tuple[str, ...] | None:
    """Keys disclosed by a sequence of utterances, first mention first; None if any of them is unknown."""
    keys: dict[str, None] = {}
    for utterance in spoken:
        if utterance.disclosed is None:
            return None
        for key in utterance.disclosed:
            keys[key] = None
    return tuple(keys)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A past turn as a candidate or a judge may see it."""

    user: str
    response: str
    profile: str = ""
    """The text of the inferred profile, where the contract shows it."""


@dataclass(frozen=True, slots=True)
class View:
    """What a candidate sees of a state: the conversation, its own memory, and nothing of the gold."""

    user: str
    history: tuple[Exchange, ...]
    session: int
    turn: int
    key: str
    """Opaque counter for randomness; tells nothing of the case."""
    messages: tuple[Message, ...]
    """System text, history and user utterance as the contract renders them."""
    memory: JSON = None
    gold: Profile | None = None
    """Only for baselines that declare ``grants = {"gold"}``."""
    disclosed: tuple[Item, ...] | None = None
    """Only for baselines that declare ``grants = {"disclosed"}``."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One finished (candidate, case, seed), as recorded."""

    candidate: str
    case: str
    seed: int
    turns: tuple[Turn, ...]
    planned: int
    """Turns the schedule asked for."""
    ended: str
    """``schedule``, ``user: …`` or ``error: …``."""


@dataclass(frozen=True, slots=True)
class TurnSubject:
    """All a judge may know of one turn. Identities of candidates are left out on purpose."""

    key: str
    turn: int
    session: int
    history: tuple[Exchange, ...]
    user: str
    reply: str
    inferred: tuple[Item, ...]
    gold: Profile
    superseded: tuple[Item, ...] = ()
    disclosed: tuple[Item, ...] | None = ()
    """Gold items stated by the user so far, this turn's utterance included; None if unknown."""
    disclosed_now: tuple[Item, ...] = ()
    """Gold items stated in this turn's user utterance."""
    malformed: str = ""
    language: str = "en"
    text: str = ""
    """The persona as free text, where the suite has one."""


@dataclass(frozen=True, slots=True)
class DialogueSubject:
    """All a judge may know of a whole dialogue."""

    key: str
    turns: tuple[TurnSubject, ...]
    ended: str


@dataclass(frozen=True, slots=True)
class PairSubject:
    """Two replies to one state."""

    key: str
    first: TurnSubject
    second: TurnSubject


@dataclass(frozen=True, slots=True)
class Verdict:
    """One part of a judgement."""

    value: float | None
    status: Status = "scored"
    reason: str = ""
    raw: str = ""
    """The judge's own words, where it wrote any."""

    def __post_init__(self) -> None:
        if (self.value is not None) != (self.status == "scored"):
            raise ValueError(f"a verdict has a value exactly when scored, not {self.value!r} with {self.status!r}")


@dataclass(slots=True, unsafe_hash=True)  # frozen would cost three times as much to make, and a turn has twenty
class Score:
    """A verdict booked on (dialogue, turn, judge, part, repeat)."""

    candidate: str
    case: str
    seed: int
    turn: int | None
    judge: str
    part: str
    value: float | None
    status: Status
    reason: str = ""
    raw: str = ""
    repeat: int = 0
    other: str | None = None
    """For a pair: the candidate of the other dialogue."""


Reward = Mapping[str, float | None]
"""Named parts of a turn's reward; None is not scored."""
