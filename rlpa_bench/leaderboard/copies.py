"""Whether a system's outputs are another's: equal word for word, or nearly so.

A fingerprint is 64 bits per output, of which small edits change few: the sign of each bit's sum over the hashes of all
word pairs (M. Charikar, Similarity estimation techniques from rounding algorithms, STOC 2002).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from rlpa_bench.leaderboard.checks import Findings
from rlpa_bench.leaderboard.schema import Result
from rlpa_bench.types import Dialogue

COPIED = 0.5
"""Share of a system's own outputs that another system wrote too, above which one is a copy of the other."""
NEAR = 10
"""Bits of 64 in which the fingerprints of near-duplicates differ at most; unrelated texts differ in about 32."""
NEAR_COPY = "near-copy"
FEWEST = 5
"""Outputs that must be comparable."""
_WORD = re.compile(r"[^\W_]+")
_DIGITS = 16


def fingerprint(dialogue: Dialogue) -> str:
    """Sixteen hex digits per turn, of the raw output."""
    return "".join(f"{similarity_hash(turn.output.raw):016x}" for turn in dialogue.turns)


def similarity_hash(text: str) -> int:
    """64 bits that texts of nearly the same word pairs nearly share; case and punctuation do not count."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    pairs = Counter(zip(["", *words], [*words, ""], strict=True))
    sums = [0] * 64
    for pair, times in pairs.items():
        bits = int.from_bytes(blake2b("\0".join(pair).encode(), digest_size=8).digest())
        for place in range(64):
            sums[place] += times if bits >> place & 1 else -times
    return sum(1 << place for place, total in enumerate(sums) if total > 0)


def copies(mine: Result, known: Iterable[Result], reproduces: str, findings: Findings) -> None:
    """Refuses what another row of the board says word for word, and flags what it nearly says.

    One submitter's baselines on the same weights may ask alike and then are answered alike: that is flagged only.
    """
    prints = mine.fingerprints
    for other in known:
        if other.id in (mine.id, reproduces) or other.board != mine.board:
            continue
        exact = copied(prints, other.fingerprints)
        if exact > COPIED and not _kin(mine, other):
            findings.fail(
                "content",
                f"{exact:.0%} of its outputs are, word for word, those of {other.id!r} on this board; to submit a "
                "reproduction of it, name it with --reproduces",
            )
        elif (share := copied(prints, other.fingerprints, NEAR)) > COPIED:
            text = f"{share:.0%} of its outputs are nearly those of {other.id!r} on this board"
            findings.flag("content", NEAR_COPY, text)


def _kin(a: Result, b: Result) -> bool:
    """Whether two rows are one submitter's, of one model under two baselines."""
    ours, theirs = a.submission.system, b.submission.system
    one = (a.submission.submitter, ours.model, ours.weights) == (b.submission.submitter, theirs.model, theirs.weights)
    return one and bool(ours.model) and ours.baseline != theirs.baseline


def copied(mine: Mapping[str, str], theirs: Mapping[str, str], bits: int = 0) -> float:
    """Share of one system's turns, in dialogues both played, whose output the other wrote too, up to so many bits.

    Outputs that a system writes more than once in its own dialogues do not count: a greeting is nobody's own.
    """
    own, foreign = _by_turn(mine), _by_turn(theirs)
    often = Counter(own.values())
    shared = [(place, word) for place, word in own.items() if place in foreign and often[word] == 1]
    same = sum((foreign[place] ^ word).bit_count() <= bits for place, word in shared)
    return same / len(shared) if len(shared) >= FEWEST else 0.0


def _by_turn(prints: Mapping[str, str]) -> dict[tuple[str, int], int]:
    places = ((name, text, i) for name, text in prints.items() for i in range(0, len(text), _DIGITS))
    return {(name, i // _DIGITS): int(text[i : i + _DIGITS], 16) for name, text, i in places}
