"""The matrix: candidates x simulators x judges on the same cases, and what changes from one user or judge to another.

It is made of ordinary runs, one a simulator, each judged by every judge; ``report``, ``compare`` and ``score`` read
them as they read any run. What is computed here needs their summaries only.
"""

from rlpa_bench.matrix.analysis import Analysis, analyse
from rlpa_bench.matrix.grid import Cell, Grid, View, read_grid
from rlpa_bench.matrix.play import Matrix, load_matrix, matrix

__all__ = ["Analysis", "Cell", "Grid", "Matrix", "View", "analyse", "load_matrix", "matrix", "read_grid"]
