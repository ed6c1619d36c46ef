"""The values of a factor, and solving with it.

A = L D U with unit block-triangular L and U; stored are L, the inverses of the diagonal blocks, and U (Golub and
Van Loan, Matrix Computations, 4th ed., section 4.2, block form). Only the pattern needs to be symmetric. Pivots are
chosen inside a block, never across blocks: that is stable for network matrices, whose columns are dominated by their
diagonal blocks, and its error is seen by whoever checks the residual.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from adms.block_ldu.structure import BlockStructure, Pattern
from adms.core.compiled import compiled

Number = TypeVar("Number", np.float64, np.complex128)
AnyArray = npt.NDArray[Number]

_LOST_DIGITS = 1e-14
"""A pivot smaller than this part of what its block was before anything was eliminated has no correct digit left."""


@dataclass(frozen=True, kw_only=True)
class Singular:
    """No factor: the matrix is singular to rounding."""

    unknown: int
    """The unknown at whose block that showed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockFactor(Generic[Number]):
    """A factored matrix, float64 or complex128."""

    structure: BlockStructure
    values: AnyArray[Number]
    """As `Pattern` lays them out."""
    negative: bool
    """True where a real matrix has a negative determinant."""

    def solve(self, b: AnyArray[Number]) -> AnyArray[Number]:
        """x of A x = b.

        Args:
            b: [n] or [n, case], of the factor's type.

        Returns:
            The same shape.
        """
        order = self.structure.order
        x = np.ascontiguousarray(b[order])
        pattern = self.structure.pattern
        if x.ndim == 1:
            substitute(pattern, self.values, x, 0)
        else:
            substitute_columns(pattern, self.values, x, 0)
        back = np.empty_like(x)
        back[order] = x
        return back


def factorise(structure: BlockStructure, *, values: AnyArray[Number]) -> BlockFactor[Number] | Singular:
    """The factor of the matrix whose entries stand in `values` [structure.size]; they are overwritten."""
    bad, negative = eliminate(structure.pattern, values, len(structure.pattern.diagonal))
    if bad >= 0:
        return Singular(unknown=int(structure.order[structure.pattern.start[bad]]))
    return BlockFactor(structure=structure, values=values, negative=negative)


@compiled
def invert(values: AnyArray[Number], at: int, n: int, least: float, work: AnyArray[Number]) -> int:
    """Inverts the n x n block at `at` in place: a triangular factor with row pivots, then a solution for each unit
    vector (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 14.3: in blocks of mixed units
    Gauss-Jordan loses hundreds of times as much). Returns 0 if no pivot is larger than `least`, else the sign of its
    determinant (of a real block)."""
    sign = 1
    if n == 1:
        pivot = values[at]
        if not abs(pivot) > least:
            return 0
        values[at] = 1.0 / pivot
        return -1 if pivot.real < 0.0 else 1
    for k in range(n * n):
        work[k] = values[at + k]
        values[at + k] = 0.0
    for k in range(n):
        values[at + k * n + k] = 1.0
    for k in range(n):
        best, largest = k, abs(work[k * n + k])
        for i in range(k + 1, n):
            here = abs(work[i * n + k])
            if here > largest:
                best, largest = i, here
        if not largest > least:
            return 0
        if best != k:
            sign = -sign
            for c in range(n):
                swap = work[k * n + c]
                work[k * n + c] = work[best * n + c]
                work[best * n + c] = swap
                swap = values[at + k * n + c]
                values[at + k * n + c] = values[at + best * n + c]
                values[at + best * n + c] = swap
        pivot = work[k * n + k]
        if pivot.real < 0.0:
            sign = -sign
        part = 1.0 / pivot
        for i in range(k + 1, n):
            lower = work[i * n + k]
            if lower != 0.0:
                lower *= part
                for c in range(k + 1, n):
                    work[i * n + c] -= lower * work[k * n + c]
                for c in range(n):
                    values[at + i * n + c] -= lower * values[at + k * n + c]
    for k in range(n - 1, -1, -1):
        part = 1.0 / work[k * n + k]
        for c in range(n):
            values[at + k * n + c] *= part
        for i in range(k):
            upper = work[i * n + k]
            if upper != 0.0:
                for c in range(n):
                    values[at + i * n + c] -= upper * values[at + k * n + c]
    return sign


@compiled
def _subtract_product(values: AnyArray[Number], c: int, a: int, b: int, rows: int, inner: int, cols: int) -> None:
    """Block at c (rows x cols) -= block at a (rows x inner) times block at b (inner x cols)."""
    for i in range(rows):
        for k in range(inner):
            part = values[a + i * inner + k]
            for j in range(cols):
                values[c + i * cols + j] -= part * values[b + k * cols + j]


@compiled
def eliminate(pattern: Pattern, values: AnyArray[Number], until: int) -> tuple[int, bool]:
    """Factors in place, right-looking, the blocks before `until`: those from there on then hold what is left of the
    matrix without the others. Returns (first block found singular or -1, determinant negative)."""
    blocks = until
    widest = 0
    least = np.zeros(blocks)
    for j in range(blocks):
        n = pattern.start[j + 1] - pattern.start[j]
        widest = max(widest, n)
        for k in range(n * n):
            least[j] = max(least[j], _LOST_DIGITS * abs(values[pattern.diagonal[j] + k]))
    work = np.zeros(widest * widest, dtype=values.dtype)
    negative = False
    for j in range(blocks):
        n = pattern.start[j + 1] - pattern.start[j]
        d = pattern.diagonal[j]
        sign = invert(values, d, n, least[j], work)
        if sign == 0:
            return j, False
        negative = negative != (sign < 0)
        first, last = pattern.column[j], pattern.column[j + 1]
        for a in range(first, last):
            i = pattern.row[a]
            m = pattern.start[i + 1] - pattern.start[i]
            low = pattern.lower[a]
            for r in range(m):
                for c in range(n):
                    total = values[d + c] * values[low + r * n]
                    for k in range(1, n):
                        total += values[low + r * n + k] * values[d + k * n + c]
                    work[c] = total
                for c in range(n):
                    values[low + r * n + c] = work[c]
        for a in range(first, last):
            target = pattern.row[a]
            m = pattern.start[target + 1] - pattern.start[target]
            _subtract_product(values, pattern.diagonal[target], pattern.lower[a], pattern.upper[a], m, n, m)
            at = pattern.column[target]
            for b in range(a + 1, last):
                i = pattern.row[b]
                o = pattern.start[i + 1] - pattern.start[i]
                while pattern.row[at] != i:
                    at += 1
                _subtract_product(values, pattern.lower[at], pattern.lower[b], pattern.upper[a], o, n, m)
                _subtract_product(values, pattern.upper[at], pattern.lower[a], pattern.upper[b], m, n, o)
        for a in range(first, last):
            i = pattern.row[a]
            m = pattern.start[i + 1] - pattern.start[i]
            up = pattern.upper[a]
            for c in range(m):
                for r in range(n):
                    total = values[d + r * n] * values[up + c]
                    for k in range(1, n):
                        total += values[d + r * n + k] * values[up + k * m + c]
                    work[r] = total
                for r in range(n):
                    values[up + r * m + c] = work[r]
    return -1, negative


@compiled
def _substitute_ones(pattern: Pattern, values: AnyArray[Number], x: AnyArray[Number], first: int) -> None:
    """`substitute` where every block has one unknown, so that entries stand one after the other."""
    blocks = len(pattern.diagonal)
    lower, upper = blocks, blocks + len(pattern.row)
    for j in range(first, blocks):
        part = x[j]
        for a in range(pattern.column[j], pattern.column[j + 1]):
            x[pattern.row[a]] -= values[lower + a] * part
    for j in range(blocks - 1, first - 1, -1):
        total = values[j] * x[j]
        for a in range(pattern.column[j], pattern.column[j + 1]):
            total -= values[upper + a] * x[pattern.row[a]]
        x[j] = total


@compiled
def substitute(pattern: Pattern, values: AnyArray[Number], x: AnyArray[Number], first: int) -> None:
    """Solves in place; `x` [n] in the order of elimination. Blocks before `first` are passed over: right where the
    right-hand side is zero there, and leaves them unsolved."""
    if len(x) == len(pattern.diagonal):
        _substitute_ones(pattern, values, x, first)
        return
    blocks = len(pattern.diagonal)
    for j in range(first, blocks):
        s = pattern.start[j]
        n = pattern.start[j + 1] - s
        for a in range(pattern.column[j], pattern.column[j + 1]):
            i = pattern.row[a]
            t = pattern.start[i]
            at = pattern.lower[a]
            for r in range(t, pattern.start[i + 1]):
                total = x[r]
                for c in range(n):
                    total -= values[at] * x[s + c]
                    at += 1
                x[r] = total
    work = np.empty(64, dtype=values.dtype)
    for j in range(blocks - 1, first - 1, -1):
        s = pattern.start[j]
        n = pattern.start[j + 1] - s
        if n > len(work):
            work = np.empty(n, dtype=values.dtype)
        at = pattern.diagonal[j]
        for r in range(n):
            total = values[at] * x[s]
            at += 1
            for c in range(1, n):
                total += values[at] * x[s + c]
                at += 1
            work[r] = total
        for a in range(pattern.column[j], pattern.column[j + 1]):
            i = pattern.row[a]
            t = pattern.start[i]
            m = pattern.start[i + 1] - t
            at = pattern.upper[a]
            for r in range(n):
                total = work[r]
                for c in range(m):
                    total -= values[at] * x[t + c]
                    at += 1
                work[r] = total
        for r in range(n):
            x[s + r] = work[r]


@compiled
def eliminate_columns(pattern: Pattern, values: AnyArray[Number], x: AnyArray[Number], first: int, until: int) -> None:
    """Eliminates the blocks from `first` up to `until` from columns `x` [n, case] in the order of elimination."""
    cases = x.shape[1]
    for j in range(first, until):
        s = pattern.start[j]
        n = pattern.start[j + 1] - s
        for a in range(pattern.column[j], pattern.column[j + 1]):
            i = pattern.row[a]
            at = pattern.lower[a]
            for r in range(pattern.start[i], pattern.start[i + 1]):
                for c in range(n):
                    part = values[at]
                    at += 1
                    for k in range(cases):
                        x[r, k] -= part * x[s + c, k]


@compiled
def substitute_columns(pattern: Pattern, values: AnyArray[Number], x: AnyArray[Number], first: int) -> None:
    """`substitute` with `x` [n, case]."""
    blocks = len(pattern.diagonal)
    cases = x.shape[1]
    eliminate_columns(pattern, values, x, first, blocks)
    widest = 0
    for j in range(blocks):
        widest = max(widest, pattern.start[j + 1] - pattern.start[j])
    work = np.empty((widest, cases), dtype=values.dtype)
    for j in range(blocks - 1, first - 1, -1):
        s = pattern.start[j]
        n = pattern.start[j + 1] - s
        at = pattern.diagonal[j]
        for r in range(n):
            part = values[at]
            at += 1
            for k in range(cases):
                work[r, k] = part * x[s, k]
            for c in range(1, n):
                part = values[at]
                at += 1
                for k in range(cases):
                    work[r, k] += part * x[s + c, k]
        for a in range(pattern.column[j], pattern.column[j + 1]):
            i = pattern.row[a]
            t = pattern.start[i]
            m = pattern.start[i + 1] - t
            at = pattern.upper[a]
            for r in range(n):
                for c in range(m):
                    part = values[at]
                    at += 1
                    for k in range(cases):
                        work[r, k] -= part * x[t + c, k]
        for r in range(n):
            for k in range(cases):
                x[s + r, k] = work[r, k]


@compiled
def complete(pattern: Pattern, values: AnyArray[Number], x: AnyArray[Number]) -> None:
    """Solves the leading blocks, whose right-hand side is zero, from the others; `x` [n, case]."""
    cases = x.shape[1]
    for j in range(pattern.lead - 1, -1, -1):
        s = pattern.start[j]
        n = pattern.start[j + 1] - s
        for r in range(s, s + n):
            for k in range(cases):
                x[r, k] = 0.0
        for a in range(pattern.column[j], pattern.column[j + 1]):
            i = pattern.row[a]
            at = pattern.upper[a]
            for r in range(s, s + n):
                for t in range(pattern.start[i], pattern.start[i + 1]):
                    part = values[at]
                    at += 1
                    for k in range(cases):
                        x[r, k] -= part * x[t, k]
