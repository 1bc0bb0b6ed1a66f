"""How far two raters, or a judge and its human labels, agree."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Literal


def cohen_kappa(
    first: Sequence[Any],
    second: Sequence[Any] | None = None,
    weights: Literal["linear", "quadratic"] | None = None,
) -> float:
    """Cohen's kappa of two raters: of a square confusion matrix (`first` alone), or of two label sequences.

    Weights grow with the distance of the labels: of their places in a matrix, of their values in sequences,
    whose labels must then be numbers. NaN when both raters gave one and the same label throughout. ValueError
    for unequal lengths, a matrix that is not square, or no ratings.
    """
    distances: dict[str | None, Callable[[Any, Any], float]] = {
        None: lambda r, c: r != c,
        "linear": lambda r, c: abs(r - c),
        "quadratic": lambda r, c: (r - c) ** 2,
    }
    if weights not in distances:
        raise ValueError(f"weights={weights!r} is not known: say None, 'linear' or 'quadratic'.")
    distance, table = distances[weights], _confusion(first, second)
    if weights and not all(isinstance(label, Real) for pair in table for label in pair):
        raise ValueError("Weighted kappa needs labels that are numbers: map each label to its place first.")
    total = math.fsum(table.values())
    if total <= 0 or min(table.values()) < 0:
        raise ValueError("There are no ratings to compare: give at least one, and no negative count.")
    rows: dict[Hashable, float] = defaultdict(float)
    columns: dict[Hashable, float] = defaultdict(float)
    for (row, column), count in table.items():
        rows[row] += count
        columns[column] += count
    observed = math.fsum(count * distance(*pair) for pair, count in table.items())
    expected = math.fsum(rows[r] * columns[c] * distance(r, c) for r in rows for c in columns) / total
    return 1 - observed / expected if expected else math.nan


def _confusion(first: Sequence[Any], second: Sequence[Any] | None) -> dict[tuple[Any, Any], float]:
    if second is None:
        if any(len(row) != len(first) for row in first):
            raise ValueError("The confusion matrix is not square: give a row and a column per label.")
        return {(r, c): float(count) for r, row in enumerate(first) for c, count in enumerate(row)}
    if len(first) != len(second):
        raise ValueError(f"Cannot pair {len(first)} ratings with {len(second)}: rate the same items.")
    return dict(Counter(zip(first, second, strict=True)))


def binary_agreement(
    true_positive: int, false_positive: int, false_negative: int, true_negative: int
) -> dict[str, float]:
    """Accuracy, precision, recall, f1, specificity and kappa of a yes/no judge against human labels.

    The figures of RLPA (arXiv 2505.15456), Tables 9 and 10. A share of nothing (precision when the judge
    never says yes) is NaN. ValueError without any rating.
    """
    matrix = [[true_positive, false_positive], [false_negative, true_negative]]
    kappa = cohen_kappa(matrix)

    def share(part: float, whole: float) -> float:
        return part / whole if whole else math.nan

    return {
        "accuracy": share(true_positive + true_negative, sum(map(sum, matrix))),
        "precision": share(true_positive, true_positive + false_positive),
        "recall": share(true_positive, true_positive + false_negative),
        "f1": share(2 * true_positive, 2 * true_positive + false_positive + false_negative),
        "specificity": share(true_negative, true_negative + false_positive),
        "kappa": kappa,
    }


Level = Literal["nominal", "ordinal", "interval"]


@dataclass
class Coincidences:
    """Krippendorff's coincidence counts, filled unit by unit, so that any number of units fits in memory."""

    pairs: dict[tuple[Any, Any], float] = field(default_factory=lambda: defaultdict(float))
    units: int = 0
    """Units with two ratings or more; the others say nothing about agreement."""

    def add(self, ratings: Sequence[Any]) -> None:
        """One unit: all its ratings, those that are missing (None) left out."""
        counts = Counter(rating for rating in ratings if rating is not None)
        size = sum(counts.values())
        if size < 2:
            return
        self.units += 1
        for a, many in counts.items():
            for b, others in counts.items():
                self.pairs[a, b] += many * (others - (a == b)) / (size - 1)

    def alpha(self, level: Level = "nominal") -> float:
        """Krippendorff's alpha; NaN where all ratings are one and the same or no unit has two."""
        totals: dict[Any, float] = defaultdict(float)
        for (a, _), count in self.pairs.items():
            totals[a] += count
        distance = _distance(level, totals)
        observed = math.fsum(count * distance(a, b) for (a, b), count in self.pairs.items())
        whole = math.fsum(totals.values())
        expected = math.fsum(totals[a] * totals[b] * distance(a, b) for a in totals for b in totals)
        return 1 - (whole - 1) * observed / expected if expected else math.nan


def krippendorff_alpha(units: Iterable[Sequence[Any]], level: Level = "nominal") -> float:
    """Krippendorff's alpha (2004, ch. 11) of ratings by unit, for any number of raters and missing ratings (None).

    Args:
        level: distance of two labels: 0 or 1, by ranks, or the square of their difference.

    Returns:
        1 is perfect agreement, 0 that of chance; NaN where all ratings are equal or no unit has two of them.

    Raises:
        ValueError: for an unknown level.
    """
    counts = Coincidences()
    for ratings in units:
        counts.add(ratings)
    return counts.alpha(level)


def _distance(level: str, totals: dict[Any, float]) -> Callable[[Any, Any], float]:
    if level == "nominal":
        return lambda a, b: float(a != b)
    if level == "interval":
        return lambda a, b: float((a - b) ** 2)
    if level != "ordinal":
        raise ValueError(f"level={level!r} is not known: say 'nominal', 'ordinal' or 'interval'.")

    def ranks(a: Any, b: Any) -> float:
        low, high = min(a, b), max(a, b)
        between = math.fsum(count for label, count in totals.items() if low <= label <= high)
        return (between - (totals[a] + totals[b]) / 2) ** 2 if a != b else 0.0

    return ranks
