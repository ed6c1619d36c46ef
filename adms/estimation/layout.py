"""Where each unknown of the estimator stands: found once for a model and a table of points.

The unknowns are real and stand in the order of elimination, a bus and the rows that it is home to in one block:

    V       complex voltage of each node                               per unit
    lambda  complex multiplier of its current balance
    mu      multiplier of each measurement row
    E       complex open-circuit voltage of each source node           per unit

A node that is dead has places all the same, so that switches, taps and capacitors change values only.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from adms.block_ldu import BlockStructure, structure_of
from adms.block_ldu.symmetric import symmetric_size
from adms.core.estimate import ComplexArray, Use
from adms.core.telemetry import WEIGHED_KINDS, FloatArray, IntArray, PointKey, PointKind, PointTable
from adms.estimation.kernel.phasors import phasors_at
from adms.estimation.kernel.reading import ReadingRules
from adms.estimation.kinds.stack import RowStack, rows_of
from adms.estimation.moving import MovingRows, moving_rows
from adms.estimation.reduction import Reduction, reduction_of
from adms.grid.arrays import GROUND, NetworkArrays
from adms.powerflow.layout import Layout as PowerFlowLayout
from adms.powerflow.layout import layout_of as power_flow_layout_of

PER_NODE = 4
_TOPOLOGIES = 8


@dataclass(kw_only=True, eq=False)
class KeptByTopology:
    """What is worked out once for one set of switch positions, when it is asked for."""

    joined: IntArray | None = None
    """[node] label of what closed branches and mutual couplings join."""
    lacking: dict[bytes, tuple[str, ...]] = field(default_factory=dict)
    """What is missing for the head to be measured, by which rows are in use."""


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
    """[admittance entry] the order in which equal (row, column) stand together."""
    merged_first: IntArray
    """[network entry] where each group starts in that order."""
    network_first: IntArray
    """[node + 1]"""
    network_column: IntArray
    """[network entry] place of the other node's V."""
    reduction: Reduction
    """The network without its idle nodes."""
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

    @cached_property
    def moving(self) -> MovingRows:
        """How the rows are aged."""
        return moving_rows(self.rows, arrays=self.arrays, table=self.table)

    @cached_property
    def phase(self) -> IntArray:
        """[node]"""
        return np.array([node.phase for node in self.arrays.nodes], dtype=np.int64)

    @cached_property
    def _by_topology(self) -> dict[str, KeptByTopology]:
        return {}

    def kept_by_topology(self, version: str) -> KeptByTopology:
        """Of a grid state's `topology_version`; those of the last few are kept."""
        known = self._by_topology
        if version not in known:
            if len(known) >= _TOPOLOGIES:
                known.pop(next(iter(known)))
            known[version] = KeptByTopology()
        return known[version]

    @cached_property
    def reading_rules(self) -> ReadingRules:
        """What their values are held against."""
        moving = self.moving
        return ReadingRules(
            si_per_unit=self.rows.si_per_unit,
            average=moving.average,
            voltage_size=moving.voltage_size,
            current_size=moving.current_size,
            angle=moving.angle,
            partner=moving.partner,
        )

    @cached_property
    def voltage_meters(self) -> tuple[IntArray, IntArray]:
        """([meter] node, [meter] row) of what measures a voltage to ground."""
        rows = np.concatenate([self.voltage_rows[kind] for kind in (PointKind.V_MAGNITUDE, PointKind.V_AVERAGE)])
        return self.rows.column[self.rows.term_first[rows]], rows

    @cached_property
    def source_of_emf(self) -> IntArray:
        """[size] source whose E has its place there, -1 where no E has."""
        source = np.full(self.size, -1, dtype=np.int64)
        count = np.diff([*self.emf_first, self.m])
        source[self.emf] = np.repeat(np.arange(len(self.emf_first)), count)
        return source

    @cached_property
    def all_used(self) -> tuple[tuple[Use, ...], tuple[str, ...]]:
        """What is said of the shown points where every one is used."""
        return (Use.USED,) * len(self.shown), ("",) * len(self.shown)

    @cached_property
    def shown_list(self) -> list[int]:
        """`shown_of_row` as numbers of Python, which loops read sooner."""
        return [int(place) for place in self.shown_of_row]

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
        return phasors_at(x, place)


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
    fr, to = arrays.injector_fr, arrays.injector_to
    between = to != GROUND
    bus = power_flow.block_of_node
    touched_row, touched_bus = _buses_of_rows(arrays, rows, bus=bus)
    together = sp.coo_matrix(_clique(touched_row, touched_bus, shape=(count, int(bus.max()) + 1)))
    some_node = np.zeros(int(bus.max()) + 1, dtype=np.int64)
    some_node[bus] = np.arange(n)
    idle = np.ones(len(some_node), dtype=np.bool_)
    idle[touched_bus] = False
    idle[bus[np.concatenate([fr, to[between], emf_node])]] = False
    # A bus at an end may float behind a delta winding, and is then not worked out from its neighbour to all digits.
    pair = np.unique(bus[y_row] * len(some_node) + bus[y_column])
    idle &= np.bincount(pair // len(some_node), minlength=len(some_node)) > 2
    row = node[np.concatenate([y_row, fr[between], some_node[together.row]])]
    col = node[np.concatenate([y_column, to[between], some_node[together.col]])]

    def ordered(home: IntArray) -> BlockStructure:
        block = np.concatenate([np.repeat(bus, PER_NODE), home, np.repeat(bus[emf_node], 2)])
        return structure_of(block, row=row, col=col, idle=idle)

    # A row stands with the last of its buses. Sooner, its pivot is its own tiny variance, which is as bad as least
    # squares' normal equations; there, it is the variance of all that it measures.
    home = np.zeros(count, dtype=np.int64)
    home[touched_row] = touched_bus
    first = ordered(home)
    turn = np.zeros(len(some_node), dtype=np.int64)
    turn[bus] = _block_of_place(first)[first.place[node]]
    latest = np.zeros(count, dtype=np.int64)
    np.maximum.at(latest, touched_row, turn[touched_bus])
    last = turn[touched_bus] == latest[touched_row]
    home[touched_row[last]] = touched_bus[last]
    structure = ordered(home)
    place = structure.place
    against = np.where(power_flow.against >= 0, order[power_flow.against], -1)
    merged = np.lexsort((y_column, y_row))
    key = y_row[merged] * n + y_column[merged]
    merged_first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    entry_row = y_row[merged][merged_first]
    block = _block_of_place(structure)
    shown = np.array([i for i, key in enumerate(table.keys) if key.kind in WEIGHED_KINDS], dtype=np.int64)
    return Layout(
        arrays=arrays,
        table=table,
        rows=rows,
        power_flow=power_flow,
        structure=structure,
        size=len(place),
        value_count=symmetric_size(structure.pattern),
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
        reduction=reduction_of(arrays, bus=bus, row=y_row, col=y_column, against=against, idle=idle),
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


def _block_of_place(structure: BlockStructure) -> IntArray:
    """[place] block."""
    pattern = structure.pattern
    return np.repeat(np.arange(len(pattern.diagonal)), np.diff(pattern.start))


def _buses_of_rows(arrays: NetworkArrays, rows: RowStack, *, bus: IntArray) -> tuple[IntArray, IntArray]:
    """(row, bus) for everything that a row touches."""
    n = arrays.node_count
    of_term = np.repeat(np.arange(rows.count), np.diff(rows.term_first))
    of_input = np.repeat(np.arange(rows.count), np.diff(rows.input_first))
    emf_node = np.concatenate([np.zeros(0, dtype=np.int64), *arrays.source_nodes])
    column = np.where(rows.column < n, rows.column, emf_node[np.maximum(rows.column - n, 0)] if len(emf_node) else 0)
    to = arrays.injector_to[rows.inputs]
    row = np.concatenate([of_term, of_term[rows.at >= 0], of_input, of_input[to != GROUND]])
    node = np.concatenate([column, rows.at[rows.at >= 0], arrays.injector_fr[rows.inputs], to[to != GROUND]])
    return row, bus[node]


def _clique(row: IntArray, bus: IntArray, *, shape: tuple[int, int]) -> sp.csr_matrix:
    """[bus, bus] joins all buses that a row touches."""
    touches = sp.csr_matrix((np.ones(len(row)), (row, bus)), shape=shape)
    return sp.csr_matrix(touches.T @ touches)


def _placed(place: IntArray, node: IntArray, index: IntArray) -> IntArray:
    """Places of the V of nodes; -1 stays."""
    return np.where(index >= 0, place[node[index]], -1)


def _diagonal(layout: Layout, place: IntArray) -> IntArray:
    pattern = layout.structure.pattern
    block = layout.block[place]
    width = pattern.start[block + 1] - pattern.start[block]
    return np.asarray(pattern.diagonal[block] + (place - pattern.start[block]) * (width + 1))
