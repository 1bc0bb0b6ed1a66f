"""One environment for evaluation and training.

The state of a dialogue is a value: ``score`` judges any number of alternative replies to one state and moves
nothing, ``advance`` asks the user for the next turn, ``step`` does both. Branches of one state are independent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from rlpa_bench.contract import Contract, exchange
from rlpa_bench.errors import UsageError
from rlpa_bench.guard import guarded
from rlpa_bench.interfaces import Judge, Simulator
from rlpa_bench.redaction import redacted
from rlpa_bench.scoring import judge_subject, turn_subject
from rlpa_bench.transcripts import plain
from rlpa_bench.types import (
    Case,
    Output,
    PairSubject,
    Reward,
    State,
    Turn,
    Utterance,
    Verdict,
    View,
)

MAX_OUTPUT = 100_000
"""Characters of an output that are kept; the rest counts as cut off."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What the judges say of one output to one state."""

    verdicts: Mapping[str, Mapping[str, Verdict]]
    """Judge name -> part -> verdict."""
    reward: Reward
    """The judges' reward parts as ``judge.part``; None is not scored."""

    @property
    def total(self) -> float | None:
        """Sum of the reward parts (RLPA, section 3.3), or None while any of them is not scored."""
        values = list(self.reward.values())
        known = [value for value in values if value is not None]
        return sum(known) if values and len(known) == len(values) else None


class DialogueEnv:
    """A simulated user, judges and a contract around cases. Pure Python, async, without own state."""

    def __init__(self, simulator: Simulator, judges: Sequence[Judge] = (), contract: Contract | None = None) -> None:
        self.simulator = simulator
        self.judges = tuple(judges)
        self.contract = contract or Contract()

    async def start(self, case: Case, seed: int = 0) -> State:
        """The state in which the user has opened the first session. Raises SimulatorError."""
        if not case.sessions or any(session.turns < 1 for session in case.sessions):
            raise UsageError(f"case {case.id!r} plans a session without turns; every session needs at least one")
        state = State(case, seed, Utterance(""))
        opening = case.sessions[0].opening
        said = await self._said(self.simulator.open, state) if opening is None else Utterance(opening)
        return replace(state, user=said)

    def view(self, state: State, grants: frozenset[str] = frozenset()) -> View:
        """What a candidate may see of a state; gold and ledger only by grant."""
        history = tuple([exchange(t.user.text, t.response, self._profile(t)) for t in state.visible])
        profile = state.case.gold.at(state.session, state.turn) if state.case.gold and grants else None
        disclosed = state.disclosed if "disclosed" in grants else None
        return View(
            user=state.user.text,
            history=history,
            session=state.session,
            turn=state.turn,
            key=blake2b(state.key.encode(), digest_size=12).hexdigest(),
            messages=self.contract.render(history, state.user.text),
            memory=None if state.memory is None else plain(state.memory),
            gold=profile if "gold" in grants else None,
            disclosed=profile.select(disclosed) if profile and disclosed is not None else None,
        )

    def turn(self, state: State, output: Output | str) -> Turn:
        """The turn that an output makes of a state, read by the contract's parser."""
        if state.ended:
            raise UsageError(f"dialogue {state.key} has ended ({state.ended}); start a new one")
        output = _storable(Output(output) if isinstance(output, str) else output)
        parsed = self.contract.parse(output.raw)
        items = self.contract.items(parsed.profile)
        return Turn(state.turn, state.session, state.user, output, items, parsed.response, parsed.malformed)

    async def score(self, state: State, outputs: Sequence[Output | str]) -> list[Scored]:
        """Judges alternative outputs to one state; asks no user and moves nothing.

        Only judges of single turns take part. Raises nothing for a failing judge: its parts are errors.
        """
        return [await self._score(state, output) for output in outputs]

    async def compare(
        self, judge: Judge, state: State, first: Output | str, second: Output | str
    ) -> Mapping[str, Verdict]:
        """Verdicts of a pair judge on two outputs to one state, in the order given."""
        one, two = (turn_subject(state.case, state.seed, state.turns, self.turn(state, o)) for o in (first, second))
        return await judge_subject(judge, PairSubject(state.key, one, two))

    async def advance(self, state: State, output: Output | str) -> State:
        """The state after this output, with the user's next utterance. Raises SimulatorError."""
        turn = self.turn(state, output)
        turns = (*state.turns, turn)
        if turn.user.ends:
            return replace(state, turns=turns, ended=f"user: {turn.user.ends}")
        session = state.session
        planned = state.case.sessions
        if len(turns) == sum(sitting.turns for sitting in planned[: session + 1]):
            session += 1
            if session == len(planned):
                return replace(state, turns=turns, ended="schedule")
        waiting = replace(state, turns=turns, session=session, user=Utterance(""))
        opening = planned[session].opening if session > state.session else None
        return replace(waiting, user=await self._next(waiting, opening))

    async def step(self, state: State, output: Output | str) -> tuple[State, Scored]:
        """``score`` and ``advance`` of one output."""
        scored = await self._score(state, output)
        return await self.advance(state, output), scored

    async def _score(self, state: State, output: Output | str) -> Scored:
        subject = turn_subject(state.case, state.seed, state.turns, self.turn(state, output))
        turn_judges = [judge for judge in self.judges if judge.target == "turn"]
        verdicts = {judge.name: await judge_subject(judge, subject) for judge in turn_judges}
        reward = {
            f"{judge.name}.{part}": verdicts[judge.name][part].value for judge in turn_judges for part in judge.reward
        }
        return Scored(verdicts, reward)

    def _profile(self, turn: Turn) -> str:
        return "" if turn.malformed else self.contract.parse(turn.output.raw).profile

    async def _next(self, waiting: State, opening: str | None) -> Utterance:
        """What the user says next: the words that the protocol fixes, and what the simulator answers."""
        remark = waiting.case.remark(waiting.turn)
        if opening is not None:
            said = Utterance(opening, state=waiting.turns[-1].user.state)
        elif remark is not None and remark.alone:
            said = Utterance("", state=waiting.turns[-1].user.state)
        else:
            said = await self._said(self.simulator.reply, waiting)
        if remark is None:
            return said
        known = None if said.disclosed is None else tuple(dict.fromkeys((*said.disclosed, *remark.disclosed)))
        return replace(said, text=f"{said.text} {remark.text}".strip(), disclosed=known)

    async def _said(self, speak: Callable[[State], Awaitable[object]], state: State) -> Utterance:
        who = f"simulator {self.simulator.name!r}"
        words = await guarded(who, speak, state, unhurried=self.simulator.unhurried)
        if not isinstance(words, Utterance) or not isinstance(words.text, str):
            raise TypeError(f"{who} returned {type(words).__name__}, not an Utterance with a text")
        text = redacted(words.text)
        return words if text == words.text else replace(words, text=text)


def _storable(output: Output) -> Output:
    """The output as JSON can hold it and others may see it: lone surrogates replaced, endless text cut off, no keys."""
    raw = redacted(output.raw if output.raw.isascii() else output.raw.encode("utf-8", "replace").decode())
    if len(raw) > MAX_OUTPUT:
        return replace(output, raw=raw[:MAX_OUTPUT], finish="length")
    return output if raw == output.raw else replace(output, raw=raw)
