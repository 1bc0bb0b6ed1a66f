"""The places of a run and who has taken them; where dialogues and people meet."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from rlpa_bench.errors import UsageError
from rlpa_bench.people.journal import Journal
from rlpa_bench.plan import Plan, Unit
from rlpa_bench.randomness import Draws
from rlpa_bench.transcripts import LogIndex, Progress, adapter, plain
from rlpa_bench.types import Case, Dialogue, Gold, Item, Output, State, Turn

WITHDRAWN = "simulator: withdrawn: the person took their data back"


@dataclass
class Talk:
    """One dialogue of a visit, as far as it has come."""

    unit: Unit
    label: str
    turns: tuple[Turn, ...] = ()
    pending: str = ""
    """What the person has said and the candidate has not answered yet."""
    asked: asyncio.Future[tuple[str, bool]] | None = None
    """Waits for what the person says next, and whether they leave."""
    ended: str = ""
    begun: bool = False
    replies: dict[int, Output] = field(default_factory=dict)
    said: dict[int, tuple[str, bool]] = field(default_factory=dict)
    ratings: dict[int, int] = field(default_factory=dict)
    profile: list[dict[str, Any]] | None = None
    """What the person said of the inferred profile; None until they have."""

    @property
    def closed(self) -> bool:
        return bool(self.ended) and self.profile is not None


@dataclass
class Place:
    """A (case, seed) for one person, with a talk per candidate in the order in which they come."""

    case: Case
    seed: int
    talks: list[Talk]
    person: str = ""
    code: str = ""
    """SHA-256 of the person's code."""
    consent: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    """Rises with everything that the person may see."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def talk(self) -> Talk | None:
        """The one that the person is in; None when they are through."""
        return next((talk for talk in self.talks if not talk.closed), None)

    def change(self) -> None:
        """Wakes whoever waits for something new here."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self, since: int, seconds: float) -> None:
        """Returns when the version is no longer ``since``, or after so many seconds."""
        if self.version == since:
            try:
                await asyncio.wait_for(self._changed.wait(), seconds)
            except TimeoutError:
                return


class UnknownCodeError(UsageError):
    """Nobody here has this code."""


class Study:
    """All places of a plan, restored from the journal.

    Args:
        consent: the text that people agree to.
        own: whether people play themselves and say which facts they are known by.
        closed: whether nobody is waited for any more.
    """

    def __init__(self, plan: Plan, journal: Journal, *, consent: str, own: bool = False, closed: bool = False) -> None:
        self.plan = plan
        self.consent = consent
        self.own = own
        self.closed = closed
        self.journal = journal
        self.on_forget: Callable[[Place], None] = lambda place: None
        self.places = {key: _place(units) for key, units in _by_place(plan)}
        self._half_forgotten: list[Place] = []
        self._codes: dict[str, Place] = {}
        self._people: dict[str, Place] = {}
        for line in journal.lines():
            self._take_up(line)

    def _take_up(self, line: Mapping[str, Any]) -> None:
        kind = line["kind"]
        if kind in ("consent", "withdrawn"):
            place = self.places[line["case"], line["seed"]]
            if kind == "consent":
                self._seat(place, line)
            elif place.person:
                self._half_forgotten.append(place)
            return
        place = self._people[line["person"]]
        talk = next(talk for talk in place.talks if talk.unit.candidate == line["candidate"])
        if kind == "reply":
            talk.replies[line["turn"]] = adapter(Output).validate_python(line["output"])
        elif kind == "said":
            talk.said[line["turn"]] = (line["text"], line["leaves"])
        elif kind == "rating":
            talk.ratings[line["turn"]] = line["rating"]
        elif kind == "profile":
            talk.profile = line["items"]

    def _seat(self, place: Place, line: Mapping[str, Any]) -> None:
        place.person, place.code, place.consent = line["person"], line["code"], dict(line)
        if self.own:
            items = tuple(Item(fact["slot"], fact["value"], origin="own") for fact in line["facts"])
            place.case = replace(place.case, gold=Gold(items))
        self._codes[place.code] = self._people[place.person] = place
        place.change()

    # People

    def join(self, publish: bool, facts: Sequence[Mapping[str, str]] = ()) -> str:
        """Seats a person who has agreed; returns their code. Raises UsageError when all places are taken."""
        place = next((place for place in self.places.values() if not place.person and place.talk), None)
        if place is None or self.closed:
            why = "This study is over" if self.closed else "All places of this study are taken"
            raise UsageError(f"{why}; thank you for coming.")
        code = secrets.token_urlsafe(32)
        line = {
            "person": f"p-{secrets.token_hex(6)}",
            "case": place.case.id,
            "seed": place.seed,
            "code": _hashed(code),
            "text": _hashed(self.consent),
            "publish": publish,
            "when": datetime.now(UTC).date().isoformat(),
            "facts": [dict(fact) for fact in facts],
        }
        self.journal.append("consent", **line)
        self._seat(place, line)
        return code

    def find(self, code: str) -> Place:
        """The place of whoever has this code. Raises UnknownCodeError."""
        place = self._codes.get(_hashed(code))
        if place is None:
            raise UnknownCodeError(
                "This code is not known here or no longer valid, since its data were deleted; begin anew."
            )
        return place

    def find_person(self, person: str) -> Place:
        """The place of a pseudonym. Raises UsageError."""
        if person not in self._people:
            raise UsageError(f"{self.journal.path} has no person {person!r}; pseudonyms look like p-0123456789ab")
        return self._people[person]

    @property
    def unfinished(self) -> bool:
        """Whether a person is still to come, or to come back."""
        return not self.closed and any(place.talk for place in self.places.values())

    def write(self, place: Place, talk: Talk, kind: str, **facts: Any) -> None:
        """Writes down what happened in a talk."""
        self.journal.append(kind, person=place.person, candidate=talk.unit.candidate, **facts)

    def forget(self, place: Place) -> None:
        """Takes a person's data out of the run and out of the journal."""
        self.journal.append("withdrawn", case=place.case.id, seed=place.seed)
        self._forget(place)

    def finish_forgetting(self) -> bool:
        """Goes on with what a kill interrupted; whether there was anything."""
        half, self._half_forgotten = self._half_forgotten, []
        for place in half:
            self._forget(place)
        return bool(half)

    def _forget(self, place: Place) -> None:
        """The journal comes last: as long as it names the person, a restart knows that something is left to do."""
        del self._codes[place.code], self._people[place.person]
        self.places[place.case.id, place.seed] = fresh = _place([talk.unit for talk in place.talks])
        for talk in fresh.talks:
            talk.ended, talk.profile = f"error: {WITHDRAWN}", []
        self.on_forget(place)
        self.journal.forget(place.person)
        place.change()

    # Dialogues

    def case(self, case: str, seed: int) -> Case:
        """A case, with the gold that its person gave."""
        return self.places[case, seed].case

    def take_up(self, index: LogIndex, *, retry_errors: bool = False) -> None:
        """What the run's log holds already."""
        for number, lines in index.units():
            progress, unit = Progress(lines), self.plan.unit(number)
            self.talk(unit).turns = progress.turns
            again = retry_errors and progress.ended.startswith("error")
            if progress.ended and progress.scores is not None and not again:
                names = (unit.candidate, unit.case.id, unit.seed)
                self.end(unit, Dialogue(*names, progress.turns, unit.case.turns, progress.ended))

    def talk(self, unit: Unit) -> Talk:
        talks = self.places[unit.case.id, unit.seed].talks
        return next(talk for talk in talks if talk.unit.number == unit.number)

    async def turn_of(self, unit: Unit) -> None:
        """Waits until this dialogue may begin: its place is taken and the earlier ones are closed."""
        place = self.places[unit.case.id, unit.seed]
        while not self.closed and not (place.person and place.talk and place.talk.unit.number == unit.number):
            await place.changed(place.version, 3600)
        talk = self.talk(unit)
        talk.begun = True
        if not talk.turns:
            talk.pending = place.case.sessions[0].opening or ""
        place.change()

    async def ask(self, state: State) -> tuple[str, bool]:
        """What the person says next, and whether they leave."""
        place = self.places[state.case.id, state.seed]
        talk = next(talk for talk in place.talks if talk.begun and not talk.ended)
        talk.turns, number = state.turns, len(state.turns) + 1
        if number not in talk.said:
            talk.pending, talk.asked = "", asyncio.get_running_loop().create_future()
            place.change()
            talk.said[number] = await talk.asked
            talk.asked = None
        talk.pending = talk.said[number][0]
        place.change()
        return talk.said[number]

    def end(self, unit: Unit, dialogue: Dialogue) -> None:
        """The dialogue is over; what is left is to look at the inferred profile, if there is one."""
        place, talk = self.places[unit.case.id, unit.seed], self.talk(unit)
        talk.turns, talk.ended, talk.pending = dialogue.turns, dialogue.ended, ""
        if dialogue.ended.startswith("error") or not dialogue.turns:
            talk.profile = talk.profile or []
        place.change()

    async def looked_at(self, unit: Unit) -> None:
        """Waits until the person has looked at what was noted of them, so that a complete run has it."""
        place, talk = self.places[unit.case.id, unit.seed], self.talk(unit)
        while not (self.closed or talk.closed):
            await place.changed(place.version, 3600)

    def reply_of(self, unit: Unit, number: int) -> Output | None:
        """What the candidate has written for this turn before, if it has."""
        return self.talk(unit).replies.get(number)

    def keep_reply(self, unit: Unit, number: int, output: Output) -> Output:
        """Writes down what a candidate has written, so that a resumed run shows the same."""
        talk, place = self.talk(unit), self.places[unit.case.id, unit.seed]
        self.write(place, talk, "reply", turn=number, output=plain(output))
        talk.replies[number] = output
        return output


def _hashed(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()


def _by_place(plan: Plan) -> Iterator[tuple[tuple[str, int], list[Unit]]]:
    places: dict[tuple[str, int], list[Unit]] = {}
    for unit in plan.units():
        places.setdefault((unit.case.id, unit.seed), []).append(unit)
    yield from places.items()


def _place(units: Sequence[Unit]) -> Place:
    """A free place; its candidates in an order drawn for it, under neutral names."""
    case, seed = units[0].case, units[0].seed
    plan_order = sorted(units, key=lambda unit: unit.number)
    order = Draws("people", case.id, seed).shuffled(plan_order)
    return Place(case, seed, [Talk(unit, f"Partner {number}") for number, unit in enumerate(order, 1)])
