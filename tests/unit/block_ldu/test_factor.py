"""The block factor against SciPy's SuperLU and NumPy's dense algebra, which share nothing with it but its ordering."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import splu

from adms.block_ldu import BlockFactor, BlockStructure, Singular, factorise, structure_of

IntArray = npt.NDArray[np.int64]
SEEDS = st.integers(0, 10_000)


def _network(seed: int, *, dtype: type, meshed: bool) -> tuple[IntArray, sp.coo_matrix]:
    """Blocks of one to four unknowns on a random tree with some loops, unsymmetric values, dominant diagonal blocks."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, size=int(rng.integers(1, 40)))
    block = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int64)
    members = [np.flatnonzero(block == b) for b in range(len(sizes))]
    links = [(b, int(rng.integers(0, b))) for b in range(1, len(sizes))]
    if meshed and len(sizes) > 2:
        links += [(int(a), int(b)) for a, b in rng.integers(0, len(sizes), size=(len(sizes) // 2, 2)) if a != b]
    rows, cols = [], []
    for a, b in [*links, *((b, a) for a, b in links), *((b, b) for b in range(len(sizes)))]:
        rows.append(np.repeat(members[a], len(members[b])))
        cols.append(np.tile(members[b], len(members[a])))
    row, col = np.concatenate(rows), np.concatenate(cols)
    value: npt.NDArray[Any] = rng.normal(size=len(row)).astype(dtype)
    if dtype is np.complex128:
        value = value + 1j * rng.normal(size=len(row))
    unknown = np.arange(len(block))
    weight = np.bincount(row, minlength=len(block)) * 2.0 * rng.choice([-1.0, 1.0], size=len(block))
    row, col = np.concatenate([row, unknown]), np.concatenate([col, unknown])
    return block, sp.coo_matrix((np.concatenate([value, weight]), (row, col)))


def _structure(block: IntArray, matrix: sp.coo_matrix) -> BlockStructure:
    return structure_of(block, row=matrix.row.astype(np.int64), col=matrix.col.astype(np.int64))


def _factor(block: IntArray, matrix: sp.coo_matrix) -> BlockFactor[Any]:
    structure = _structure(block, matrix)
    values = np.zeros(structure.size, dtype=matrix.data.dtype)
    np.add.at(values, structure.entry, matrix.data)
    made = factorise(structure, values=values)
    assert isinstance(made, BlockFactor)
    return made


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("meshed", [False, True])
@settings(deadline=None, max_examples=40)
@given(seed=SEEDS)
def test_it_solves_what_superlu_solves(seed: int, dtype: type, meshed: bool) -> None:
    block, matrix = _network(seed, dtype=dtype, meshed=meshed)
    b: npt.NDArray[Any] = np.random.default_rng(seed).normal(size=len(block)).astype(dtype)
    expected = splu(matrix.tocsc()).solve(b)
    assert np.abs(_factor(block, matrix).solve(b) - expected).max() < 1e-12 * max(1.0, np.abs(expected).max())


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS)
def test_columns_are_single_solutions(seed: int) -> None:
    block, matrix = _network(seed, dtype=np.complex128, meshed=True)
    b: npt.NDArray[Any] = np.random.default_rng(seed).normal(size=(len(block), 3)) + 0j
    factor = _factor(block, matrix)
    together = factor.solve(b)
    for case in range(3):
        assert np.abs(together[:, case] - factor.solve(np.ascontiguousarray(b[:, case]))).max() < 1e-13


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS)
def test_the_sign_of_the_determinant_is_numpys(seed: int) -> None:
    block, matrix = _network(seed, dtype=np.float64, meshed=True)
    assert _factor(block, matrix).negative == (np.linalg.slogdet(matrix.toarray())[0] < 0.0)


def test_a_radial_network_has_no_fill() -> None:
    block, matrix = _network(7, dtype=np.float64, meshed=False)
    pattern = _structure(block, matrix).pattern
    assert len(pattern.row) == len(pattern.diagonal) - 1


def test_a_block_that_nothing_holds_is_named() -> None:
    """Two nodes joined to each other and to nothing else: a Laplacian, singular by hand. With 0.1 + 0.2 - 0.3 in it, it
    is so up to rounding only."""
    block = np.array([0, 1, 2], dtype=np.int64)
    row, col = np.array([0, 1, 1, 2, 2]), np.array([0, 1, 2, 1, 2])
    structure = structure_of(block, row=row, col=col)
    values = np.zeros(structure.size)
    np.add.at(values, structure.entry, np.array([1.0, 0.1 + 0.2, -0.3, -0.3, 0.3]))
    made = factorise(structure, values=values)
    assert isinstance(made, Singular)
    assert made.unknown in (1, 2)


def test_a_singular_block_inside_is_named() -> None:
    block = np.array([0, 0, 1], dtype=np.int64)
    row, col = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 2])
    structure = structure_of(block, row=row, col=col)
    values = np.zeros(structure.size)
    np.add.at(values, structure.entry, np.array([1.0, 2.0, 2.0, 4.0, 1.0]))
    made = factorise(structure, values=values)
    assert isinstance(made, Singular)
    assert made.unknown in (0, 1)


def test_no_unknowns_are_solved_too() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    structure = structure_of(nothing, row=nothing, col=nothing)
    made = factorise(structure, values=np.zeros(structure.size))
    assert isinstance(made, BlockFactor)
    assert made.solve(np.zeros(0)).shape == (0,)
