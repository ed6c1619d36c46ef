"""Everything about an estimate that does not change from scan to scan in one grid state."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray, PointKind
from adms.estimation.kernel.columns import (
    AdmittanceColumns,
    HoldColumns,
    InjectorColumns,
    NetworkColumns,
    RowColumns,
    SourceColumns,
)
from adms.estimation.layout import Layout
from adms.estimation.policy import EstimationPolicy
from adms.estimation.prior import LoadPrior
from adms.estimation.reduction import Reduced, reduced
from adms.grid.arrays import GROUND, S_BASE_VA, BoolArray
from adms.grid.components import components
from adms.grid.load_law import at_voltage
from adms.grid.state import GridState
from adms.powerflow import Factor, NotSolved, PowerFlow, factorise, solve_power_flow

_FREE_V_SIGMA_PU = 1e3
"""Sigma that stands for nothing being known of an open-circuit magnitude."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """A network in one state, and what is metered in it, as compiled code reads it."""

    layout: Layout
    grid: GridState
    factor: Factor
    """Of the network and its sources: which nodes have a voltage, and power flows."""
    admittance: AdmittanceColumns
    network: NetworkColumns
    reduced: Reduced
    sources: SourceColumns
    injectors: InjectorColumns
    row_of_injector: IntArray
    """[injector] its place among the live ones, -1 where dead."""
    rows: RowColumns
    live_rows: BoolArray
    """[M] True where a row measures something that has a voltage."""
    dead: IntArray
    """Places of V at nodes without a voltage."""
    measured_first: IntArray
    """[k + 1] where the rows that measure a live injector's power start."""
    measured_row: IntArray
    free_magnitudes: int
    """Open-circuit magnitudes, of live source nodes, of which nothing is known."""

    @property
    def live(self) -> IntArray:
        """[n] node indices with a voltage."""
        return self.factor.live

    @cached_property
    def witnesses(self) -> tuple[IntArray, IntArray, IntArray, FloatArray, BoolArray]:
        """Of each voltage magnitude: (row, node, row in the table, base in V, whether the switches say live)."""
        layout = self.layout
        rows = layout.voltage_rows[PointKind.V_MAGNITUDE]
        nodes = layout.rows.column[layout.rows.term_first[rows]]
        points = layout.rows.table_rows[rows]
        return rows, nodes, points, layout.arrays.v_base_v[nodes], self.factor.energised[nodes]

    @cached_property
    def no_holds(self) -> HoldColumns:
        """No voltage held at a limit of a load's law."""
        nothing = np.zeros(len(self.injectors.fr))
        return HoldColumns(weight=nothing, size=nothing, force=nothing)

    def neighbours(self) -> tuple[IntArray, IntArray]:
        """(node, node) of every entry of the admittance matrix that is not zero: what closed branches and mutual
        couplings join."""
        flow = self.layout.power_flow
        there, order = self.factor.entry_value != 0.0, flow.structure.order
        return order[flow.row[there]], order[flow.col[there]]

    @property
    def joined(self) -> IntArray:
        """[node] label of what is joined: worked out once for one set of switch positions."""
        known = self.layout.kept_by_topology(self.grid.topology_version)
        if known.joined is None:
            row, column = self.neighbours()
            known.joined = components(row, column, size=self.layout.arrays.node_count)
        return known.joined

    def with_free_magnitudes(self, policy: EstimationPolicy) -> "Problem":
        """The same with nothing known of the sources' open-circuit magnitudes."""
        free = replace(policy, source_v_sigma_pu=np.inf)
        return replace(self, sources=_sources(self.layout, self.factor, policy=free), free_magnitudes=0)

    def complete(self, x: FloatArray) -> None:
        """Sets the V of idle nodes from the others', in place.

        Args:
            x: [size]
        """
        if self.reduced.reduction.structure.pattern.lead == 0:
            return
        node = self.layout.node
        v = self.layout.phasors(x, node)
        self.reduced.complete(v)
        v[~self.factor.solved] = 0.0
        x[node], x[node + 1] = v.real, v.imag

    def across(self, x: FloatArray) -> ComplexArray:
        """[k] voltages across the live injectors at a point, per unit of their `fr` nodes."""
        injectors, layout = self.injectors, self.layout
        far = np.where(injectors.to >= 0, injectors.ratio * layout.phasors(x, injectors.to), 0.0)
        return np.asarray(layout.phasors(x, injectors.fr) - far)

    def powers_at(self, x: FloatArray, s_nominal_va: ComplexArray) -> ComplexArray:
        """[k] powers of the live injectors at the voltages of a point, S_BASE_VA.

        Args:
            x: [size]
            s_nominal_va: [injector] at nominal voltage.
        """
        nominal = s_nominal_va[self.factor.injectors] / S_BASE_VA
        return at_voltage(nominal, np.abs(self.across(x)) * self.injectors.scale, self.injectors.law)

    def expected_flow(self, prior: LoadPrior) -> FloatArray:
        """[size] the power flow of the expected powers, without load where there is none; a mean of which nothing is
        known serves as well as any. Multipliers are zero."""
        layout = self.layout
        flow = solve_power_flow(
            layout.arrays, self.grid, s_nominal_va=np.nan_to_num(prior.s_nominal_va), factor=self.factor
        )
        v = flow.v_phasor_pu[self.live] if isinstance(flow, PowerFlow) else self.factor.v_no_load_pu
        x = np.zeros(layout.size)
        for place, value in ((layout.node[self.live], v), (layout.emf, layout.emf_pu)):
            x[place], x[place + 1] = value.real, value.imag
        return x


def problem_of(layout: Layout, grid: GridState, *, policy: EstimationPolicy) -> Problem | NotSolved:
    """A network in one state.

    Args:
        layout: the unknowns.
        grid: positions of switches, taps and capacitors.
        policy: what is believed of the sources.

    Returns:
        The problem, or why there is none: nothing is energised, or a node floats.
    """
    arrays = layout.arrays
    factor = factorise(arrays, grid)
    if isinstance(factor, NotSolved):
        return factor
    flow = layout.power_flow
    k = factor.injectors
    row_of_injector = np.full(len(arrays.injectors), -1, dtype=np.int64)
    row_of_injector[k] = np.arange(len(k))
    to = arrays.injector_to[k]
    rows = layout.rows
    alive = np.zeros(len(arrays.injectors), dtype=np.bool_)
    alive[k] = True
    live_rows = rows.live(solved=factor.solved, injectors=alive)
    inputs = row_of_injector[rows.inputs]
    owner = np.repeat(np.arange(rows.count), np.diff(rows.input_first))
    order = np.argsort(np.where(inputs >= 0, inputs, len(k)), kind="stable")
    order = order[: np.count_nonzero(inputs >= 0)]
    dead_nodes = np.flatnonzero(~factor.solved)
    y = rows.admittances(arrays, grid)
    node_of_place = flow.structure.order
    less = reduced(
        layout.reduction,
        row=node_of_place[flow.row],
        col=node_of_place[flow.col],
        entry_value=_without_sources(factor, factor.entry_value),
        flow_value=_without_sources(factor, factor.flow_value),
        solved=factor.solved,
    )
    reached = np.append(factor.solved, np.ones(layout.m, dtype=np.bool_))
    return Problem(
        layout=layout,
        grid=grid,
        factor=factor,
        admittance=AdmittanceColumns(
            place=layout.node,
            first=layout.network_first,
            column=layout.network_column,
            y=np.add.reduceat(factor.entry_value[layout.merged], layout.merged_first),
        ),
        network=_network(layout, factor, less),
        reduced=less,
        sources=_sources(layout, factor, policy=policy),
        injectors=InjectorColumns(
            fr=layout.node[arrays.injector_fr[k]],
            to=np.where(to == GROUND, GROUND, layout.node[to]),
            ratio=flow.ratio[k],
            scale=flow.scale[k],
            law=flow.law[k],
            lowest=flow.lowest[k],
            highest=flow.highest[k],
        ),
        row_of_injector=row_of_injector,
        rows=RowColumns(
            form=rows.form,
            place=layout.mu,
            first=rows.term_first,
            at=layout.row_at,
            column=layout.row_column,
            y=np.where(reached[rows.column], y, 0.0),
            input_first=rows.input_first,
            inputs=inputs,
        ),
        live_rows=live_rows,
        dead=layout.node[dead_nodes],
        measured_first=np.searchsorted(inputs[order], np.arange(len(k) + 1)).astype(np.int64),
        measured_row=owner[order].astype(np.int64),
        free_magnitudes=int(factor.solved[layout.emf_node].sum()) if np.isinf(policy.source_v_sigma_pu) else 0,
    )


def _without_sources(factor: Factor, value: ComplexArray) -> ComplexArray:
    """Entries less the sources' own admittances: their current is worked out from E - V."""
    rest = value.copy()
    first = len(factor.arrays.entries.row)
    rest[first : first + len(factor.layout.source_value)] = 0.0
    return rest


def _network(layout: Layout, factor: Factor, less: Reduced) -> NetworkColumns:
    reduction = less.reduction
    y = less.y.copy()
    arrays = layout.arrays
    key = np.repeat(reduction.kept, np.diff(reduction.first)) * arrays.node_count + reduction.column
    for nodes, equivalent in zip(arrays.source_nodes, arrays.sources, strict=True):
        if factor.solved[nodes].all():
            at = np.searchsorted(key, (nodes[:, None] * arrays.node_count + nodes[None, :]).ravel())
            np.add.at(y, at, equivalent.y_pu.ravel())
    return NetworkColumns(
        place=layout.node[reduction.kept],
        first=reduction.first,
        column=layout.node[reduction.column],
        against=np.where(reduction.against >= 0, layout.node[reduction.against], -1),
        y=y,
        flow=less.flow,
    )


def _sources(layout: Layout, factor: Factor, *, policy: EstimationPolicy) -> SourceColumns:
    """A dead source keeps what is believed of it and drives nothing."""
    arrays = layout.arrays
    node: list[int] = []
    emf: list[int] = []
    other: list[int] = []
    y: list[complex] = []
    for nodes, equivalent, first in zip(arrays.source_nodes, arrays.sources, layout.emf_first, strict=True):
        for i, a in enumerate(nodes.tolist()):
            for j in range(len(nodes)):
                if factor.solved[a]:
                    node.append(int(layout.node[a]))
                    emf.append(int(layout.emf[first + j]))
                    other.append(int(layout.node[nodes[j]]))
                    y.append(complex(equivalent.y_pu[i, j]))
    radial = min(policy.source_v_sigma_pu, _FREE_V_SIGMA_PU) ** -2.0
    tangential = policy.source_angle_sigma_rad**-2.0
    along, square = layout.emf_pu / np.abs(layout.emf_pu), np.abs(layout.emf_pu) ** 2
    c, s = along.real, along.imag
    return SourceColumns(
        node=np.array(node, dtype=np.int64),
        emf=np.array(emf, dtype=np.int64),
        other=np.array(other, dtype=np.int64),
        y=np.array(y, dtype=np.complex128),
        place=layout.emf,
        mean=layout.emf_pu,
        w_re=radial * c * c + tangential / square * s * s,
        w_cross=(radial - tangential / square) * c * s,
        w_im=radial * s * s + tangential / square * c * c,
    )
