"""Dialogues as the page shows them: what was told, what was inferred of it and what the judges said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rlpa_bench.audit import audit
from rlpa_bench.free_matching import matcher
from rlpa_bench.interfaces import JudgeInfo, Record
from rlpa_bench.ontology import Ontology
from rlpa_bench.scoring import OTHER
from rlpa_bench.types import Gold, Item, Score, Turn


@dataclass(frozen=True, slots=True)
class Mark:
    """What is to be said of an inferred item: ``right``, ``part``, ``guess``, ``wrong``, ``stale`` or ``open``."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an inferred profile with its marks, one per value that the line states."""

    slot: str
    value: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Opinion:
    """A judge's verdicts on a turn or a dialogue."""

    title: str
    """The main verdict: ``AL[rules] 0``."""
    failed: tuple[str, ...]
    """Of a judge of alignment: the parts at the bottom of their scale, with reasons."""
    parts: tuple[tuple[str, str, str], ...]
    """(part, value or status, reason)."""
    raw: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TurnView:
    """A turn as the page shows it."""

    turn: Turn
    new_session: bool
    told: tuple[str, ...] | None
    """What this utterance disclosed; None if unknown."""
    lines: tuple[Line, ...]
    missed: tuple[str, ...]
    """Facts told so far that the inferred profile lacks."""
    opinions: tuple[Opinion, ...]


def turn_views(record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[TurnView]:
    """The turns of a dialogue."""
    told: dict[str, int] | None = {}
    session = 0
    for turn in record.dialogue.turns:
        if turn.user.disclosed is None or told is None:
            told = None
        else:
            told |= {key: turn.index for key in turn.user.disclosed if key not in told}
        gold = record.case.gold
        now = None if turn.user.disclosed is None else tuple(names(gold, turn.user.disclosed))
        opinions = tuple(opinions_of(record, turn.index, judges))
        yield TurnView(turn, turn.session != session, now, *check(turn, gold, told), opinions)
        session = turn.session


def names(gold: Gold | None, keys: Sequence[str]) -> Iterator[str]:
    """``Slot: value`` for the keys of a disclosure ledger; the key itself where the gold does not hold it."""
    ever = (*gold.items, *(change.new for change in gold.changes if change.new)) if gold else ()
    known = {item.key: item for item in ever}
    for key in keys:
        yield named(known[key]) if key in known else key


def named(item: Item) -> str:
    return f"{item.slot + ': ' if item.slot else ''}{'not ' if item.polarity < 0 else ''}{item.value}"


def check(turn: Turn, gold: Gold | None, told: Mapping[str, int] | None) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """The lines of an inferred profile against the gold in force, and the facts told so far that they lack.

    Args:
        told: key -> turn in which the user first said it; None if unknown.
    """
    if gold is None:
        return tuple(Line(item.slot, item.value, (Mark("open", "not checked"),)) for item in turn.inferred), ()
    profile = gold.at(turn.session, turn.index)
    by = matcher(profile.items, Ontology.load())
    origin = {atom: item for item in profile.items for atom in by.resolve([item])}
    atoms = [by.resolve([item]) for item in turn.inferred]
    match = by.match([atom for group in atoms for atom in group], list(origin))
    marks = {mine: _agreement(origin[theirs], value, told) for mine, theirs, value in match.pairs}
    old = [atom for item in gold.superseded(turn.session, turn.index) for atom in by.resolve([item])]
    rivals = dict(match.contradictions)
    for item in match.unmatched:
        if any(by.weight(item, was) == 1 for was in old):
            marks[item] = Mark("stale", "out of date: held before")
        elif item in rivals:
            marks[item] = Mark("wrong", f"wrong: true is “{named(origin[rivals[item]])}”")
        else:
            marks[item] = Mark("wrong", "wrong: nothing like it in the true profile")
    found = {origin[theirs].key for _, theirs, _ in match.pairs}
    missed = [fact for fact in profile.facts if told and fact.key in told and fact.key not in found]
    return tuple(_lines(turn, atoms, marks)), tuple(named(fact) for fact in missed)


def _lines(turn: Turn, atoms: Sequence[Sequence[Item]], marks: Mapping[Item, Mark]) -> Iterator[Line]:
    seen: set[Item] = set()
    for item, group in zip(turn.inferred, atoms, strict=True):
        given = [Mark("open", "repeats another line") if a in seen or a not in marks else marks[a] for a in group]
        seen.update(group)
        yield Line(item.slot, item.value, tuple(dict.fromkeys(given)))


def _agreement(truth: Item, value: float, told: Mapping[str, int] | None) -> Mark:
    """The mark of an inferred item that agrees with a golden one, fully (1) or in part (0.5)."""
    right = "right" if value == 1 else f"partly right: true is “{truth.value}”"
    kind = "right" if value == 1 else "part"
    if truth.is_trait:
        return Mark(kind, f"{right} (a trait)")
    if told is None:
        return Mark(kind, f"{right} (told or not is unknown)")
    if truth.key in told:
        return Mark(kind, f"{right}, told in turn {told[truth.key]}")
    return Mark("guess", f"undisclosed guess, {right}")


def opinions_of(record: Record, turn: int | None, judges: Mapping[str, JudgeInfo]) -> Iterator[Opinion]:
    """Verdicts on one turn (or, for None, on the whole dialogue), judge by judge."""
    given: dict[str, dict[str, Sequence[Score]]] = {}
    for (judge, part), by_turn in record.scores.items():
        if scores := by_turn.get(turn):
            given.setdefault(judge, {})[part] = scores
    for judge in sorted(given, key=lambda name: (name.endswith(OTHER), [*judges, name].index(name), name)):
        yield _opinion(judge, given[judge], judges.get(judge.removesuffix(OTHER)))


def _opinion(judge: str, parts: Mapping[str, Sequence[Score]], info: JudgeInfo | None) -> Opinion:
    al = info.alignment if info and info.alignment in parts else ""
    main = al or next((part for part in info.reward if part in parts), "") if info else ""
    main = main or next(iter(parts))
    title = f"{'AL' if al else main}[{judge.removesuffix(OTHER)}] {_values(parts[main])}"
    if judge.endswith(OTHER):
        title += " under another user's gold"
    failed = [
        f"{part} {_values(scores)}{_reasons(scores, ' (', ')')}"
        for part, scores in parts.items()
        if al and info and part != main and any(s.value == info.parts[part].low for s in scores if part in info.parts)
    ]
    if parts[main][0].status != "scored":
        failed.append(_reasons(parts[main]))
    rows = [(part, _values(scores), _reasons(scores)) for part, scores in parts.items()]
    raw = dict.fromkeys(score.raw for scores in parts.values() for score in scores if score.raw)
    return Opinion(title, tuple(failed), tuple(rows), tuple(raw))


def _values(scores: Sequence[Score]) -> str:
    return ", ".join(s.status if s.value is None else f"{s.value:.3g}" for s in scores)


def _reasons(scores: Sequence[Score], before: str = "", after: str = "") -> str:
    text = "; ".join(dict.fromkeys(score.reason for score in scores if score.reason))
    return before + text + after if text else ""


def brief(record: Record, judges: Mapping[str, JudgeInfo]) -> str:
    """The mean alignment of a dialogue by each judge, on the judge's own scale."""
    found = []
    for info in judges.values():
        by_turn = record.scores.get((info.name, info.alignment), {})
        known = [score.value for scores in by_turn.values() for score in scores if score.value is not None]
        if known:
            found.append(f"mean AL[{info.name}] {sum(known) / len(known):.2f}")
    return ", ".join(found)


def faults(record: Record) -> list[str]:
    """What went wrong in a dialogue, in words: it failed or ended early, outputs broke, judge or user at fault."""
    dialogue = record.dialogue
    found = []
    if dialogue.ended.startswith("error"):
        found.append(f"failed ({dialogue.ended.removeprefix('error: ')})")
    elif len(dialogue.turns) < dialogue.planned:
        found.append(f"ended early ({dialogue.ended})")
    if refused := sum(turn.output.finish == "filter" for turn in dialogue.turns):
        found.append(f"{refused} refused by the provider")
    counts = Counter("truncated" if turn.truncated else "malformed" for turn in dialogue.turns if turn.malformed)
    found += [f"{n} {word}" for word, n in sorted(counts.items())]
    errors = {
        (judge, score.turn)
        for (judge, _), by_turn in record.scores.items()
        for scores in by_turn.values()
        for score in scores
        if score.status == "error"
    }
    if errors:
        found.append(f"{len(errors)} judge error{'s' if len(errors) > 1 else ''}")
    users = audit(dialogue, record.case, Ontology.load())
    found += [f"user: {fault}" for fault in users if fault.kind != "early stop"]
    return found
