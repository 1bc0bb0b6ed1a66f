"""The outputs themselves: format, length and cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rlpa_bench.contract import Contract
from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.options import Options
from rlpa_bench.types import Turn


class FormatMetric(Metric):
    """Malformed, truncated and refused outputs, in percent of the turns played."""

    name = "format"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [
            Column(
                "malformed", "turns that broke the output contract", 0, 100, better="lower", headline=True, binary=True
            ),
            Column("truncated", "turns cut off before they fulfilled it", 0, 100, better="lower", binary=True),
            Column("refused", "turns that the provider would not answer", 0, 100, better="lower", binary=True),
        ]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for turn in record.dialogue.turns:
            yield Value("malformed", turn.index, 100.0 * bool(turn.malformed))
            yield Value("truncated", turn.index, 100.0 * turn.truncated)
            yield Value("refused", turn.index, 100.0 * (turn.output.finish == "filter"))


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


_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


def split_tokens(turn: Turn) -> dict[str, float | None]:
    """Tokens of a turn's calls by kind; None where the engine did not say.

    Reasoning is what the engine reports as such, and what stands in the output itself as ``<think>`` text or before
    the blocks. Engines count the visible text as a whole: it is split by the number of characters into this text, the
    profile block and everything else.
    """
    calls = turn.output.calls
    written = [call.completion_tokens for call in calls]
    prompt = [call.prompt_tokens for call in calls]
    thought = sum(call.reasoning_tokens or 0 for call in calls)
    total = None if None in written else sum(n or 0 for n in written) - thought
    thinking, profile = _shares(turn.output.raw)
    reported = any(call.reasoning_tokens is not None for call in calls)
    reasoning = None if total is None else thought + total * thinking
    return {
        "prompt": None if None in prompt else float(sum(n or 0 for n in prompt)),
        "reasoning": reasoning if reported or thinking else None,
        "profile": None if total is None else total * profile,
        "response": None if total is None else total * (1 - thinking - profile),
    }


def _shares(raw: str) -> tuple[float, float]:
    """Shares of an output's characters that are visible reasoning, and that are the profile block."""
    if not raw:
        return 0.0, 0.0
    rest = _THINKING.sub("", raw)
    profile = Contract.parse(rest).profile
    before = len(rest[: rest.find("<profile>")].strip()) if not Contract.parse(rest).malformed else 0
    return (len(raw) - len(rest) + before) / len(raw), len(profile) / len(raw)
