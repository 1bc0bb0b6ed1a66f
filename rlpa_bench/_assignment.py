"""One-to-one assignment of maximum total weight in a sparse bipartite graph."""

from __future__ import annotations

from collections.abc import Sequence

Edge = tuple[int, int, float]
"""(row, column, weight > 0)."""


def assign(edges: Sequence[Edge]) -> list[Edge]:
    """The edges that a one-to-one assignment of maximum total weight keeps, in order.

    Most components are stars; the Hungarian algorithm (and SciPy with it) is needed for the others only.
    """
    chosen = []
    for component in _components(edges):
        if len({i for i, _, _ in component}) == 1 or len({j for _, j, _ in component}) == 1:
            chosen.append(max(component, key=lambda edge: (edge[2], -edge[0], -edge[1])))
        else:
            chosen += _hungarian(component)
    return sorted(chosen)


def _components(edges: Sequence[Edge]) -> list[list[Edge]]:
    groups: list[tuple[set[int], set[int], list[Edge]]] = []
    for edge in edges:
        touched = [group for group in groups if edge[0] in group[0] or edge[1] in group[1]]
        groups = [group for group in groups if group not in touched]
        rows, columns, members = {edge[0]}, {edge[1]}, [edge]
        for group in touched:
            rows, columns, members = rows | group[0], columns | group[1], group[2] + members
        groups.append((rows, columns, members))
    return [sorted(members) for _, _, members in groups]


def _hungarian(edges: list[Edge]) -> list[Edge]:
    import numpy
    from scipy.optimize import linear_sum_assignment

    rows, columns = sorted({i for i, _, _ in edges}), sorted({j for _, j, _ in edges})
    matrix = numpy.zeros((len(rows), len(columns)))
    for i, j, value in edges:
        matrix[rows.index(i), columns.index(j)] = value
    places = zip(*linear_sum_assignment(matrix, maximize=True), strict=True)
    return [(rows[r], columns[c], float(matrix[r, c])) for r, c in places if matrix[r, c] > 0]
