"""The factor that everything linear about a feeder's present state comes from: (Y + source admittances), live nodes."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import SuperLU, splu

from adms.core.estimate import ComplexArray
from adms.core.telemetry import IntArray
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.state import GridState

_COLUMNS = 16
"""Columns solved at once: more of them start BLAS threads on tiny blocks, which is slower by far."""


@dataclass(frozen=True, kw_only=True)
class NotSolved:
    """No power flow, and why."""

    reason: str
    iterations: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Factor:
    """(Y + Y_sources) over the energised nodes of one grid state, factored. Valid for any load."""

    arrays: NetworkArrays
    grid: GridState
    energised: BoolArray
    """[node]"""
    live: IntArray
    """Node indices of the factor's rows."""
    lu: SuperLU
    source_current_pu: ComplexArray
    """[live] Norton currents of the sources."""
    v_no_load_pu: ComplexArray
    """[live] voltages with every injector at zero."""
    injectors: IntArray
    """Injector indices whose every node is energised."""
    incidence: sp.csr_matrix
    """[live, live injector]"""

    def solve(self, current_pu: ComplexArray) -> ComplexArray:
        """Voltages caused by node currents: (Y + Y_sources)^-1 current.

        Args:
            current_pu: [live] or [live, case] complex.

        Returns:
            The same shape, complex voltage per unit.
        """
        current = np.asarray(current_pu, dtype=np.complex128)
        if current.ndim == 1:
            return np.asarray(self.lu.solve(current))
        parts = np.split(current, range(_COLUMNS, current.shape[1], _COLUMNS), axis=1)
        return np.concatenate([self.lu.solve(np.ascontiguousarray(part)) for part in parts], axis=1)


def factorise(arrays: NetworkArrays, grid: GridState) -> Factor | NotSolved:
    """Factor the network of a grid state.

    A dead node is taken as grounded: it has voltage 0 and its row is left out. An injector is live only when all its
    nodes are.

    Args:
        arrays: the network in solver order.
        grid: positions of switches, taps and capacitors.

    Returns:
        The factor, or why there is none (no energised node, or a singular matrix).
    """
    energised = arrays.energised(grid)
    live = np.flatnonzero(energised)
    if live.size == 0:
        return NotSolved(reason="no node is connected to a source", iterations=0)
    y_source, norton = arrays.source_norton_pu()
    matrix = (arrays.admittance_pu(grid) + y_source).tocsc()[live][:, live]
    try:
        lu = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.1, options={"SymmetricMode": True})
    except RuntimeError as error:
        return NotSolved(reason=f"the network matrix is singular ({error}): a node floats", iterations=0)
    current = norton[live]
    no_load = np.asarray(lu.solve(current))
    if not np.isfinite(no_load).all():
        return NotSolved(reason="the network matrix is singular to rounding: a node floats", iterations=0)
    injectors = np.flatnonzero(arrays.injector_live(energised))
    return Factor(
        arrays=arrays,
        grid=grid,
        energised=energised,
        live=live,
        lu=lu,
        source_current_pu=current,
        v_no_load_pu=no_load,
        injectors=injectors,
        incidence=arrays.incidence[live][:, injectors].tocsr(),
    )


def injector_is_live(arrays: NetworkArrays, *, energised: BoolArray) -> BoolArray:
    """[injector] True where every node of the injector is energised.

    Args:
        arrays: the network in solver order.
        energised: [node].
    """
    return arrays.injector_live(energised)
