"""Whether one submission reproduces another: the same system on the same board, played by somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rlpa_bench.errors import UsageError
from rlpa_bench.leaderboard.copies import copied
from rlpa_bench.leaderboard.pairs import paired
from rlpa_bench.leaderboard.recompute import headline_of
from rlpa_bench.leaderboard.schema import Result


def reproduced(original: Result, again: Result) -> Iterator[dict[str, Any]]:
    """History entries: tier T3 for both where the headline cannot be told apart, otherwise a flag on the original.

    "Cannot be told apart" means that the 95 % interval of the paired difference holds 0 and is no wider than a tenth of
    the column's scale, or that the transcripts are equal, word for word.

    Raises:
        UsageError: for another system, other weights or decoding, or the same submitter.
    """
    one, two = original.submission, again.submission
    for what in ("name", "weights", "decoding", "grants"):
        if getattr(one.system, what) != getattr(two.system, what):
            raise UsageError(f"{again.id!r} does not reproduce {original.id!r}: another {what}")
    if one.submitter == two.submitter:
        raise UsageError(f"{again.id!r} is by {two.submitter!r}, as {original.id!r} is; T3 needs somebody else")
    column = headline_of(original.columns)
    difference = paired(original, again, column["name"])
    equal = copied(original.fingerprints, again.fingerprints) == 1.0
    if difference is None:
        raise UsageError(f"{again.id!r} and {original.id!r} share too few cases in {column['name']}")
    low, high = difference.low, difference.high
    span = (column["high"] or 100.0) - (column["low"] or 0.0)
    words = f"{column['name']} differs by {difference.mean:.2f} [{low:.2f}, {high:.2f}]"
    if equal or (low <= 0 <= high and high - low <= 0.1 * span):
        for name, other in ((original.id, again.id), (again.id, original.id)):
            yield {
                "event": "tier",
                "name": name,
                "board": original.board,
                "tier": "T3",
                "reason": f"as {other}: {words}",
            }
    elif not low <= 0 <= high:
        reason = f"not reproduced by {again.id}: {words}"
        yield {"event": "flag", "name": original.id, "board": original.board, "flags": ("flagged",), "reason": reason}
