"""Where each unknown of the estimator stands: found once for a model and a table of points.

The unknowns are real and stand in the order of elimination, a bus and the rows that it is home to in one block:

    V       complex voltage of each node                               per unit
    lambda  complex multiplier of its current balance
    mu      multiplier of each measurement row
    E       complex open-circuit voltage of each source node           per unit

A node that is dead has places all the same, so that switches, taps and capacitors change values only.
"""

from dataclasses import dataclass

import numpy as np

from adms.block_ldu import BlockStructure, structure_of
from adms.block_ldu.symmetric import symmetric_size
from adms.core.estimate import ComplexArray
from adms.core.telemetry import WEIGHED_KINDS, FloatArray, IntArray, PointKey, PointKind, PointTable
from adms.estimation.kinds.stack import RowStack, rows_of
from adms.grid.arrays import GROUND, NetworkArrays
from adms.powerflow.layout import Layout as PowerFlowLayout
from adms.powerflow.layout import layout_of as power_flow_layout_of

PER_NODE = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """The unknowns of one model with one table."""

    arrays: NetworkArrays
    table: PointTable
    rows: RowStack
    power_flow: PowerFlowLayout
    structure: BlockStructure
    size: int
    """Number of unknowns."""
    value_count: int
    """Number of values of the symmetric factor."""
    block: IntArray
    """[place] block."""
    node: IntArray
    """[node] place of Re V; Im V, Re lambda, Im lambda follow."""
    mu: IntArray
    """[M] place."""
    emf: IntArray
    """[m] place of Re E; Im E follows."""
    emf_node: IntArray
    """[m] node index."""
    emf_first: tuple[int, ...]
    """First E of each source."""
    emf_pu: ComplexArray
    """[m] open-circuit voltages of the model."""
    merged: IntArray
    """[admittance entry] the order in which equal (row, column, against) stand together."""
    merged_first: IntArray
    """[network entry] where each group starts in that order."""
    network_first: IntArray
    """[node + 1]"""
    network_column: IntArray
    """[network entry] place of the other node's V."""
    network_against: IntArray
    """[network entry] place of the V that is subtracted from it, -1 where none is."""
    row_column: IntArray
    """[term] place of V or E."""
    row_at: IntArray
    """[term] place of V, -1 where the form needs none."""
    home: IntArray
    """[M] block of each row."""
    voltage_rows: dict[PointKind, IntArray]
    """Rows of each kind of voltage."""
    shown: tuple[PointKey, ...]
    """Points of the table that an estimator weighs."""
    shown_rows: IntArray
    """[shown] their rows in the table."""
    shown_of_row: IntArray
    """[M] place among the shown."""

    def own(self, place: IntArray) -> IntArray:
        """Where the diagonal entry of an unknown stands among a symmetric factor's values."""
        return _diagonal(self, place)

    def with_next(self, place: IntArray) -> IntArray:
        """Where its entry with the unknown after it stands, which has to be of the same block."""
        return _diagonal(self, place) + 1

    @property
    def m(self) -> int:
        """Source nodes."""
        return len(self.emf_node)

    def phasors(self, x: FloatArray, place: IntArray) -> ComplexArray:
        """Complex values at places."""
        return np.asarray(x[place] + 1j * x[place + 1])


def layout_of(arrays: NetworkArrays, table: PointTable) -> Layout:
    """The unknowns of a model with a table of points.

    Args:
        arrays: the network in solver order.
        table: the points known to the service.
    """
    rows = rows_of(arrays, table)
    power_flow = power_flow_layout_of(arrays)
    n, count = arrays.node_count, rows.count
    none = np.zeros(0, dtype=np.int64)
    emf_node = np.concatenate([none, *arrays.source_nodes])
    first_mu, first_emf = PER_NODE * n, PER_NODE * n + count
    node = PER_NODE * np.arange(n)
    phasor = np.concatenate([node, first_emf + 2 * np.arange(len(emf_node))])
    order = power_flow.structure.order
    y_row, y_column = order[power_flow.row], order[power_flow.col]
    of_row = np.repeat(np.arange(count), np.diff(rows.term_first))
    of_input = np.repeat(np.arange(count), np.diff(rows.input_first))
    with_at = rows.at >= 0
    fr, to = arrays.injector_fr, arrays.injector_to
    between = to != GROUND
    measured, twice = rows.inputs, to[rows.inputs] != GROUND
    alike = np.argsort(measured, kind="stable")
    same = measured[alike][1:] == measured[alike][:-1]
    pairs = [
        (node[y_row], node[y_column]),
        (node[fr[between]], node[to[between]]),
        (first_mu + of_row, phasor[rows.column]),
        (first_mu + of_row[with_at], node[rows.at[with_at]]),
        (first_mu + of_input, node[fr[measured]]),
        (first_mu + of_input[twice], node[to[measured[twice]]]),
        (first_mu + of_input[alike][1:][same], first_mu + of_input[alike][:-1][same]),
    ]
    bus = power_flow.block_of_node
    home = np.zeros(count, dtype=np.int64)
    home[of_input[::-1]] = bus[fr[measured[::-1]]]
    anchor = np.where(with_at, rows.at, rows.column)
    home[of_row[::-1]] = bus[np.where(anchor < n, anchor, 0)[::-1]]
    structure = structure_of(
        np.concatenate([np.repeat(bus, PER_NODE), home, np.repeat(bus[emf_node], 2)]),
        row=np.concatenate([a for a, _ in pairs]),
        col=np.concatenate([b for _, b in pairs]),
    )
    pattern = structure.pattern
    place = structure.place
    against = np.where(power_flow.against >= 0, order[power_flow.against], -1)
    merged = np.lexsort((against, y_column, y_row))
    key = (y_row[merged] * n + y_column[merged]) * (n + 1) + against[merged] + 1
    merged_first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    entry_row = y_row[merged][merged_first]
    block = np.repeat(np.arange(len(pattern.diagonal)), np.diff(pattern.start))
    shown = np.array([i for i, key in enumerate(table.keys) if key.kind in WEIGHED_KINDS], dtype=np.int64)
    return Layout(
        arrays=arrays,
        table=table,
        rows=rows,
        power_flow=power_flow,
        structure=structure,
        size=len(place),
        value_count=symmetric_size(pattern),
        block=block,
        node=place[node],
        mu=place[first_mu + np.arange(count)],
        emf=place[phasor[n:]],
        emf_node=emf_node,
        emf_first=tuple(int(f) for f in np.cumsum([0, *(len(s) for s in arrays.source_nodes)])[:-1]),
        emf_pu=np.concatenate([np.zeros(0, dtype=np.complex128), *(s.emf_pu for s in arrays.sources)]),
        merged=merged,
        merged_first=merged_first,
        network_first=np.searchsorted(entry_row, np.arange(n + 1)).astype(np.int64),
        network_column=place[node[y_column[merged][merged_first]]],
        network_against=_placed(place, node, against[merged][merged_first]),
        row_column=place[phasor[rows.column]],
        row_at=_placed(place, node, rows.at),
        home=block[place[first_mu + np.arange(count)]],
        voltage_rows={
            kind: np.flatnonzero(np.array([one is kind for one in rows.kind], dtype=np.bool_))
            for kind in (PointKind.V_MAGNITUDE, PointKind.V_AVERAGE, PointKind.V_LINE)
        },
        shown=tuple(table.keys[i] for i in shown),
        shown_rows=shown,
        shown_of_row=np.searchsorted(shown, rows.table_rows).astype(np.int64),
    )


def _placed(place: IntArray, node: IntArray, index: IntArray) -> IntArray:
    """Places of the V of nodes; -1 stays."""
    return np.where(index >= 0, place[node[index]], -1)


def _diagonal(layout: Layout, place: IntArray) -> IntArray:
    pattern = layout.structure.pattern
    block = layout.block[place]
    width = pattern.start[block + 1] - pattern.start[block]
    return np.asarray(pattern.diagonal[block] + (place - pattern.start[block]) * (width + 1))
