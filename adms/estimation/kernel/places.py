"""Adding to a symmetric matrix in the places of its factor, compiled: whole diagonal blocks, and lower blocks only."""

from adms.block_ldu.structure import Pattern
from adms.core.compiled import compiled
from adms.core.telemetry import FloatArray, IntArray


@compiled
def _locate(pattern: Pattern, block: IntArray, a: int, b: int) -> tuple[int, int, int]:
    """(where the entry at places (a, b) is, stride of the row, stride of the column); lower blocks only, so that above
    the diagonal it is the mirror image's."""
    i, j = block[a], block[b]
    if i == j:
        n = pattern.start[i + 1] - pattern.start[i]
        return pattern.diagonal[i] + (a - pattern.start[i]) * n + b - pattern.start[i], n, 1
    low, high = min(i, j), max(i, j)
    at, last = pattern.column[low], pattern.column[low + 1]
    while pattern.row[at] != high and at < last:
        at += 1
    width = pattern.start[low + 1] - pattern.start[low]
    if i > j:
        return pattern.lower[at] + (a - pattern.start[i]) * width + b - pattern.start[j], width, 1
    return pattern.lower[at] + (b - pattern.start[j]) * width + a - pattern.start[i], 1, width


@compiled
def add_square(
    pattern: Pattern,
    block: IntArray,
    values: FloatArray,
    a: int,
    b: int,
    m00: float,
    m01: float,
    m10: float,
    m11: float,
) -> None:
    """Adds a 2 x 2 matrix at places (a.., b..), which are not the same, and its mirror image."""
    base, row, column = _locate(pattern, block, a, b)
    values[base] += m00
    values[base + column] += m01
    values[base + row] += m10
    values[base + row + column] += m11
    if block[a] == block[b]:
        base, row, column = _locate(pattern, block, b, a)
        values[base] += m00
        values[base + column] += m10
        values[base + row] += m01
        values[base + row + column] += m11


@compiled
def add_pair(pattern: Pattern, block: IntArray, values: FloatArray, a: int, b: int, m0: float, m1: float) -> None:
    """Adds a column of two at places (a.., b) and its mirror image."""
    base, row, _ = _locate(pattern, block, a, b)
    values[base] += m0
    values[base + row] += m1
    if block[a] == block[b]:
        base, _, column = _locate(pattern, block, b, a)
        values[base] += m0
        values[base + column] += m1


@compiled
def add_symmetric(
    pattern: Pattern, block: IntArray, values: FloatArray, a: int, m00: float, m01: float, m11: float
) -> None:
    """Adds a symmetric 2 x 2 matrix at places (a.., a..)."""
    i = block[a]
    n = pattern.start[i + 1] - pattern.start[i]
    base = pattern.diagonal[i] + (a - pattern.start[i]) * (n + 1)
    values[base] += m00
    values[base + 1] += m01
    values[base + n] += m01
    values[base + n + 1] += m11


@compiled
def add_one(pattern: Pattern, block: IntArray, values: FloatArray, a: int, b: int, m: float) -> None:
    """Adds a number at places (a, b) and its mirror image."""
    base, _, _ = _locate(pattern, block, a, b)
    values[base] += m
    if a != b and block[a] == block[b]:
        base, _, _ = _locate(pattern, block, b, a)
        values[base] += m


@compiled
def subtract_product(
    pattern: Pattern, block: IntArray, values: FloatArray, at: IntArray, q: FloatArray, count: int
) -> None:
    """values -= q q^T, the entries of q at the places `at`."""
    for m in range(count):
        for n in range(m, count):
            part = q[m] * q[n]
            if m != n and at[m] == at[n]:
                part *= 2.0
            if part != 0.0:
                add_one(pattern, block, values, at[m], at[n], -part)
