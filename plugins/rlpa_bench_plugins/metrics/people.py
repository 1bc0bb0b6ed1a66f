"""What people said, where they were the users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.options import Options
from rlpa_bench.people.journal import Opinion, opinions

RATING = Column("rating", "people's grade of the reply, 1 to 5", 1, 5, by_turn=True, headline=True)
CONFIRMED = Column("confirmed", "share of the inferred lines, of those people could tell, that they call right", 0, 100,
                   headline=True)  # fmt: skip


class PeopleMetric(Metric):
    """``rating``: people's grades (1 to 5) per turn. ``confirmed``: what of the last inferred profile they call right.

    Both come from people.jsonl, which ``rlpa-bench serve-human`` writes; other runs have neither. Ratings are of
    people who know how a persona was given to them, and of replies they saw one candidate at a time.
    """

    name = "people"
    Options = Options

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._opinions: dict[tuple[str, str, int], Opinion] = {}

    def read_run(self, path: Path) -> None:
        """Raises DataError if people.jsonl cannot be read."""
        self._opinions = opinions(path)

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [RATING, CONFIRMED] if self._opinions else []

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        if not self._opinions:
            return
        dialogue = record.dialogue
        opinion = self._opinions.get((dialogue.candidate, dialogue.case, dialogue.seed), Opinion(""))
        for turn in dialogue.turns:
            given = opinion.ratings.get(turn.index)
            yield Value(RATING.name, turn.index, None if given is None else float(given), "" if given else "not rated")
        for index, reason in record.missing_turns:
            yield Value(RATING.name, index, None, reason)
        yield _confirmed(opinion)


def _confirmed(opinion: Opinion) -> Value:
    if opinion.items is None:
        return Value(CONFIRMED.name, None, None, "not looked at")
    answers = [item["answer"] for item in opinion.items if item["answer"] != "unsure"]
    if not answers:
        return Value(CONFIRMED.name, None, None, "nothing inferred that could be told", planned=False)
    return Value(CONFIRMED.name, None, 100 * answers.count("right") / len(answers))
