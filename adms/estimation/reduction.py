"""The network without its idle nodes.

Where nothing is injected and nothing is metered a current balance is linear with constant coefficients. Eliminating
such nodes once a state (Kron, Tensor Analysis of Networks, 1939), as far as it makes no fill, leaves fewer to step
over; their voltages follow at the end.
"""

from dataclasses import dataclass

import numpy as np

from adms.block_ldu import BlockStructure, structure_of
from adms.block_ldu.factor import complete, eliminate, eliminate_columns
from adms.core.estimate import ComplexArray
from adms.core.telemetry import IntArray
from adms.grid.arrays import BoolArray, NetworkArrays

_PHASES = 8
"""More than any number of a phase: 0 of a balanced bus, 1, 2, 3, and neutrals."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reduction:
    """Which nodes are left, and where the entries between them are."""

    structure: BlockStructure
    """Of the network's admittance matrix, idle blocks first."""
    kept: IntArray
    """[left] node indices."""
    first: IntArray
    """[left + 1] where a node's entries start."""
    column: IntArray
    """[entry] the other node."""
    against: IntArray
    """[entry] the node of the row's bus with the same phase as `column`, -1 where there is none or they are the
    same."""
    value: IntArray
    """[entry] place among the factor's values."""
    same: IntArray
    """[entry of a node with its own bus] index of the entry."""
    same_phase: IntArray
    """[entry of a node with its own bus] phase of the column."""
    phase: IntArray
    """[node]"""
    plain: BoolArray
    """[entry of the admittance matrix] True where the value for currents counts in its row's sums; False for the far
    end of a line, which its own end accounts for."""
    by_current: BoolArray
    """[entry of the admittance matrix] True where the value for currents is meant, False where the matrix's."""


def reduction_of(
    arrays: NetworkArrays, *, bus: IntArray, row: IntArray, col: IntArray, against: IntArray, idle: BoolArray
) -> Reduction:
    """How a model is reduced.

    Args:
        arrays: the network in solver order.
        bus: [node] number of its bus.
        row: [entry] node of every entry that the admittance matrix can have.
        col: likewise.
        against: [entry] of a line's far end, the node at its own end; -1 elsewhere.
        idle: [bus] True where nothing is injected or metered.
    """
    structure = structure_of(bus, row=row, col=col, idle=idle)
    pattern, order = structure.pattern, structure.order
    entry_row: list[IntArray] = []
    entry_col: list[IntArray] = []
    value: list[IntArray] = []

    def block(i: int, j: int, at: int) -> None:
        rows = np.arange(pattern.start[i], pattern.start[i + 1])
        columns = np.arange(pattern.start[j], pattern.start[j + 1])
        entry_row.append(np.repeat(rows, len(columns)))
        entry_col.append(np.tile(columns, len(rows)))
        value.append(at + np.arange(len(rows) * len(columns)))

    for j in range(pattern.lead, len(pattern.diagonal)):
        block(j, j, int(pattern.diagonal[j]))
        for a in range(int(pattern.column[j]), int(pattern.column[j + 1])):
            block(int(pattern.row[a]), j, int(pattern.lower[a]))
            block(j, int(pattern.row[a]), int(pattern.upper[a]))
    none = np.zeros(0, dtype=np.int64)
    rows = order[np.concatenate([none, *entry_row])]
    columns = order[np.concatenate([none, *entry_col])]
    sorted_by_row = np.lexsort((columns, rows))
    rows, columns = rows[sorted_by_row], columns[sorted_by_row]
    kept = np.unique(rows)
    phase = np.array([node.phase for node in arrays.nodes], dtype=np.int64)
    n = arrays.node_count
    by_bus_and_phase = np.full((int(bus.max(initial=0)) + 1) * _PHASES, -1, dtype=np.int64)
    by_bus_and_phase[bus * _PHASES + phase] = np.arange(n)
    within = bus[rows] == bus[columns]
    same = np.flatnonzero(within)
    # A line's two entries in a row cancel where both ends of a conductor have one phase, as they nearly always have.
    far = (against >= 0) & (phase[np.maximum(against, 0)] == phase[col])
    near = np.zeros(len(row), dtype=np.bool_)
    near[arrays.entries.near] = far[arrays.entries.far]
    return Reduction(
        structure=structure,
        kept=kept,
        first=np.searchsorted(rows, np.append(kept, n)).astype(np.int64),
        column=columns,
        against=np.where(within, -1, by_bus_and_phase[bus[rows] * _PHASES + phase[columns]]),
        value=np.concatenate([none, *value])[sorted_by_row],
        same=same,
        same_phase=phase[columns[same]],
        phase=phase,
        plain=~far,
        by_current=near,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Reduced:
    """The reduced network in one state, without sources."""

    reduction: Reduction
    values: ComplexArray
    """Of the partial factor."""
    y: ComplexArray
    """[entry]"""
    flow: ComplexArray
    """[entry] the same, a node's entries with its own bus holding what the entries of their columns add up to: the
    current is the sum of y (V - V_against) and of these."""

    def complete(self, v: ComplexArray) -> None:
        """Works out the voltages of the idle nodes from the others, in place.

        Args:
            v: [node]
        """
        structure = self.reduction.structure
        placed = v[structure.order][:, None].copy()
        complete(structure.pattern, self.values, placed)
        v[structure.order] = placed[:, 0]


def reduced(
    reduction: Reduction,
    *,
    row: IntArray,
    col: IntArray,
    entry_value: ComplexArray,
    flow_value: ComplexArray,
    solved: BoolArray,
) -> Reduced:
    """The network in one state.

    Args:
        reduction: how it is reduced.
        row: [entry of the admittance matrix] node.
        col: likewise.
        entry_value: [entry of the admittance matrix] per unit, without sources; 0 at dead nodes.
        flow_value: [entry] the same for currents: a line's entry at its own end holds what its two add up to.
        solved: [node] False where there is no voltage.
    """
    structure = reduction.structure
    entry, size = structure.entry, structure.size
    values = np.bincount(entry, entry_value.real, size) + 1j * np.bincount(entry, entry_value.imag, size)
    values[structure.diagonal[~solved]] = 1.0
    eliminate(structure.pattern, values, structure.pattern.lead)
    y = values[reduction.value]
    y[~solved[reduction.column]] = 0.0
    # What a row's entries add up to is mostly nothing: it is worked out by itself, so that no digit of it is lost.
    order = structure.order
    value = np.where(reduction.by_current, flow_value, entry_value)[reduction.plain]
    at = row[reduction.plain] * _PHASES + reduction.phase[col[reduction.plain]]
    count = len(order) * _PHASES
    total = np.bincount(at, value.real, count) + 1j * np.bincount(at, value.imag, count)
    total = total.reshape(-1, _PHASES)[order]
    eliminate_columns(structure.pattern, values, total, 0, structure.pattern.lead)
    unplaced = np.empty_like(total)
    unplaced[order] = total
    flow = y.copy()
    rows = np.repeat(reduction.kept, np.diff(reduction.first))
    flow[reduction.same] = unplaced[rows[reduction.same], reduction.same_phase]
    return Reduced(reduction=reduction, values=values, y=y, flow=flow)
