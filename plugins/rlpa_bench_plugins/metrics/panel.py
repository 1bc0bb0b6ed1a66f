"""A panel of judges: each candidate by the members that are not of its own family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.options import Options
from rlpa_bench_plugins.judges.panel import family, member_of
from rlpa_bench_plugins.metrics.alignment import alignment_columns, factor

_Verdict = tuple[int, float | None, str, bool]


def members(info: JudgeInfo) -> dict[str, tuple[str, str, str]]:
    """The parts of a judge that are a member's verdict: name -> (part, family, model)."""
    return {name: member for name in info.parts if (member := member_of(name))}


class PanelMetric(Metric):
    """Alignment by a panel: the mean of its members, those of the candidate's own family left out and shown apart."""

    name = "panel"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        columns = []
        for info in judges.values():
            found = members(info)
            if not found or info.alignment:  # with one of its own, the metric alignment fills these columns
                continue
            part = next(iter(found.values()))[0]
            unit = factor(info, part)
            scale = info.parts[part]
            low, high, tag = scale.low * unit, scale.high * unit, f"[{info.name}]"
            columns += alignment_columns(tag, low, high, binary=False)
            columns.append(Column(f"own family{tag}", "AVG by the members of the candidate's own family", low, high))
            text = "turns on which the members disagree, in percent"
            columns.append(Column(f"split{tag}", text, 0, 100, better="", binary=True))
        return columns

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for info in judges.values():
            if not info.alignment and (found := members(info)):
                yield from self._measure(record, info, found)

    def _measure(self, record: Record, info: JudgeInfo, found: Mapping[str, tuple[str, str, str]]) -> Iterator[Value]:
        model = record.dialogue.candidate.rpartition("/")[0]
        own = {name for name, (_, maker, spec) in found.items() if model and (maker == family(model) or spec == model)}
        unit, tag = factor(info, next(iter(found.values()))[0]), f"[{info.name}]"
        every = [(turn, name, rest) for name in found for turn, *rest in record.verdicts(info.name, name)]
        for turn, group in groupby(sorted(every, key=lambda entry: entry[0]), key=lambda entry: entry[0]):
            given: dict[str, _Verdict] = {name: (turn, *rest) for _, name, rest in group}
            others = [verdict for name, verdict in given.items() if name not in own]
            for column in ("AVG", "AL(1)" if turn == 1 else "AL(2+)"):
                yield self._mean(f"{column}{tag}", turn, others, unit)
            if own:
                yield self._mean(f"own family{tag}", turn, [given[name] for name in own], unit)
            values = {value for _, value, _, _ in given.values()}
            known = None if None in values else 100.0 * (len(values) > 1)
            yield Value(f"split{tag}", turn, known, _why(list(given.values())), _defined(list(given.values())))

    @staticmethod
    def _mean(column: str, turn: int, given: Sequence[_Verdict], unit: float) -> Value:
        if not given:
            return Value(column, turn, None, "no member of another family")
        values = [value for _, value, _, _ in given if value is not None]
        mean = sum(values) / len(values) * unit if len(values) == len(given) else None
        return Value(column, turn, mean, _why(given), _defined(given))


def _why(given: Sequence[_Verdict]) -> str:
    return next((reason for _, value, reason, _ in given if value is None), "")


def _defined(given: Sequence[_Verdict]) -> bool:
    return all(defined for _, _, _, defined in given)
