"""Judging a dialogue that Inspect has played, and Inspect's metrics over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import TaskState

from rlpa_bench.build import Harness
from rlpa_bench.interfaces import JudgeInfo, Record
from rlpa_bench.scoring import other_case, score_dialogue
from rlpa_bench.summary import records, summarise
from rlpa_bench.transcripts import adapter
from rlpa_bench.types import Case, Dialogue
from rlpa_bench.types import Score as Verdicts
from rlpa_bench_plugins.adapters.terms import terms_from

DIALOGUE = "rlpa_bench:dialogue"
"""Where the transcript is kept in Inspect's store."""


@metric(name="columns", scores="unreduced")
def columns() -> Metric:
    """Every column's mean, and the interval of the headline ones, over all dialogues."""

    def reduce(scores: list[SampleScore]) -> dict[str, float]:
        found = [score.score.metadata for score in scores if score.score.metadata]
        if not found:
            return {}
        judges = {info.name: info for info in adapter(list[JudgeInfo]).validate_python(found[0]["judges"])}
        metrics = Harness("").metrics()
        (row,) = summarise((_record(kept) for kept in found), metrics, judges).values()
        headline = {column.name for each in metrics for column in each.columns(judges) if column.headline}
        ends = [(name, end) for name in row for end in ("mean", *(("low", "high") if name in headline else ()))]
        values = {name if end == "mean" else f"{name} {end}": row[name][end] for name, end in ends}
        return {name: value for name, value in values.items() if value is not None}

    return reduce


def _record(kept: Mapping[str, Any]) -> Record:
    case: Case = adapter(Case).validate_python(kept["case"])
    played: Dialogue = adapter(Dialogue).validate_python(kept["dialogue"])
    scores = adapter(list[Verdicts]).validate_python(kept["scores"])
    return next(records([played], iter([scores] if scores else []), {case.id: case}))


@scorer(metrics=[columns()])
def rlpa_bench(**arguments: Any) -> Scorer:
    """Judges every turn; the value of a sample is each column's mean over its units, None where none was scored.

    Args:
        arguments: those of :class:`rlpa_bench_plugins.adapters.terms.Terms`.
    """
    terms = terms_from(arguments)

    async def score(state: TaskState, target: Target) -> Score | None:
        kept = state.store.get(DIALOGUE)
        if kept is None:
            return None
        played: Dialogue = adapter(Dialogue).validate_python(kept)
        case = terms.cases[played.case]
        other = other_case(case, list(terms.cases.values()))
        scores = [s async for s in score_dialogue(played, case, terms.env.judges, other=other)]
        judges = {judge.name: JudgeInfo.of(judge) for judge in terms.env.judges}
        record = {
            "case": adapter(Case).dump_python(case, mode="json"),
            "dialogue": kept,
            "scores": adapter(list[Verdicts]).dump_python(scores, mode="json"),
            "judges": adapter(list[JudgeInfo]).dump_python(list(judges.values()), mode="json"),
        }
        (row,) = summarise([_record(record)], terms.harness.metrics(), judges).values()
        values = {name: cell["mean"] for name, cell in row.items() if cell["planned"]}
        return Score(value=values, answer=played.ended, metadata=record)

    return score
