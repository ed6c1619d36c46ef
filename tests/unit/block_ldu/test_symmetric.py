"""The symmetric block factor against SciPy's SuperLU and NumPy's dense inverse, which share nothing with it but the
ordering of the blocks."""

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import splu

from adms.block_ldu import BlockStructure, structure_of
from adms.block_ldu.structure import Pattern
from adms.block_ldu.symmetric import (
    eliminate_symmetric,
    log_determinant,
    selected_inverse,
    substitute_symmetric,
    symmetric_size,
)

FloatArray = npt.NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)


def network(seed: int, *, meshed: bool) -> tuple[BlockStructure, FloatArray, sp.csc_matrix]:
    """(structure, values before elimination, the same matrix in the order of elimination): blocks of one to nine
    unknowns on a random tree with some loops, indefinite, each diagonal block well away from singular."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 10, size=int(rng.integers(1, 40)))
    block = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int64)
    members = [np.flatnonzero(block == b) for b in range(len(sizes))]
    links = [(b, int(rng.integers(0, b))) for b in range(1, len(sizes))]
    if meshed and len(sizes) > 2:
        links += [(int(a), int(b)) for a, b in rng.integers(0, len(sizes), size=(len(sizes) // 2, 2)) if a != b]
    whole = np.zeros((len(block), len(block)))
    there = np.zeros_like(whole, dtype=np.bool_)
    for a, b in links:
        at = np.ix_(members[a], members[b])
        part = rng.normal(size=(len(members[a]), len(members[b])))
        whole[at] += part
        whole[np.ix_(members[b], members[a])] += part.T
        there[at] = True
    row, col = (index.astype(np.int64) for index in np.nonzero(there))
    weight = (np.abs(whole).sum(axis=1) + 1.0) * rng.choice([-1.0, 1.0], size=len(block))
    for rows in members:
        inside = 0.1 * rng.normal(size=(len(rows), len(rows)))
        whole[np.ix_(rows, rows)] += inside + inside.T
    whole[np.diag_indices(len(block))] += weight
    structure = structure_of(block, row=row, col=col)
    ordered = whole[np.ix_(structure.order, structure.order)]
    return structure, packed(structure.pattern, ordered), sp.csc_matrix(ordered)


def packed(pattern: Pattern, matrix: FloatArray) -> FloatArray:
    """A dense matrix in the places of the factor."""
    values = np.zeros(symmetric_size(pattern))
    start = pattern.start
    for j in range(len(pattern.diagonal)):
        mine = slice(start[j], start[j + 1])
        d, n = pattern.diagonal[j], start[j + 1] - start[j]
        values[d : d + n * n] = matrix[mine, mine].ravel()
        for a in range(pattern.column[j], pattern.column[j + 1]):
            rows = slice(start[pattern.row[a]], start[pattern.row[a] + 1])
            part = matrix[rows, mine].ravel()
            values[pattern.lower[a] : pattern.lower[a] + len(part)] = part
    return values


@pytest.mark.parametrize("meshed", [False, True])
@settings(deadline=None, max_examples=40, derandomize=True)
@given(seed=SEEDS)
def test_it_solves_what_superlu_solves(seed: int, meshed: bool) -> None:
    structure, values, matrix = network(seed, meshed=meshed)
    b = np.random.default_rng(seed).normal(size=matrix.shape[0])
    expected = splu(matrix).solve(b)
    pivot = np.zeros(int(structure.pattern.start[-1]), dtype=np.int64)
    assert eliminate_symmetric(structure.pattern, values, pivot) == -1
    x = b.copy()
    substitute_symmetric(structure.pattern, values, pivot, x, 0)
    assert np.abs(x - expected).max() < 1e-12 * max(1.0, np.abs(expected).max())
    assert log_determinant(structure.pattern, values) == pytest.approx(np.linalg.slogdet(matrix.toarray())[1], abs=1e-9)


@pytest.mark.parametrize("meshed", [False, True])
@settings(deadline=None, max_examples=40, derandomize=True)
@given(seed=SEEDS)
def test_the_selected_inverse_is_the_inverse_at_the_places_of_the_factor(seed: int, meshed: bool) -> None:
    structure, values, matrix = network(seed, meshed=meshed)
    expected = packed(structure.pattern, np.linalg.inv(matrix.toarray()))
    pivot = np.zeros(int(structure.pattern.start[-1]), dtype=np.int64)
    assert eliminate_symmetric(structure.pattern, values, pivot) == -1
    found = selected_inverse(structure.pattern, values, pivot)
    assert np.abs(found - expected).max() < 1e-12 * max(1.0, np.abs(expected).max())


@settings(deadline=None, max_examples=20, derandomize=True)
@given(seed=SEEDS)
def test_it_is_a_third_smaller_than_the_general_factor_of_the_same_blocks(seed: int) -> None:
    """Its lower blocks serve as the upper ones: what the general factor has beyond is one of each."""
    structure, values, _ = network(seed, meshed=True)
    pattern = structure.pattern
    widths = np.diff(pattern.start)
    of_column = np.repeat(np.arange(len(widths)), np.diff(pattern.column))
    below = int((widths[pattern.row] * widths[of_column]).sum())
    assert len(values) == int((widths**2).sum()) + below
    assert structure.size == len(values) + below


def test_the_first_singular_block_is_named() -> None:
    """[[1, 1], [1, 1]] alone in its block, by hand; and a block that elimination makes zero: 4 - 2 * 2."""
    block = np.array([0, 0], dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    structure = structure_of(block, row=none, col=none)
    assert eliminate_symmetric(structure.pattern, np.ones(4), np.zeros(2, dtype=np.int64)) == 0
    structure = structure_of(np.array([0, 1], dtype=np.int64), row=np.array([0]), col=np.array([1]))
    assert eliminate_symmetric(structure.pattern, np.array([1.0, 4.0, 2.0]), np.zeros(2, dtype=np.int64)) == 1


def test_a_pivot_of_zero_inside_a_block_is_no_obstacle() -> None:
    """[[0, 1], [1, 0]] is its own inverse: pivots are chosen inside a block."""
    block = np.array([0, 0], dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    structure = structure_of(block, row=none, col=none)
    values = np.array([0.0, 1.0, 1.0, 0.0])
    pivot = np.zeros(int(structure.pattern.start[-1]), dtype=np.int64)
    assert eliminate_symmetric(structure.pattern, values, pivot) == -1
    x = np.array([3.0, 5.0])
    substitute_symmetric(structure.pattern, values, pivot, x, 0)
    np.testing.assert_array_equal(x, [5.0, 3.0])


def test_no_unknowns_are_solved_too() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    pattern = structure_of(nothing, row=nothing, col=nothing).pattern
    values = np.zeros(symmetric_size(pattern))
    pivot = np.zeros(0, dtype=np.int64)
    assert eliminate_symmetric(pattern, values, pivot) == -1
    substitute_symmetric(pattern, values, pivot, np.zeros(0), 0)
    assert selected_inverse(pattern, values, pivot).shape == (0,)


def test_a_badly_conditioned_block_costs_no_digits_of_what_it_solves() -> None:
    """A block with eigenvalues 1 and 1e-12, coupled along the first, against b = A (1, 1, 1, 1): what solves it leaves
    a rest of rounding. Multiplying with the block's inverse, which is good to four digits, does not."""
    c, s = np.cos(0.3), np.sin(0.3)
    a = np.diag([0.0, 0.0, 1.0, 1.0])
    a[:2, :2] = np.array([[c, -s], [s, c]]) @ np.diag([1.0, 1e-12]) @ np.array([[c, s], [-s, c]])
    a[2, [0, 1, 3]] = a[[0, 1, 3], 2] = 0.5 * c, 0.5 * s, 0.3
    structure = structure_of(np.array([0, 0, 1, 2], dtype=np.int64), row=np.array([0, 1, 3]), col=np.array([2, 2, 2]))
    ordered = a[np.ix_(structure.order, structure.order)]
    assert structure.place[0] < structure.place[2]
    values = packed(structure.pattern, ordered)
    pivot = np.zeros(4, dtype=np.int64)
    assert eliminate_symmetric(structure.pattern, values, pivot) == -1
    x = ordered @ np.ones(4)
    substitute_symmetric(structure.pattern, values, pivot, x, 0)
    assert np.abs(ordered @ x - ordered @ np.ones(4)).max() < 1e-14
