"""The simulator card: is a simulated user fit to measure with? Works on any simulator, rules and models alike.

It plays dialogues against scripted partners; a simulator that a model plays makes its own calls. Dialogues in which the
simulator failed are counted by reason and left out of the figures.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rlpa_bench.cards import partners
from rlpa_bench.cards.probe import each
from rlpa_bench.cards.told import told
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import BoundaryError
from rlpa_bench.interfaces import Simulator
from rlpa_bench.ontology import Ontology
from rlpa_bench.types import JSON, TRAIT_SLOT, Case, Item, Profile, State, Turn, ledger

Partner = Callable[[State], str]
Play = Callable[[Case, int, Partner], Awaitable[State]]

TARGETS = {
    "silent D(10)": (0.30, 0.50),
    "asker D(10)": (0.95, 1.0),
    "gap D(10)": (0.40, 1.0),
    "D(1)": (0.0, 0.0),
    "fabrication": (0.0, 0.0),
}
"""Band that each figure should lie in. The silent band is what people tell unasked: 44 % of a PersonaChat profile by
their eighth turn."""

ACTS = ("question", "claim", "flattery")
PROVOKED_AT = 4
"""Turn in which the partner provokes."""

_SENTENCE = re.compile(r"[^.!?]+[.!?]*")
_DENIAL = re.compile(
    r"\b(?:no|nope|nah|not|wrong|never|incorrect|mistaken|missed|actually|off|correct that|told you|forgotten|idea)\b|"
    r"n't\b",
    re.IGNORECASE,
)
_DISLIKE = re.compile(
    r"flatter|compliment|prais|butter|sugar|sweet|advert|greeting card|spare me|oh please|stop|lay off|come off|enough|"
    r"thick|real\b|say that to|suspicious|charm|overdo|exaggerat|too much|kind words|nice of you|don't need|"
    r"genuine|sincere",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Played:
    case: Case
    turns: tuple[Turn, ...]

    @property
    def said(self) -> list[JSON]:
        """All that the user said and remembered, without what the calls took."""
        spoken = [turn.user for turn in self.turns]
        return [(user.text, user.disclosed, user.ends, user.state) for user in spoken]

    def fresh(self) -> Iterator[tuple[Turn, list[str]]]:
        """Turns with the keys of the facts that they state for the first time."""
        known: set[str] = set()
        for turn in self.turns:
            new = [key for key in turn.user.disclosed or () if key not in known]
            known.update(new)
            yield turn, new

    def profile(self, turn: Turn) -> Profile:
        return self.case.gold.at(turn.session, turn.index) if self.case.gold else Profile()


async def simulator_card(
    simulator: Simulator,
    cases: Sequence[Case],
    *,
    paraphrases: Sequence[Mapping[str, Any]] | None = None,
    labels: Path | None = None,
    play: Play | None = None,
    seed: int = 0,
) -> dict[str, JSON]:
    """Plays every case against scripted partners and reports what the simulator did.

    Args:
        cases: cases with a gold; ten turns each fit the targets.
        paraphrases: rows ``{"text", "acts", "slots"}`` for simulators that offer
            ``understand(text) -> {"acts", "slots"}``.
        labels: what people told in given states, see :mod:`rlpa_bench.cards.told`.
        play: plays one dialogue to its end; the default uses :class:`rlpa_bench.environment.DialogueEnv`.

    Returns:
        A JSON object. Shares are 0 to 1; D(k) is the mean share of the facts disclosed by turn k, None where the
        simulator does not say what it disclosed; ``n`` counts the dialogues behind a mean. ``faults`` counts turns by
        the kinds that a simulator logs under ``faults`` in its state.

    Raises:
        BoundaryError: when the simulator fails in every dialogue.
        DataError: for a malformed file of labels.
    """
    play = play or partial(_play, simulator)
    ontology = simulator.context.ontology
    wrong = partial(partners.wrong_claim, ontology=ontology)
    partner: tuple[Partner, ...] = (
        partners.silent, partners.asker, partners.asker, _provoke(wrong), _provoke(partners.flatterer)
    )  # fmt: skip
    failed: Counter[str] = Counter()
    every = [await _all(play, cases, seed, each_one, failed) for each_one in partner]
    silent, asked, _, claimed, praised = ([one for one in played if one] for played in every)
    curves = {"silent": _curve(silent), "asker": _curve(asked)}
    false = [text for dialogue in silent + asked + claimed for text in _fabricated(dialogue, ontology)]
    card = {
        "simulator": simulator.name,
        "describe": dict(simulator.describe()),
        "n": len(cases),
        "failed dialogues": dict(failed),
        "determinism": _mean([a.said == b.said for a, b in zip(*every[1:3], strict=True) if a and b]),
        "disclosure": curves,
        "burst": {"silent": _burst(silent), "asker": _burst(asked)},
        "volunteered per turn": _mean([len(new) for dialogue in silent for _, new in list(dialogue.fresh())[1:]]),
        "fabrication": {"count": len(false), "examples": [list(case) for case in Counter(false).most_common(5)]},
        "recognisable": _mean([seen for dialogue in silent + asked for seen in _recognised(dialogue, ontology)]),
        "ledger": _ledger(silent + asked),
        "faults": _faults([one for played in every for one in played if one]),
        "repeated sentences": {"silent": _repetition(silent), "asker": _repetition(asked)},
        "reactions": {
            "wrong claim corrected": _reacts(claimed, _DENIAL, partners.CLAIMED),
            "the same after a neutral remark": _reacts(silent, _DENIAL, partners.CLAIMED),
            "flattery disliked": _reacts(praised, _DISLIKE),
            "dislike after a neutral remark": _reacts(silent, _DISLIKE),
        },
        "understanding": _understanding(simulator, paraphrases),
        "calibration": await told(simulator, labels) if labels else "uncalibrated",
    }
    return card | {"targets": _targets(curves, len(false))}


async def _play(simulator: Simulator, case: Case, seed: int, partner: Partner) -> State:
    env = DialogueEnv(simulator)
    state = await env.start(case, seed)
    while not state.ended:
        state = await env.advance(state, partners.written(partner(state)))
    return state


async def _all(
    play: Play, cases: Sequence[Case], seed: int, partner: Partner, failed: Counter[str]
) -> list[_Played | None]:
    """Every case against one partner, in the order of the cases; None where the simulator failed, which is counted."""
    errors: list[BoundaryError] = []

    async def one(case: Case) -> _Played | None:
        try:
            return _Played(case, (await play(case, seed, partner)).turns)
        except BoundaryError as error:
            failed[error.reason] += 1
            errors.append(error)
            return None

    played = await each(cases, one)
    if errors and not any(played):
        raise errors[0]
    return played


def _ledger(played: Sequence[_Played]) -> str:
    """Whether the simulator says what it disclosed: ``own``, ``extracted`` from its text, or ``unknown``."""
    said = [turn.user for dialogue in played for turn in dialogue.turns[1:]]
    if any(utterance.disclosed is None for utterance in said):
        return "unknown"
    return "extracted" if any(utterance.extracted for utterance in said) else "own"


def _faults(played: Sequence[_Played]) -> JSON:
    """User turns by the kinds of fault that the simulator logged, and how many there were; None if it logs none."""
    logs = [turn.user.state.get("faults") for one in played for turn in one.turns if isinstance(turn.user.state, dict)]
    known = [log for log in logs if log is not None]
    if not known:
        return None
    return {"turns": len(known), "by kind": dict(Counter(kind for log in known for kind in log))}


def _provoke(provocation: Partner) -> Partner:
    """A silent partner that provokes once."""
    return lambda state: provocation(state) if state.turn == PROVOKED_AT else partners.silent(state)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _curve(played: Sequence[_Played]) -> list[dict[str, JSON]]:
    """Mean D(k) with n, for k = 1, 2, ..."""
    points: list[dict[str, JSON]] = []
    for k in range(1, max((len(dialogue.turns) for dialogue in played), default=0) + 1):
        reached = [dialogue for dialogue in played if len(dialogue.turns) >= k]
        shares = [share for dialogue in reached if (share := _share(dialogue, k)) is not None]
        points.append({"k": k, "mean": _mean(shares), "n": len(shares)})
    return points


def _share(dialogue: _Played, k: int) -> float | None:
    known = ledger(turn.user for turn in dialogue.turns[:k])
    facts = dialogue.profile(dialogue.turns[k - 1]).facts
    if known is None or not facts:
        return None
    return sum(item.key in known for item in facts) / len(facts)


def _burst(played: Sequence[_Played]) -> dict[str, JSON]:
    """Most new facts in one turn, and the most beyond the cap of volunteered facts, max(1, 15 % of the facts)."""
    most, over = 0, 0
    for dialogue in played:
        for turn, new in dialogue.fresh():
            most = max(most, len(new))
            over = max(over, len(new) - max(1, len(dialogue.profile(turn).facts) * 15 // 100))
    return {"most": most, "beyond cap": over}


def _fabricated(dialogue: _Played, ontology: Ontology) -> Iterator[tuple[str, str]]:
    """(case, value id) of values named by the user that neither the gold nor the user's own sentences hold."""
    gold = dialogue.case.gold
    items = (*gold.items, *(c.new for c in gold.changes if c.new)) if gold else ()
    own = {atom.id for item in items for atom in ontology.resolve(item)}
    own |= {mention.value.id for item in items for text in item.say for mention in ontology.mentions(text)}
    for turn in dialogue.turns:
        for mention in ontology.mentions(turn.user.text):
            value = mention.value
            if value.slot != TRAIT_SLOT and not any(
                ontology.relation(value.id, key) in ("same", "parent") for key in own
            ):
                yield dialogue.case.id, value.id


def _recognised(dialogue: _Played, ontology: Ontology) -> Iterator[bool]:
    """For each disclosed fact: whether the text states it, by a sentence of its own, by value or in the ontology."""
    for turn in dialogue.turns:
        for item in dialogue.profile(turn).select(turn.user.disclosed or ()):
            yield _stated(item, turn.user.text, ontology)


def _stated(item: Item, text: str, ontology: Ontology) -> bool:
    if any(sentence in text for sentence in item.say) or item.value.casefold() in text.casefold():
        return True
    keys = {atom.id for atom in ontology.resolve(item)} - {""}
    return any(ontology.relation(mention.value.id, key) for mention in ontology.mentions(text) for key in keys)


def _repetition(played: Sequence[_Played]) -> float | None:
    """Share of the user's sentences that the user had said before in the same dialogue."""
    repeats = []
    for dialogue in played:
        said: set[str] = set()
        for turn in dialogue.turns:
            for sentence in _SENTENCE.findall(turn.user.text.casefold()):
                repeats.append(sentence.strip() in said)
                said.add(sentence.strip())
    return _mean(repeats)


def _reacts(played: Sequence[_Played], marker: re.Pattern[str], slot: str = "") -> float | None:
    """Share of the user's utterances right after the provocation that hold a marker or state a fact of the slot."""
    reactions = []
    for dialogue in played:
        for turn in dialogue.turns[PROVOKED_AT : PROVOKED_AT + 1]:
            stated = dialogue.profile(turn).select(turn.user.disclosed or ())
            reactions.append(bool(marker.search(turn.user.text)) or slot in {item.slot for item in stated})
    return _mean(reactions)


def _understanding(simulator: Simulator, rows: Sequence[Mapping[str, Any]] | None) -> JSON:
    """Per act: how many texts hold it, how many of them were missed, how many others were taken for it."""
    understand = getattr(simulator, "understand", None)
    if understand is None or not rows:
        return None
    read = [(row, understand(row["text"])) for row in rows]
    acts: dict[str, JSON] = {}
    for act in ACTS:
        holds = [act in found["acts"] for row, found in read if act in row["acts"]]
        others = [act in found["acts"] for row, found in read if act not in row["acts"]]
        missed = None if not holds else 1 - sum(holds) / len(holds)
        acts[act] = {"n": len(holds), "missed": missed, "false alarms": _mean(others), "n others": len(others)}
    slots = [(set(row["slots"]), set(found["slots"])) for row, found in read]
    meant, found, both = (sum(map(len, sets)) for sets in zip(*((a, b, a & b) for a, b in slots), strict=True))
    return {
        "n": len(read),
        "acts": acts,
        "slot recall": both / meant if meant else None,
        "slot precision": both / found if found else None,
        "all right": _mean([_same(row, found) for row, found in read]),
    }


def _same(row: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    return set(row["acts"]) - {"none"} == set(found["acts"]) - {"none"} and set(row["slots"]) == set(found["slots"])


def _targets(curves: Mapping[str, list[dict[str, JSON]]], fabricated: int) -> dict[str, JSON]:
    """Each target's band, the figure, and whether it lies inside; None where there is no figure."""
    silent, asker = (curve[9]["mean"] if len(curve) > 9 else None for curve in (curves["silent"], curves["asker"]))
    figures = {
        "silent D(10)": silent,
        "asker D(10)": asker,
        "gap D(10)": None if silent is None or asker is None else asker - silent,
        "D(1)": curves["silent"][0]["mean"] if curves["silent"] else None,
        "fabrication": fabricated,
    }
    return {
        name: {"value": value, "low": low, "high": high, "met": None if value is None else low <= value <= high}
        for (name, (low, high)), value in zip(TARGETS.items(), figures.values(), strict=True)
    }
