"""The six kinds of plugin: Suite, Simulator, Judge, Baseline, Model, Metric.

A component is a class with a ``name``, an ``Options`` model and one abstract method or two. It is built with
its validated options and a ``Context`` that hands out models, randomness and data, so that limits, retries,
cache and cost hold for everybody. Components keep no state between calls: what has to last is returned and
comes back in the next state or view.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

from rlpa_bench.types import (
    JSON,
    Call,
    Case,
    Dialogue,
    DialogueSubject,
    Message,
    Output,
    PairSubject,
    Score,
    State,
    TurnSubject,
    Utterance,
    Verdict,
    View,
)

if TYPE_CHECKING:
    from pathlib import Path

    from rlpa_bench.contract import Contract
    from rlpa_bench.ontology import Ontology
    from rlpa_bench.randomness import Draws

KINDS = ("suites", "simulators", "judges", "baselines", "models", "metrics")


@dataclass(frozen=True, slots=True)
class Sampling:
    """Every sampling field, always sent explicitly and recorded."""

    temperature: float = 0.7
    top_p: float = 1.0
    top_k: int = 0
    """0 is off."""
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_tokens: int = 320
    stop: tuple[str, ...] = ()
    """The text ends after the first of these strings, which is kept."""
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Guide:
    """A constraint on the output: ``contract`` (the profile and response blocks) or ``json`` (a JSON Schema)."""

    kind: Literal["contract", "json"]
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """What a model wrote. Token counts are None where the engine does not say."""

    text: str
    finish: str = "stop"
    """``stop``, ``length`` or ``filter``."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """Includes reasoning tokens."""
    reasoning_tokens: int | None = None


class BoundModel(Protocol):
    """A model as handed out by the context: limited, retried, cached and booked under a role."""

    name: str

    async def generate(
        self,
        messages: Sequence[Message],
        *,
        key: str,
        guide: Guide | None = None,
        **sampling: Any,
    ) -> tuple[str, Call]:
        """Text and the call it took.

        Args:
            key: what this call answers (take ``view.key`` or ``state.key``, plus a purpose if there are several
                calls): draws the sampling seed and tells equal requests apart in the cache.
            guide: constraint on the output; a candidate's contract guide applies only if its model is ``guided``.
            sampling: fields of :class:`Sampling` that differ from the model's options.

        Raises:
            ProviderError: after bounded retries.
        """
        ...


class Context(Protocol):
    """What the harness gives to every component."""

    contract: Contract
    ontology: Ontology

    def model(self, spec: str, role: str) -> BoundModel:
        """The model named ``name`` or ``name:argument``, booked under ``role`` (``simulator``, ``judge``, …)."""
        ...

    def random(self, purpose: str, *key: object) -> Draws:
        """Counter-based randomness: the same purpose and key give the same draws on any machine."""
        ...

    def data(self, name: str) -> Path:
        """A data set of ``rlpa-bench data list``, on disk. Raises DataError if it was not fetched."""
        ...


class Component(ABC):
    """Common to all kinds."""

    name: ClassVar[str]
    """How users choose it; lower case, unique within its kind."""
    Options: ClassVar[type[Any]]
    """A pydantic model; its field descriptions are the help, its errors the messages."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Modules it needs beyond the core."""
    extra: ClassVar[str] = ""
    """The extra that brings them: ``pip install 'rlpa-bench[EXTRA]'``."""
    takes_argument: ClassVar[str] = ""
    """What follows the colon in ``name:argument``; empty if nothing may."""
    unhurried: ClassVar[bool] = False
    """Whether its calls may take for ever, since a person answers."""

    def __init__(self, options: Any, context: Context, argument: str = "") -> None:
        self.options = options
        self.context = context
        self.argument = argument

    def describe(self) -> Mapping[str, JSON]:
        """Whatever decides the results beyond name and options: digests of prompts, data, weights, templates."""
        return {}

    async def aclose(self) -> None:
        """Releases what the component holds."""
        return


class Suite(Component):
    """Yields cases and fixes a protocol."""

    protocol: ClassVar[str]
    """``name/version``; rises only when scores can move; seeds the randomness and keys the boards."""
    unpublishable: ClassVar[str] = ""
    """Why its cases must not be published, such as texts without a licence; empty if they may."""

    @abstractmethod
    def cases(self) -> Sequence[Case]:
        """All cases, in their fixed order, ids unique."""

    def sample(self, limit: int) -> Sequence[Case]:
        """``limit`` cases for a small run; the first ones unless the suite can stratify."""
        return self.cases()[:limit]

    def contract(self) -> Contract:
        """What a candidate must write and what it sees of the history."""
        from rlpa_bench.contract import Contract

        return Contract()


class Simulator(Component):
    """Plays the user. May be slow, may stop, may be a person."""

    deterministic: ClassVar[bool] = False
    """Whether equal states always get equal words, so that recorded dialogues can be replayed."""

    @abstractmethod
    async def open(self, state: State) -> Utterance:
        """The user's first words of a session whose opening the protocol leaves to them.

        The state's own ``user`` is a placeholder here. Raises SimulatorError.
        """

    @abstractmethod
    async def reply(self, state: State) -> Utterance:
        """The user's answer to the last turn of ``state.turns``. Raises SimulatorError."""


@dataclass(frozen=True, slots=True)
class Part:
    """One verdict of a judge and its scale."""

    low: float = 0.0
    high: float = 1.0
    help: str = ""
    binary: bool = False
    """Whether only ``low`` and ``high`` occur."""


class Judge(Component):
    """Scores a turn, a whole dialogue or a pair of replies; sees only what the subject says."""

    target: ClassVar[Literal["turn", "dialogue", "pair"]] = "turn"
    parts: ClassVar[Mapping[str, Part]]
    reward: ClassVar[tuple[str, ...]] = ()
    """Parts that enter the training reward."""
    alignment: ClassVar[str] = ""
    """The part that is this judge's alignment score, AL; empty if it gives none."""
    other_gold: ClassVar[bool] = False
    """Whether turns are judged a second time against another user's gold, for personalisation proper."""
    deterministic: ClassVar[bool] = False

    @abstractmethod
    async def judge(self, subject: Any) -> Mapping[str, Verdict]:
        """Verdicts by part for a :class:`TurnSubject`, :class:`DialogueSubject` or :class:`PairSubject`.

        Raises:
            JudgeError: when no verdict can be had; the harness books an error, never a number.
        """


AnySubject = TurnSubject | DialogueSubject | PairSubject


@dataclass(frozen=True, slots=True)
class JudgeInfo:
    """What a run remembers of a judge, so that its scores can be read without building it."""

    name: str
    target: str
    parts: Mapping[str, Part]
    alignment: str = ""
    reward: tuple[str, ...] = ()
    other_gold: bool = False

    @classmethod
    def of(cls, judge: Judge) -> JudgeInfo:
        return cls(judge.name, judge.target, judge.parts, judge.alignment, judge.reward, judge.other_gold)


class Baseline(Component):
    """Turns a model into a candidate. A control is a baseline without a model."""

    needs_model: ClassVar[bool] = True
    calls_per_turn: ClassVar[int] = 1
    """How often it asks its model in a turn; for estimates of what a run will cost."""
    asks_format: ClassVar[bool] = True
    """Whether its model is asked to write the contract's blocks; else code puts plain texts into them, which is another
    term than a model that keeps the format or is held to it."""
    grants: ClassVar[frozenset[str]] = frozenset()
    """``gold`` and/or ``disclosed``; flagged on every table."""

    def __init__(self, options: Any, context: Context, argument: str = "", model: BoundModel | None = None) -> None:
        super().__init__(options, context, argument)
        self._model = model

    @classmethod
    def resolve(cls, options: Any, model: str) -> tuple[Any, str]:
        """Options and model specification to build it with; a baseline that answers with another model says so here."""
        return options, model

    @property
    def trained_on(self) -> Mapping[str, JSON] | None:
        """What its weights were trained on, where it knows (see :mod:`rlpa_bench.checkpoints`)."""
        return None

    @property
    def model(self) -> BoundModel:
        """The candidate's model."""
        if self._model is None:
            raise TypeError(f"baseline {self.name} was built without a model")
        return self._model

    @abstractmethod
    async def respond(self, view: View) -> Output:
        """The candidate's output for this turn: profile and response blocks. Raises ProviderError."""


class Model(Component):
    """Produces text from messages. Its ``Options`` extend :class:`rlpa_bench.options.ModelOptions`."""

    cacheable: ClassVar[bool] = True
    """False for models that cost nothing to ask again."""
    guides: ClassVar[frozenset[str]] = frozenset()
    """Kinds of guide its engine can enforce."""

    @abstractmethod
    async def generate(self, messages: Sequence[Message], sampling: Sampling, guide: Guide | None) -> Generation:
        """One completion. Raises ProviderError, marked retryable where trying again may help."""

    async def start(self) -> None:
        """Loads weights or starts a server; called once before the first turn."""
        return

    @property
    def prices(self) -> tuple[float | None, float | None]:
        """US dollars per million prompt and completion tokens; None is unpriced, not free."""
        return self.options.price_prompt, self.options.price_completion

    @property
    def concurrency(self) -> int | None:
        """How many calls it serves at once; None if it does not care."""
        return None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table, and how it is reduced from units."""

    name: str
    help: str = ""
    low: float | None = None
    """Worst possible value, for bounds when units are missing; None if unbounded."""
    high: float | None = None
    better: Literal["higher", "lower", ""] = "higher"
    curve_of: str = ""
    """Name of the column whose curve over turns this one is a function of; empty for a mean over units."""
    curve: Callable[[Sequence[float]], float] | None = None
    by_turn: bool = False
    """Whether the curve over turns is kept and shown."""
    headline: bool = False
    """Whether the short table shows it."""
    binary: bool = False
    """Whether every unit is ``low`` or ``high``, so that a column of equal units still has an interval (Wilson)."""


class Value(NamedTuple):
    """A metric's value for one unit. ``value`` None counts as missing with its reason."""

    column: str
    turn: int | None
    value: float | None
    reason: str = ""
    planned: bool = True
    """False if the metric is not defined for this unit, which then leaves the denominator."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a metric sees: a dialogue, its case and its scores by (judge, part), each keyed by turn."""

    dialogue: Dialogue
    case: Case
    scores: Mapping[tuple[str, str], Mapping[int | None, Sequence[Score]]] = field(default_factory=dict)

    @property
    def missing_turns(self) -> Iterator[tuple[int, str]]:
        """Planned turns that never came, and why."""
        for turn in range(len(self.dialogue.turns) + 1, self.dialogue.planned + 1):
            yield turn, self.dialogue.ended.partition(":")[0]

    def verdicts(self, judge: str, part: str) -> Iterator[tuple[int, float | None, str, bool]]:
        """Per planned turn: (turn, mean over repeats or None, reason, whether it is defined at all)."""
        by_turn = self.scores.get((judge, part), {})
        for turn in self.dialogue.turns:
            given = by_turn.get(turn.index, ())
            known = [score.value for score in given if score.value is not None]
            if known:
                yield turn.index, sum(known) / len(known), "", True
            elif given:
                yield turn.index, None, _reason(given[0]), given[0].status != "unscored"
            else:
                yield turn.index, None, "not judged yet", True
        for index, reason in self.missing_turns:
            yield index, None, reason, True


def _reason(score: Score) -> str:
    return score.status if score.status == "truncated" else f"{score.status}: {score.reason.partition(':')[0]}"


class Metric(Component):
    """Gives one value per unit and says how to reduce; intervals are the core's business."""

    def read_run(self, path: Path) -> None:
        """Looks into the folder of a run that is about to be summarised, before ``columns`` is asked."""
        return

    @abstractmethod
    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        """The columns this metric fills in a run with these judges; none if it lacks what it needs."""

    @abstractmethod
    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        """Values of one dialogue, planned turns that never came included (value None)."""
