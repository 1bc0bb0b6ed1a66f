"""Results that stand -> boards: rows, paired differences, ranks where there is enough to rank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rlpa_bench.comparison import RANK_PROFILES
from rlpa_bench.leaderboard.pairs import compared, ranks
from rlpa_bench.leaderboard.recompute import headline_of
from rlpa_bench.leaderboard.schema import FLAGS, TIERS, Board, Entry, Result, Row
from rlpa_bench.leaderboard.store import Standing
from rlpa_bench.statistics import RankInterval

MARKS = {"withdrawn", "trained-on-profiles", "gold", "disclosed", "incomplete", "knows-undisclosed", "flagged"}
"""Flags that keep a row from being ranked."""


def boards(standing: Sequence[Standing], history: Sequence[Entry]) -> list[Board]:
    """All boards, those with most contestants first."""
    groups: dict[str, list[Standing]] = {}
    for one in standing:
        groups.setdefault(one.result.board, []).append(one)
    made = [_board(name, group, history) for name, group in groups.items()]
    return sorted(made, key=lambda board: (-sum(not row.control for row in board.rows), -board.rows[0].cases, board.id))


def _board(name: str, group: Sequence[Standing], history: Sequence[Entry]) -> Board:
    first = group[0].result
    column = headline_of(first.columns)["name"]
    lower = headline_of(first.columns)["better"] == "lower"

    def place(one: Standing) -> tuple[bool, float, str]:
        mean = one.result.row.get(column, {}).get("mean")
        return (mean is None, 0.0 if mean is None else mean if lower else -mean, one.result.id)

    ordered = sorted(group, key=place)
    contestants = [one.result.id for one in ordered if _may_rank(one, column)]
    differences = compared([one.result for one in ordered if not one.withdrawn], contestants, column)
    enough = len(contestants) > 1 or len(set(first.clusters.values())) >= RANK_PROFILES
    found = ranks(contestants, differences, lower=lower) if contestants and enough else {}
    ids = {one.result.id for one in group}
    mine = [entry for entry in history if entry.id in ids and entry.board in ("", name)]
    rows = tuple(_row(one, found.get(one.result.id)) for one in ordered)
    profiles = max((row.profiles for row in rows), default=0)
    key = first.key
    return Board(
        id=name,
        key=key,
        title=f"{key.suite}: {key.split}, simulator {key.simulator}, judges {', '.join(key.judges)}",
        updated=max((entry.time for entry in mine), default=None),
        headline=column,
        columns=tuple(column for column in first.columns if any(column["name"] in row.row for row in rows)),
        rows=rows,
        differences=tuple(differences),
        notes=tuple(_notes(first, rows, profiles, ranked=bool(found))),
        tiers=TIERS,
        flags=FLAGS,
        history=tuple(mine),
    )


def _may_rank(one: Standing, column: str) -> bool:
    control = one.result.submission.system.method == "control"
    return not control and not MARKS & set(one.flags) and one.result.row.get(column, {}).get("mean") is not None


def _row(one: Standing, rank: RankInterval | None) -> Row:
    result = one.result
    submission = result.submission
    seeds = {name.rpartition("/")[2] for name in result.fingerprints}
    return Row(
        id=result.id,
        system=submission.system,
        submitter=submission.submitter,
        created=submission.created,
        tier=one.tier,
        flags=one.flags,
        control=submission.system.method == "control",
        ranked=rank is not None,
        zero_shot=submission.system.training.zero_shot,
        rank=(rank.low, rank.high) if rank else None,
        tie_group=rank.group if rank else None,
        profiles=len(set(result.clusters.values())),
        cases=len(result.clusters),
        seeds=len(seeds),
        counts=submission.counts,
        cost=result.cost,
        usage=result.usage,
        row={name: {k: v for k, v in cell.items() if k != "cases"} for name, cell in result.row.items()},
        bands=result.bands,
        manifest=result.manifest,
    )


def _notes(first: Result, rows: Sequence[Row], profiles: int, *, ranked: bool) -> Iterator[str]:
    key = first.key
    length = "-".join(map(str, sorted(set(key.turns))))
    yield (
        f"Suite {key.suite} under protocol {key.protocol}: {key.split}, {profiles} profiles, {length} turns; "
        f"simulated user {key.simulator}, judges {', '.join(key.judges)}. Runs of other terms stand on other boards."
    )
    yield "Intervals are 95 %, clustered by profile. AL and rates are x100. All are recomputed from transcripts."
    if ranked:
        yield (
            "A rank interval holds all ranks that the data allow, for all systems at once (paired tests, Holm, 95 %); "
            "systems of one tie group cannot be told from its first."
        )
    elif profiles < RANK_PROFILES:
        yield f"Fewer than {RANK_PROFILES} profiles: intervals and paired differences, no ranks. Order is no ranking."
    else:
        yield "No contestants to rank yet."
    if "rules" in key.judges:
        yield (
            "AVG[rules] is a rule judge's: an instrument for elicitation and use of facts, not human-calibrated, and "
            "not comparable with the RLPA or ALOE papers' numbers."
        )
    if any(row.control for row in rows):
        yield "Controls have no model; they show what a reply earns that learns nothing, or is given everything."
