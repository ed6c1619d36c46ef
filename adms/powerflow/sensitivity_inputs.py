"""What can move a solved state a little, as small currents into its nodes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import scipy.sparse as sp

from adms.core.errors import InputError, Problem
from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.core.telemetry import IntArray
from adms.grid.admittance import S_BASE_VA, per_unit
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState
from adms.powerflow.sensitivity_groups import Groups
from adms.powerflow.sensitivity_linearised import Linearised

InputGroup = Literal["p_injectors", "q_injectors", "p_nodes", "q_nodes", "taps", "capacitors", "sources"]


def no_rows() -> IntArray:
    """An empty list of indices."""
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs(Groups):
    """What moves: one column each, group after group in the order of the fields."""

    p_injectors: IntArray = field(default_factory=no_rows)
    """Injector indices: 1 W more injected, at nominal voltage (by its voltage law at the state's)."""
    q_injectors: IntArray = field(default_factory=no_rows)
    """Likewise 1 var."""
    p_nodes: IntArray = field(default_factory=no_rows)
    """Node indices: 1 W more injected between the node and ground, whatever the voltage."""
    q_nodes: IntArray = field(default_factory=no_rows)
    """Likewise 1 var."""
    taps: tuple[ElementId, ...] = ()
    """Branches with a tap changer: one position up. The derivative of the ratio; of a table of primitives the mean of
    the two neighbouring differences (at an end the one that there is)."""
    capacitors: tuple[ElementId, ...] = ()
    """One step more."""
    sources: tuple[ElementId, ...] = ()
    """1 pu more open-circuit voltage in all phases."""

    def problems(self, arrays: NetworkArrays) -> Iterator[Problem]:
        """Everything in it that the network does not have."""
        limits = (
            ("p_injectors", self.p_injectors, len(arrays.injectors)),
            ("q_injectors", self.q_injectors, len(arrays.injectors)),
            ("p_nodes", self.p_nodes, arrays.node_count),
            ("q_nodes", self.q_nodes, arrays.node_count),
        )
        for name, index, count in limits:
            for value in index[(index < 0) | (index >= count)]:
                yield Problem(element="inputs", field=name, value=str(value), message=f"no such index of {count}")
        known = (
            ("taps", self.taps, {arrays.branches[int(i)].id for i in arrays.tapped}, "tap changer"),
            ("capacitors", self.capacitors, {c.id for c in arrays.model.capacitors}, "capacitor"),
            ("sources", self.sources, {s.id for s in arrays.model.sources}, "source"),
        )
        for name, given, have, what in known:
            for element in given:
                if element not in have:
                    yield Problem(element=element, field=name, value="", message=f"no such {what}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Drive:
    """The inputs at a state: what they do at fixed voltages."""

    current_pu: sp.csc_matrix
    """[live, column] into the nodes."""
    branch_current_pu: Mapping[int, tuple[int, ComplexArray]]
    """By column: a branch whose primitive changes, and the change of current into it at each of its nodes."""
    shunt_current_pu: Mapping[int, ComplexArray]
    """By column: [node] change of the current into branches and capacitors together."""
    emf: Mapping[int, tuple[int, ComplexArray]]
    """By column: a source whose open-circuit phasors change, and by what."""


def drive_of(linearised: Linearised, inputs: Inputs) -> Drive:
    """Raises InputError with everything in `inputs` that the network does not have."""
    factor = linearised.factor
    arrays = factor.arrays
    problems = tuple(inputs.problems(arrays))
    if problems:
        raise InputError(problems)
    v = linearised.flow.v_phasor_pu
    blocks: list[sp.csc_matrix] = []
    for rows, power in ((inputs.p_injectors, linearised.per_w), (inputs.q_injectors, linearised.per_var)):
        place = linearised.live_of_injector[rows]
        live = place >= 0
        into = factor.incidence.tocsc()[:, place[live]] @ sp.diags_array(power[place[live]])
        spread = sp.csc_matrix(
            (np.ones(live.sum()), (np.arange(live.sum()), np.flatnonzero(live))), shape=(live.sum(), len(rows))
        )
        blocks.append(sp.csc_matrix(into @ spread))
    for rows, unit in ((inputs.p_nodes, 1.0), (inputs.q_nodes, 1j)):
        place = linearised.factor.row_of_node[rows]
        live = place >= 0
        value = np.conj(unit / v[rows[live]]) / S_BASE_VA
        blocks.append(sp.csc_matrix((value, (place[live], np.flatnonzero(live))), shape=(len(factor.live), len(rows))))
    branch: dict[int, tuple[int, ComplexArray]] = {}
    shunt: dict[int, ComplexArray] = {}
    emf: dict[int, tuple[int, ComplexArray]] = {}
    columns: list[ComplexArray] = []
    start = inputs.span("taps").start
    for element in inputs.taps:
        index = arrays.branch_idx[element]
        drawn = tap_slope_pu(arrays, index, grid=factor.grid) @ v[arrays.branch_nodes[index]]
        branch[start + len(columns)] = (index, drawn)
        shunt[start + len(columns)] = _at_nodes(arrays, arrays.branch_nodes[index], drawn)
        columns.append(-shunt[start + len(columns)])
    for element in inputs.capacitors:
        index = next(i for i, c in enumerate(arrays.model.capacitors) if c.id == element)
        nodes = arrays.capacitor_nodes[index]
        base = arrays.v_base_v[nodes] * np.sqrt(arrays.conductors[nodes])
        y = per_unit(arrays.model.capacitors[index].y_step_siemens, base)
        shunt[start + len(columns)] = _at_nodes(arrays, nodes, y @ v[nodes])
        columns.append(-shunt[start + len(columns)])
    for element in inputs.sources:
        index = next(i for i, s in enumerate(arrays.model.sources) if s.id == element)
        source = arrays.sources[index]
        phasor = np.exp(1j * np.array(arrays.model.sources[index].v_angle_rad))
        emf[start + len(columns)] = (index, phasor)
        columns.append(_at_nodes(arrays, source.nodes, source.y_pu @ phasor))
    if columns:
        blocks.append(sp.csc_matrix(np.stack(columns, axis=1)[factor.live]))
    return Drive(current_pu=sp.csc_matrix(sp.hstack(blocks)), branch_current_pu=branch, shunt_current_pu=shunt, emf=emf)


def tap_slope_pu(arrays: NetworkArrays, index: int, *, grid: GridState) -> ComplexArray:
    """Derivative of a branch's primitive (per unit, over its concatenated terminals) by its tap position."""
    branch = arrays.branches[index]
    taps = branch.taps
    assert taps is not None
    position = grid.tap_position[branch.id]
    if taps.primitives:
        low, high = max(position - 1, taps.min_position), min(position + 1, taps.max_position)
        if low == high:
            return np.zeros_like(arrays.branch_admittance_pu(index, grid))
        above = arrays.branch_admittance_pu(index, grid.with_tap(branch.id, position=high))
        return (above - arrays.branch_admittance_pu(index, grid.with_tap(branch.id, position=low))) / (high - low)
    at_winding = np.repeat(
        [float(k == taps.terminal) for k in range(len(branch.terminals))], [len(t) for t in branch.terminals]
    )
    per_step = -taps.step_pu / (1.0 + position * taps.step_pu)
    return np.asarray(arrays.branch_admittance_pu(index, grid) * np.add.outer(at_winding, at_winding) * per_step)


def _at_nodes(arrays: NetworkArrays, nodes: IntArray, current: ComplexArray) -> ComplexArray:
    out = np.zeros(arrays.node_count, dtype=np.complex128)
    np.add.at(out, nodes, current)
    return out
