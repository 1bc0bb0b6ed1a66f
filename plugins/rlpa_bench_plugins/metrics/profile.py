"""The inferred profile: how right it is, beside how much the user has said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rlpa_bench.free_matching import matcher
from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.options import Options
from rlpa_bench.types import Turn

JUDGE = "profile"
SHOWN: dict[str, tuple[str, str, bool]] = {
    "f1": ("profile F1", "F1 over the facts", True),
    "precision": ("profile precision", "share of inferred facts that are right", False),
    "recall": ("profile recall", "share of all gold facts inferred", False),
    "recall_disclosed": ("recall on disclosed", "share of the facts told so far that are inferred", True),
    "trait_f1": ("trait F1", "F1 over the personality traits", False),
    "all_f1": ("all-items F1", "F1 over facts and traits in one list, RLPA's definition", False),
    "hallucination": ("hallucination", "inferred facts that neither gold nor disclosure supports", False),
    "lucky": ("lucky guess", "inferred facts that are right but were never told", False),
    "contradiction": ("contradiction", "inferred facts that conflict with the gold", False),
    "stale": ("stale value", "inferred facts that held before and no longer do", False),
}
BAD = {"hallucination", "lucky", "contradiction", "stale"}


class ProfileMetric(Metric):
    """Profile F1 and its relatives per turn, x100 (RLPA, eq. 3, with one-to-one matching)."""

    name = "profile"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        if JUDGE not in judges:
            return []
        return [
            Column(
                title,
                text,
                0,
                100,
                better="lower" if part in BAD else "higher",
                by_turn=part in ("f1", "recall_disclosed"),
                headline=headline,
            )
            for part, (title, text, headline) in SHOWN.items()
            if part in judges[JUDGE].parts
        ]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        if JUDGE not in judges:
            return
        for part, (title, _, _) in SHOWN.items():
            if part in judges[JUDGE].parts:
                for turn, value, reason, defined in record.verdicts(JUDGE, part):
                    yield Value(title, turn, None if value is None else value * 100, reason, defined)


class DisclosureMetric(Metric):
    """D(k): share of the gold facts that the user has stated by turn k, x100; and D(K) at the end."""

    name = "disclosure"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        text = "share of the gold facts stated by the user so far"
        return [
            Column("D(k)", text, 0, 100, by_turn=True),
            Column("elicited", "share of the gold facts stated by the end", 0, 100, headline=True),
        ]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        share: float | None = None
        reason = "ledger unknown"
        known: set[str] | None = set()
        for turn in record.dialogue.turns:
            if known is not None:
                known = None if turn.user.disclosed is None else known | set(turn.user.disclosed)
            share = self._share(record, known, turn)
            yield Value("D(k)", turn.index, share, "" if share is not None else reason)
        for index, why in record.missing_turns:
            share, reason = None, why
            yield Value("D(k)", index, None, why)
        yield Value("elicited", None, share, "" if share is not None else reason)

    @staticmethod
    def _share(record: Record, known: set[str] | None, turn: Turn) -> float | None:
        if known is None or record.case.gold is None:
            return None
        facts = record.case.gold.at(turn.session, turn.index).facts
        return 100 * sum(fact.key in known for fact in facts) / len(facts) if facts else None


class StabilityMetric(Metric):
    """Stability: of the gold facts inferred at turn k, the share still inferred at turn k + 1, x100."""

    name = "stability"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [Column("stability", "share of right inferences kept in the next turn", 0, 100)]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        before: set[str] = set()
        for turn in record.dialogue.turns:
            right = self._right(record, turn)
            if before:
                still = [key for key in before if key in right or not self._holds(record, turn, key)]
                yield Value("stability", turn.index, 100 * len(still) / len(before))
            before = right

    def _right(self, record: Record, turn: Turn) -> set[str]:
        if record.case.gold is None or not turn.inferred:
            return set()
        facts = record.case.gold.at(turn.session, turn.index).facts
        by = matcher(facts, self.context.ontology)
        match = by.match(by.resolve(turn.inferred), by.resolve(facts))
        return {gold.key for _, gold, weight in match.pairs if weight == 1}

    @staticmethod
    def _holds(record: Record, turn: Turn, key: str) -> bool:
        gold = record.case.gold
        return gold is not None and any(item.key == key for item in gold.at(turn.session, turn.index).facts)
