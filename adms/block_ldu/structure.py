"""Where the entries of a factor are, for one pattern: found once, used for any values.

The unknowns of one block (the phases of a bus) are eliminated together as a small dense matrix. Blocks are ordered by
minimum degree (J. W. H. Liu, ACM Trans. Math. Software 11(2), 1985, as SuperLU does it), which leaves a radial feeder
without any fill, and the columns of the factor follow from the elimination tree (J. W. H. Liu, SIAM J. Matrix Anal.
Appl. 11(1), 1990, section 4).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from adms.core.compiled import compiled
from adms.core.telemetry import IntArray

BoolArray = npt.NDArray[np.bool_]


class Pattern(NamedTuple):
    """Blocks in the order of elimination, as compiled code reads them.

    A factor is one flat array: diagonal blocks, then lower blocks L[i, j], then the upper blocks U[j, i] of the same
    (i, j), each in row-major order.
    """

    start: IntArray
    """[block + 1] first unknown of each block, in the order of elimination."""
    column: IntArray
    """[block + 1] first of a block column's entries in `row`."""
    row: IntArray
    """[lower block] block row of each, ascending in its column."""
    diagonal: IntArray
    """[block] where its values start."""
    lower: IntArray
    """[lower block] where its values start."""
    upper: IntArray
    """[lower block] where the values of its mirror image start."""
    lead: int
    """Number of idle blocks, which come first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockStructure:
    """The pattern of a factor and where given entries go."""

    pattern: Pattern
    order: IntArray
    """[n] which unknown stands at a place in the order of elimination."""
    place: IntArray
    """[n] where an unknown stands: the inverse of `order`."""
    entry: IntArray
    """[entry] where in the factor's values each given entry goes; several may go to the same place."""
    diagonal: IntArray
    """[n] where the diagonal entry of an unknown goes."""
    size: int
    """Number of the factor's values."""


def structure_of(block: IntArray, *, row: IntArray, col: IntArray, idle: BoolArray | None = None) -> BlockStructure:
    """The structure for entries at (row, col).

    Blocks with at most two neighbours that are `idle` are eliminated before all others, which makes no fill: a
    right-hand side that is zero there, and a solution that is not wanted there, need not pass through them.

    Args:
        block: [n] number of the block that each unknown belongs to, 0 .. blocks-1, each at least once.
        row: [entry] row of each given entry.
        col: [entry] column. The pattern is taken as symmetric: the mirror image of an entry need not be given.
        idle: [block] True where a block may come first.
    """
    block_row, block_col = block[row], block[col]
    blocks = int(block.max(initial=-1)) + 1
    ones = np.ones(len(row))
    graph = sp.csr_matrix((ones, (block_row, block_col)), shape=(blocks, blocks))
    graph = sp.csr_matrix(graph + graph.T)
    lead, graph_left = _idle_first(graph, np.zeros(blocks, dtype=np.bool_) if idle is None else idle)
    rest = np.setdiff1d(np.arange(blocks), lead)
    block_order = np.concatenate([lead, rest[_minimum_degree(sp.csr_matrix(graph_left[rest][:, rest]))]])
    block_place = np.empty_like(block_order)
    block_place[block_order] = np.arange(blocks)
    order = np.argsort(block_place[block], kind="stable").astype(np.int64)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    count = np.bincount(block, minlength=blocks)[block_order]
    start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)

    ordered = sp.csr_matrix(graph[block_order][:, block_order])
    column, rows = _columns(ordered.indptr.astype(np.int64), ordered.indices.astype(np.int64))
    of_column = np.repeat(np.arange(blocks), np.diff(column))
    areas = np.concatenate([count * count, count[rows] * count[of_column], count[rows] * count[of_column]])
    offset = np.concatenate([[0], np.cumsum(areas)]).astype(np.int64)
    pattern = Pattern(
        start=start,
        column=column,
        row=rows,
        diagonal=offset[:blocks].copy(),
        lower=offset[blocks : blocks + len(rows)].copy(),
        upper=offset[blocks + len(rows) : -1].copy(),
        lead=len(lead),
    )
    at_row, at_col = place[row], place[col]
    unknown = np.arange(len(order), dtype=np.int64)
    of_place = block_place[block[order]]
    return BlockStructure(
        pattern=pattern,
        order=order,
        place=place,
        entry=_entries(pattern, of_place, at_row, at_col),
        diagonal=_entries(pattern, of_place, place[unknown], place[unknown]),
        size=int(offset[-1]),
    )


def _idle_first(graph: sp.csr_matrix, idle: BoolArray) -> tuple[IntArray, sp.csr_matrix]:
    """(idle blocks that have at most two neighbours when their turn comes, what is left of the graph without them)."""
    if not idle.any():
        return np.zeros(0, dtype=np.int64), graph
    start, column = graph.indptr.tolist(), graph.indices.tolist()
    near = [set(column[start[b] : start[b + 1]]) - {b} for b in range(len(start) - 1)]
    waiting = [int(b) for b in np.flatnonzero(idle) if len(near[b]) <= 2]
    order: list[int] = []
    gone = np.zeros(len(near), dtype=np.bool_)
    while waiting:
        b = waiting.pop()
        if gone[b] or len(near[b]) > 2:
            continue
        gone[b] = True
        order.append(b)
        ends = near[b]
        for end in ends:
            near[end].discard(b)
            near[end] |= ends - {end}
            if idle[end] and len(near[end]) <= 2:
                waiting.append(end)
    rows = [b for b in range(len(near)) if not gone[b] for _ in near[b]]
    cols = [end for b in range(len(near)) if not gone[b] for end in near[b]]
    return np.array(order, dtype=np.int64), sp.csr_matrix((np.ones(len(rows)), (rows, cols)), shape=graph.shape)


def _minimum_degree(graph: sp.csr_matrix) -> IntArray:
    """[place] block of the graph, by SuperLU's own ordering."""
    size = graph.shape[0]
    if size < 2:
        return np.arange(size, dtype=np.int64)
    links = sp.csc_matrix((np.full(graph.nnz, -1.0), graph.indices, graph.indptr), shape=graph.shape)
    dominant = sp.csc_matrix(links + sp.diags(np.asarray(graph.getnnz(axis=1), dtype=np.float64) + 1.0))
    options = {"SymmetricMode": True}
    moved = splu(dominant, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options).perm_c
    return np.argsort(moved).astype(np.int64)


@compiled
def _columns(first: IntArray, neighbour: IntArray) -> tuple[IntArray, IntArray]:
    """Column starts and ascending rows of the factor, of a graph in the order of elimination: the rows of a column are
    its later neighbours and those of its children in the elimination tree."""
    size = len(first) - 1
    column = np.zeros(size + 1, dtype=np.int64)
    rows = np.empty(2 * len(neighbour) + 16, dtype=np.int64)
    used = 0
    child = np.full(size, -1, dtype=np.int64)
    sibling = np.full(size, -1, dtype=np.int64)
    seen = np.full(size, -1, dtype=np.int64)
    found = np.empty(size, dtype=np.int64)
    for j in range(size):
        count = 0
        seen[j] = j
        for at in range(first[j], first[j + 1]):
            i = neighbour[at]
            if i > j and seen[i] != j:
                seen[i] = j
                found[count] = i
                count += 1
        c = child[j]
        while c != -1:
            for at in range(column[c], column[c + 1]):
                i = rows[at]
                if seen[i] != j:
                    seen[i] = j
                    found[count] = i
                    count += 1
            c = sibling[c]
        if used + count > len(rows):
            longer = np.empty(2 * (used + count), dtype=np.int64)
            longer[:used] = rows[:used]
            rows = longer
        rows[used : used + count] = np.sort(found[:count])
        if count > 0:
            parent = rows[used]
            sibling[j] = child[parent]
            child[parent] = j
        used += count
        column[j + 1] = used
    return column, rows[:used].copy()


@compiled
def _entries(pattern: Pattern, block: IntArray, row: IntArray, col: IntArray) -> IntArray:
    """Where entries at (row, col), as places in the order of elimination, go. `block` is of each place."""
    found = np.empty(len(row), dtype=np.int64)
    for k in range(len(row)):
        i, j = block[row[k]], block[col[k]]
        in_i, in_j = row[k] - pattern.start[i], col[k] - pattern.start[j]
        width = pattern.start[j + 1] - pattern.start[j]
        if i == j:
            base = pattern.diagonal[i]
        else:
            low, high = min(i, j), max(i, j)
            rows = pattern.row[pattern.column[low] : pattern.column[low + 1]]
            at = pattern.column[low] + np.searchsorted(rows, high)
            base = pattern.lower[at] if i > j else pattern.upper[at]
        found[k] = base + in_i * width + in_j
    return found
