"""The values of a symmetric factor's places as a sparse matrix, to be looked up and multiplied with."""

import numpy as np
import scipy.sparse as sp

from adms.block_ldu.structure import Pattern
from adms.core.telemetry import FloatArray, IntArray


def symmetric_as_sparse(pattern: Pattern, values: FloatArray) -> sp.csr_matrix:
    """[n, n] both halves of a symmetric matrix, unknowns in the order of elimination; zero outside the pattern.

    Args:
        pattern: of the factor.
        values: [symmetric_size] of a matrix that is not factored yet, or of `selected_inverse`.
    """
    width = np.diff(pattern.start)
    below = np.repeat(np.arange(len(width)), np.diff(pattern.column))
    lower = _places(
        pattern.start[pattern.row], pattern.start[below], width[pattern.row], width[below], first=pattern.lower
    )
    diagonal = _places(pattern.start[:-1], pattern.start[:-1], width, width, first=pattern.diagonal)
    row, column, at = (np.concatenate([a, b, c]) for a, b, c in zip(diagonal, lower, _mirrored(lower), strict=True))
    size = int(pattern.start[-1])
    return sp.csr_matrix((values[at], (row, column)), shape=(size, size))


def _mirrored(entries: tuple[IntArray, IntArray, IntArray]) -> tuple[IntArray, IntArray, IntArray]:
    row, column, at = entries
    return column, row, at


def _places(
    row: IntArray, column: IntArray, rows: IntArray, columns: IntArray, *, first: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """(row, column, place of the value) of every entry of dense blocks in row-major order."""
    count = rows * columns
    block = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(block)) - np.repeat(np.cumsum(count) - count, count)
    wide = columns[block]
    return row[block] + within // wide, column[block] + within % wide, first[block] + within
