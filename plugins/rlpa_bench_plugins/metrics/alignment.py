"""Alignment: what the judges say of the replies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rlpa_bench import alignment
from rlpa_bench.interfaces import Column, JudgeInfo, Metric, Record, Value
from rlpa_bench.options import Options
from rlpa_bench.scoring import OTHER

CURVES = {
    "IR": (alignment.improvement_rate, "slope of AL(k) over k"),
    "R2": (alignment.r_squared, "fit of that slope"),
    "N-IR": (alignment.normalized_improvement_rate, "slope of the min-max normalised AL(k)"),
    "N-R2": (alignment.normalized_r_squared, "fit of that slope"),
}


def factor(info: JudgeInfo, part: str) -> float:
    """0-1 scales are shown x100, as RLPA does; other scales as they are."""
    scale = info.parts[part]
    return 100.0 if (scale.low, scale.high) == (0.0, 1.0) else 1.0


def aligned(judges: Mapping[str, JudgeInfo]) -> list[JudgeInfo]:
    return [info for info in judges.values() if info.alignment and info.target == "turn"]


def alignment_columns(tag: str, low: float, high: float, *, binary: bool) -> list[Column]:
    """AVG, AL(1), AL(2+) and the functions of the curve for one judge, whose tag ends their names."""
    return [
        Column(f"AVG{tag}", "mean of AL(k) over the turns", low, high, by_turn=True, headline=True, binary=binary),
        Column(f"AL(1){tag}", "alignment at turn 1, when nothing is known of the user", low, high, binary=binary),
        Column(f"AL(2+){tag}", "alignment from turn 2 on", low, high, headline=True, binary=binary),
        *(
            Column(f"{name}{tag}", text, curve_of=f"AVG{tag}", curve=function, headline=name == "N-IR")
            for name, (function, text) in CURVES.items()
        ),
    ]


class AlignmentMetric(Metric):
    """AL(k), AVG, IR, R2, N-IR and N-R2 per judge (RLPA, section 4.1 and appendix C.3; ALOE for IR)."""

    name = "alignment"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        columns: list[Column] = []
        for info in aligned(judges):
            scale, unit = info.parts[info.alignment], factor(info, info.alignment)
            columns += alignment_columns(f"[{info.name}]", scale.low * unit, scale.high * unit, binary=scale.binary)
        return columns

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for info in aligned(judges):
            unit = factor(info, info.alignment)
            for turn, value, reason, defined in record.verdicts(info.name, info.alignment):
                scaled = None if value is None else value * unit
                part = "AL(1)" if turn == 1 else "AL(2+)"
                for column in ("AVG", part):
                    yield Value(f"{column}[{info.name}]", turn, scaled, reason, defined)


class CriteriaMetric(Metric):
    """Each criterion of an alignment judge by itself, such as naturalness or style."""

    name = "criteria"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        return [
            Column(f"{part}[{info.name}]", scale.help, scale.low * unit, scale.high * unit, binary=scale.binary)
            for info in aligned(judges)
            for part, scale in info.parts.items()
            if part != info.alignment and (unit := factor(info, part))
        ]

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for info in aligned(judges):
            for part in info.parts:
                if part == info.alignment:
                    continue
                unit = factor(info, part)
                for turn, value, reason, defined in record.verdicts(info.name, part):
                    scaled = None if value is None else value * unit
                    yield Value(f"{part}[{info.name}]", turn, scaled, reason, defined)


class PersonalisationMetric(Metric):
    """Personalisation proper: alignment under the user's gold minus under another user's, same transcripts."""

    name = "personalisation"
    Options = Options

    def columns(self, judges: Mapping[str, JudgeInfo]) -> Sequence[Column]:
        columns = []
        for info in aligned(judges):
            if info.other_gold:
                scale = info.parts[info.alignment]
                span = (scale.high - scale.low) * factor(info, info.alignment)
                text = "alignment minus alignment under another user's gold"
                columns.append(Column(f"personal[{info.name}]", text, -span, span, headline=True))
        return columns

    def measure(self, record: Record, judges: Mapping[str, JudgeInfo]) -> Iterator[Value]:
        for info in aligned(judges):
            if not info.other_gold:
                continue
            unit = factor(info, info.alignment)
            own = record.verdicts(info.name, info.alignment)
            other = record.verdicts(info.name + OTHER, info.alignment)
            for (turn, mine, reason, defined), (_, theirs, why, also) in zip(own, other, strict=True):
                value = None if mine is None or theirs is None else (mine - theirs) * unit
                yield Value(f"personal[{info.name}]", turn, value, reason or why, defined and also)
