"""Long dialogues: what a profile still holds of what was told long ago, and the summary at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rlpa_bench.contract import Contract
from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.matching import match_items
from rlpa_bench.ontology import Ontology
from rlpa_bench.options import Options
from rlpa_bench.types import Exchange, Item
from rlpa_bench_plugins.metrics.profile import JUDGE
from rlpa_bench_plugins.metrics.stating import Stating
from rlpa_bench_plugins.suites.stress.long import SUMMARY, LongContract

RECENT, OLD = 10, 20
"""Turns: told at most so long ago, and told longer ago than that."""

_CURVES = {"contradiction": "contradiction(k)", "stale": "stale(k)"}
_SENTENCE = re.compile(r"[^.!?;\n]+")
_YOU = re.compile(r"\byou(?:r|rs)?\b|\byou['’](?:re|ve)\b", re.IGNORECASE)


class HorizonMetric(Metric):
    """Memory over a long dialogue with a summary at the end (`aloe-long`)."""

    name = "horizon"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        recent = f"facts last told at most {RECENT} turns ago that the profile states, in percent"
        old = f"facts last told more than {OLD} turns ago that the profile states, in percent"
        summary = "F1 over the facts of the summary at the end (RLPA, long-term test; its formula is not published)"
        cut = "turns in which the oldest turns were not shown, in percent"
        columns = [
            Column("recall of recent", recent, 0, 100, by_turn=True, headline=True),
            Column("recall of old", old, 0, 100, by_turn=True, headline=True),
            Column(f"stability({OLD})", f"share of right inferences that are there {OLD} turns later", 0, 100),
            Column("profile summary", summary, 0, 100, headline=True),
            Column("history cut", cut, 0, 100, better="", binary=True),
        ]
        if JUDGE in judges:
            texts = {part: judges[JUDGE].parts[part].help for part in _CURVES if part in judges[JUDGE].parts}
            columns += [
                Column(_CURVES[part], text, 0, 100, better="lower", by_turn=True) for part, text in texts.items()
            ]
        return columns

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        last = next((remark.turn for remark in record.case.remarks if remark.kind == SUMMARY), None)
        if last is None or record.case.gold is None:
            return
        yield from _recall(record, Stating(record, self.context.ontology))
        yield from _cut(record)
        if last <= record.case.turns:
            yield self._summary(record, last)
        for part, column in _CURVES.items():
            if JUDGE in judges and part in judges[JUDGE].parts:
                for turn, value, reason, defined in record.verdicts(JUDGE, part):
                    yield Value(column, turn, None if value is None else 100 * value, reason, defined)

    def _summary(self, record: Record, last: int) -> Value:
        missing = dict(record.missing_turns)
        if last in missing:
            return Value("profile summary", None, None, missing[last])
        turn, gold, ontology = record.dialogue.turns[last - 1], record.case.gold, self.context.ontology
        assert gold is not None
        facts = [atom for fact in gold.at(turn.session, turn.index).facts for atom in ontology.resolve(fact)]
        return Value("profile summary", None, 100 * match_items(summed_up(turn.response, ontology), facts, ontology).f1)


def summed_up(text: str, ontology: Ontology) -> list[Item]:
    """The facts that a summary states: its ``Slot: value`` lines, and values of the ontology in its sentences.

    What the ontology does not know counts in a line with a slot, and is passed over in a sentence.
    """
    lines = Contract.items(text)
    found = [atom for line in lines if line.slot for atom in ontology.resolve(line)]
    for line in lines:
        for sentence in _SENTENCE.findall(line.value) if not line.slot else ():
            clause = _YOU.sub(" ", sentence).strip()
            found += [atom for atom in ontology.resolve(Item("", clause)) if atom.id]
    return [atom for atom in dict.fromkeys(found) if not atom.is_trait]


def _recall(record: Record, reading: Stating) -> Iterator[Value]:
    gold = record.case.gold
    assert gold is not None
    told: dict[str, int] = {}
    right: list[set[str]] = []
    for turn in record.dialogue.turns:
        told |= dict.fromkeys(turn.user.disclosed or (), turn.index)
        facts = gold.at(turn.session, turn.index).facts
        stated = reading.stated(turn, facts)
        holds = {fact.key for fact in facts}
        recent = {key for key in holds if key in told and turn.index - told[key] <= RECENT}
        old = {key for key in holds if key in told and turn.index - told[key] > OLD}
        for column, asked in (("recall of recent", recent), ("recall of old", old)):
            if asked:
                yield Value(column, turn.index, 100 * len(asked & stated) / len(asked))
        if len(right) >= OLD and (before := right[-OLD] & holds):
            yield Value(f"stability({OLD})", turn.index, 100 * len(before & stated) / len(before))
        right.append(stated)
    for index, reason in record.missing_turns:
        for column in ("recall of recent", "recall of old"):
            yield Value(column, index, None, reason)


def _cut(record: Record) -> Iterator[Value]:
    limit = record.case.factors.get("history")
    if limit is None:
        return
    contract = LongContract(history=int(limit))
    history: list[Exchange] = []
    for turn in record.dialogue.turns:
        yield Value("history cut", turn.index, 100.0 * (len(contract.shown(history)) < len(history)))
        history.append(Exchange(turn.user.text, turn.response))
