"""The factor that everything linear about a feeder's present state comes from: (Y + source admittances), live nodes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from adms.block_ldu import BlockFactor, Singular
from adms.block_ldu import factorise as factorise_blocks
from adms.core.compiled import compiled
from adms.core.estimate import ComplexArray
from adms.core.telemetry import IntArray
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.state import GridState
from adms.powerflow.floating import STRAY_PU, floating_nodes
from adms.powerflow.layout import Layout, layout_of
from adms.powerflow.mismatch import FlowColumns


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
    """[node] True where a path of conductors leads to a source."""
    solved: BoolArray
    """[node] True also where a conductor floats: it has a voltage, but not from a source (`floating`)."""
    live: IntArray
    """Node indices of the factor's rows: the solved ones."""
    layout: Layout
    entry_value: ComplexArray
    """[entry of the layout] per unit; 0 where a switch is open or a node is dead."""
    flow_value: ComplexArray
    """[entry] the same for currents from voltage differences: a line's near entry holds what its two add up to."""
    blocks: BlockFactor[np.complex128]
    """Over all nodes; a dead node has a row and column of its own."""
    v_no_load_pu: ComplexArray
    """[live] voltages with every injector at zero."""
    injectors: IntArray
    """Injector indices whose every node is energised."""

    @property
    def flow_columns(self) -> FlowColumns:
        """What compiled code asks for currents: row, column, `Layout.against`, value."""
        return self.layout.row, self.layout.col, self.layout.against, self.flow_value

    @cached_property
    def row_of_node(self) -> IntArray:
        """[node] row of the factor, -1 where dead."""
        row = np.full(self.arrays.node_count, -1, dtype=np.int64)
        row[self.live] = np.arange(len(self.live))
        return row

    @cached_property
    def incidence(self) -> sp.csr_matrix:
        """[live, live injector] as `NetworkArrays.incidence`."""
        return self.arrays.incidence[self.live][:, self.injectors].tocsr()

    @cached_property
    def v_no_load_placed_pu(self) -> ComplexArray:
        """[place] `v_no_load_pu` in the order of elimination; 0 where dead."""
        v = np.zeros(self.arrays.node_count, dtype=np.complex128)
        v[self.live] = self.v_no_load_pu
        return v[self.layout.structure.order]

    def solve(self, current_pu: ComplexArray) -> ComplexArray:
        """Voltages caused by node currents: (Y + Y_sources)^-1 current.

        Args:
            current_pu: [live] or [live, case] complex.

        Returns:
            The same shape, complex voltage per unit.
        """
        given = np.asarray(current_pu, dtype=np.complex128)
        current = np.zeros((self.arrays.node_count, *given.shape[1:]), dtype=np.complex128)
        current[self.live] = given
        return np.asarray(self.blocks.solve(current)[self.live])


def factorise(arrays: NetworkArrays, grid: GridState) -> Factor | NotSolved:
    """Factor the network of a grid state. The order of elimination belongs to the model: a switch or tap that moves
    costs new values only.

    A dead node has voltage 0. A load is live only when all its nodes are solved, a DER only when all are energised: it
    disconnects from a phase that is open.

    Args:
        arrays: the network in solver order.
        grid: positions of switches, taps and capacitors.

    Returns:
        The factor, or why there is none (no energised node, or a singular matrix).
    """
    energised = arrays.energised(grid)
    if not energised.any():
        return NotSolved(reason="no node is connected to a source", iterations=0)
    layout = layout_of(arrays)
    structure = layout.structure
    no_shunt = np.zeros(arrays.node_count, dtype=np.complex128)
    entry_value = np.concatenate([arrays.entries.values(grid), layout.source_value, no_shunt])
    order = structure.order
    floating = floating_nodes(
        arrays, energised=energised, row=order[layout.row], col=order[layout.col], entry_value=entry_value
    )
    entry_value[-arrays.node_count :][floating] = STRAY_PU
    solved = energised | floating
    live = np.flatnonzero(solved)
    values = np.zeros(structure.size, dtype=np.complex128)
    _assemble(structure.entry, structure.diagonal[order], layout.row, layout.col, solved[order], entry_value, values)
    flow_value = entry_value.copy()
    flow_value[arrays.entries.near] += entry_value[arrays.entries.far]
    made = factorise_blocks(structure, values=values)
    if isinstance(made, Singular):
        node = arrays.nodes[made.unknown]
        reason = f"the network matrix is singular at {node.bus}.{node.phase}: a node floats"
        return NotSolved(reason=reason, iterations=0)
    norton = arrays.source_norton_pu()[1]
    no_load = made.solve(norton)[live]
    if not np.isfinite(no_load).all():
        return NotSolved(reason="the network matrix is singular to rounding: a node floats", iterations=0)
    return Factor(
        arrays=arrays,
        grid=grid,
        energised=energised,
        solved=solved,
        live=live,
        layout=layout,
        entry_value=entry_value,
        flow_value=flow_value,
        blocks=made,
        v_no_load_pu=no_load,
        injectors=np.flatnonzero(
            arrays.injector_live(solved) & (~arrays.injector_is_der | arrays.injector_live(energised))
        ),
    )


@compiled
def _assemble(
    entry: IntArray,
    diagonal: IntArray,
    row: IntArray,
    col: IntArray,
    solved: BoolArray,
    entry_value: ComplexArray,
    values: ComplexArray,
) -> None:
    """Adds entries up in the factor's places; those at dead nodes become 0, and such a node's diagonal 1."""
    for k in range(len(entry)):
        if solved[row[k]] and solved[col[k]]:
            values[entry[k]] += entry_value[k]
        else:
            entry_value[k] = 0.0
    for place in range(len(solved)):
        if not solved[place]:
            values[diagonal[place]] = 1.0
