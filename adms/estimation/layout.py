"""Where each unknown of the estimator stands.

The unknowns are the voltages and the inputs that cause them:

    V  complex voltage of each live node                    [n]  per unit
    S  complex power of each live injector, at its voltage  [k]  S_BASE_VA
    E  complex open-circuit voltage of each source node     [m]  per unit
    a  deviations common to many injectors                  [g]

as one real vector (Re V, Im V, P, Q, Re E, Im E, a).
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.sources import SourceEquivalent
from adms.grid.state import GridState


@dataclass(frozen=True, kw_only=True, eq=False)
class Point:
    """A value of the unknowns."""

    v: ComplexArray
    s: ComplexArray
    e: ComplexArray
    a: FloatArray

    def moved(self, step: FloatArray) -> "Point":
        """The point after a step of the real vector."""
        n, k, m = len(self.v), len(self.s), len(self.e)
        cut = np.cumsum([n, n, k, k, m, m])
        vr, vi, p, q, er, ei, a = np.split(step, cut)
        return Point(v=self.v + vr + 1j * vi, s=self.s + p + 1j * q, e=self.e + er + 1j * ei, a=self.a + a)


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """The live part of a network in one grid state."""

    arrays: NetworkArrays
    grid: GridState
    energised: BoolArray
    """[node] of the whole network."""
    live: IntArray
    """[n] node indices."""
    row_of_node: IntArray
    """[node] row of a node among the live ones, -1 where dead."""
    injectors: IntArray
    """[k] injector indices whose every node is live."""
    row_of_injector: IntArray
    """[injector] row among the live ones, -1 where dead."""
    sources: tuple[SourceEquivalent, ...]
    emf_nodes: IntArray
    """[m] live row of each source node, source by source."""
    emf_first: tuple[int, ...]
    """First column in E of each source."""
    emf_pu: ComplexArray
    """[m] open-circuit voltages of the model."""
    y: sp.csr_matrix
    """[n, n] network with sources."""
    y_source: sp.csr_matrix
    """[n, m] what the EMFs drive."""
    incidence: sp.csr_matrix
    """[n, k]"""
    incidence_t: sp.csr_matrix = field(repr=False)

    @property
    def n(self) -> int:
        """Live nodes."""
        return len(self.live)

    @property
    def k(self) -> int:
        """Live injectors."""
        return len(self.injectors)

    @property
    def m(self) -> int:
        """Source nodes."""
        return len(self.emf_nodes)

    @property
    def first_input(self) -> int:
        """Column of the first P."""
        return 2 * self.n

    @property
    def first_emf(self) -> int:
        """Column of the first Re E."""
        return 2 * self.n + 2 * self.k

    @property
    def first_common(self) -> int:
        """Column of the first a."""
        return 2 * self.n + 2 * self.k + 2 * self.m

    def phasor_columns(self, column: npt.NDArray[np.int64]) -> tuple[IntArray, IntArray]:
        """Real columns (Re, Im) of entries of the stacked phasors (V, E)."""
        is_v = column < self.n
        e = self.first_emf + column - self.n
        return np.where(is_v, column, e), np.where(is_v, column + self.n, e + self.m)


def layout_of(arrays: NetworkArrays, grid: GridState) -> Layout:
    """The live network of a grid state.

    Args:
        arrays: the network in solver order.
        grid: positions of switches, taps and capacitors.
    """
    energised = arrays.energised(grid)
    live = np.flatnonzero(energised)
    row_of_node = np.full(arrays.node_count, -1, dtype=np.int64)
    row_of_node[live] = np.arange(live.size)
    injectors = np.flatnonzero(arrays.injector_live(energised))
    row_of_injector = np.full(len(arrays.injectors), -1, dtype=np.int64)
    row_of_injector[injectors] = np.arange(injectors.size)
    sources = arrays.sources
    y_all, _ = arrays.source_norton_pu()
    first = np.cumsum([0, *(len(s.nodes) for s in sources)])
    entry_row = [np.repeat(row_of_node[s.nodes], len(s.nodes)) for s in sources]
    entry_column = [f + np.tile(np.arange(len(s.nodes)), len(s.nodes)) for s, f in zip(sources, first, strict=False)]
    none = np.zeros(0, dtype=np.int64)
    row, column = np.concatenate([none, *entry_row]), np.concatenate([none, *entry_column])
    value = np.concatenate([np.zeros(0, dtype=np.complex128), *(s.y_pu.ravel() for s in sources)])
    incidence = arrays.incidence[live][:, injectors].tocsr()
    return Layout(
        arrays=arrays,
        grid=grid,
        energised=energised,
        live=live,
        row_of_node=row_of_node,
        injectors=injectors,
        row_of_injector=row_of_injector,
        sources=sources,
        emf_nodes=np.concatenate([none, *(row_of_node[s.nodes] for s in sources)]),
        emf_first=tuple(int(f) for f in first[:-1]),
        emf_pu=np.concatenate([np.zeros(0, dtype=np.complex128), *(s.emf_pu for s in sources)]),
        y=(arrays.admittance_pu(grid) + y_all).tocsr()[live][:, live].tocsr(),
        y_source=sp.csr_matrix((value, (row, column)), shape=(live.size, int(first[-1]))),
        incidence=incidence,
        incidence_t=incidence.T.tocsr(),
    )
