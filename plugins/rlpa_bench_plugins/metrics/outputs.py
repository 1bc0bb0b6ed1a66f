"""The outputs themselves: format, length and cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rlpa_bench.contract import Contract
from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.options import Options
from rlpa_bench.types import Turn


class FormatMetric(Metric):
    """Malformed and truncated outputs, in percent of the turns played."""

    name = "format"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [
            Column(
                "malformed", "turns that broke the output contract", 0, 100, better="lower", headline=True, binary=True
            ),
            Column("truncated", "turns cut off before they fulfilled it", 0, 100, better="lower", binary=True),
        ]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for turn in record.dialogue.turns:
            yield Value("malformed", turn.index, 100.0 * bool(turn.malformed))
            yield Value("truncated", turn.index, 100.0 * turn.truncated)


class UsageMetric(Metric):
    """Tokens per turn by kind, and cost per dialogue in US dollars, of the candidate's calls."""

    name = "usage"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        kinds = ("prompt", "reasoning", "profile", "response")
        columns = [Column(f"{kind} tokens", "per turn", better="lower") for kind in kinds]
        return [
            *columns,
            Column("cost", "US dollars per dialogue; empty is unpriced, not free", better="lower"),
        ]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        costs: list[float | None] = []
        for turn in record.dialogue.turns:
            costs += [call.cost for call in turn.output.calls]
            for kind, tokens in split_tokens(turn).items():
                yield Value(f"{kind} tokens", turn.index, tokens, "not reported", planned=bool(turn.output.calls))
        known = [cost for cost in costs if cost is not None]
        total = sum(known) if len(known) == len(costs) else None
        yield Value("cost", None, total, "unpriced", planned=bool(costs))


def split_tokens(turn: Turn) -> dict[str, float | None]:
    """Tokens of a turn's calls by kind; None where the engine did not say.

    Engines count completion tokens as a whole: what is not reasoning is split between the profile block and
    everything else by the number of characters.
    """
    calls = turn.output.calls
    written = [call.completion_tokens for call in calls]
    prompt = [call.prompt_tokens for call in calls]
    thought = sum(call.reasoning_tokens or 0 for call in calls)
    total = None if None in written else sum(n or 0 for n in written) - thought
    profile = len(Contract.parse(turn.output.raw).profile)
    share = profile / len(turn.output.raw) if turn.output.raw else 0.0
    return {
        "prompt": None if None in prompt else float(sum(n or 0 for n in prompt)),
        "reasoning": float(thought) if any(call.reasoning_tokens is not None for call in calls) else None,
        "profile": None if total is None else total * share,
        "response": None if total is None else total * (1 - share),
    }
