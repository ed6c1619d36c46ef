"""Sections that nothing but a stray shunt ties to ground, as behind a delta winding.

Their voltage to ground is the quotient of rounding and of an admittance of a millionth or less: no assembled matrix in
double precision gives it to 1e-8 (measured: 1e-6 on the 4-bus feeders, 0.1 pu at bus 610 of the 123-bus feeder with a
plain sparse LU). What is between their nodes is as exact as anywhere. So meters there are line voltages and three-phase
powers, comparisons leave out the one complex number common to a section, and the study's own solvers tie it down by a
rank-one term that is zero at the solution.
"""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from adms.core.estimate import ComplexArray
from adms.core.telemetry import IntArray
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState

_DENSE = 400
"""Larger feeders of the study are grounded everywhere."""
_LOOSE_PU = 2e-2
_PART = 1e-3


def floating_sections(arrays: NetworkArrays, grid: GridState) -> tuple[IntArray, ...]:
    """Node indices of each section: the support of a voltage that costs next to no current. Live networks only."""
    if arrays.node_count > _DENSE:
        return ()
    live = np.flatnonzero(arrays.energised(grid))
    y_source, _ = arrays.source_norton_pu()
    y = (arrays.admittance_pu(grid) + y_source).tocsr()[live][:, live].toarray()
    _, size, modes = np.linalg.svd(y)
    return tuple(live[np.abs(mode) > _PART * np.abs(mode).max()] for mode in modes[size < _LOOSE_PU])


def tied(y: sp.csr_matrix, sections: Sequence[IntArray]) -> sp.csc_matrix:
    """The admittance matrix with the common voltage of each section tied to where it is anyway.

    With u one on the section, the law gives u'(Y V) = 0 exactly, as no injector sees u. Adding l l' / |l|^2 with
    l = Y u adds nothing at the solution.

    Args:
        y: [node, node] symmetric, sources included.
        sections: rows of each section.
    """
    for rows in sections:
        u = np.zeros(y.shape[0])
        u[rows] = 1.0
        leak = np.asarray(y @ u)
        leak[np.abs(leak) < _PART * np.abs(leak).max()] = 0.0
        column = sp.csr_matrix(leak / np.linalg.norm(leak)).T
        y = y + column @ column.T
    return sp.csc_matrix(y)


def largest_difference(v: ComplexArray, other: ComplexArray, sections: Sequence[IntArray]) -> float:
    """Between phasors [node], without what is common to all nodes of a floating section."""
    off = v - other
    for rows in sections:
        off[rows] -= off[rows].mean()
    return float(np.abs(off).max())
