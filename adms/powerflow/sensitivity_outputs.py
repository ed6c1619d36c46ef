"""What of a solved state is asked for, as real linear functions Re(c^H dV) of the change of its voltages."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import scipy.sparse as sp

from adms.core.errors import InputError, Problem
from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray, IntArray
from adms.grid.admittance import S_BASE_VA
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NodeRef
from adms.powerflow.sensitivity_groups import Groups
from adms.powerflow.sensitivity_inputs import Drive, no_rows
from adms.powerflow.sensitivity_linearised import Linearised

OutputGroup = Literal["v_nodes", "p_branch", "q_branch", "i_branch", "p_sources", "q_sources", "losses"]


@dataclass(frozen=True, kw_only=True)
class BranchEnd:
    """One conductor of one end of a branch."""

    branch: ElementId
    terminal: int
    """Counted from 0."""
    node: NodeRef

    def row(self, arrays: NetworkArrays) -> int | None:
        """Its row in the branch's primitive; None where the branch has no such end."""
        index = arrays.branch_idx.get(self.branch)
        if index is None:
            return None
        terminals = arrays.branches[index].terminals
        if not 0 <= self.terminal < len(terminals) or self.node not in terminals[self.terminal]:
            return None
        return sum(len(t) for t in terminals[: self.terminal]) + terminals[self.terminal].index(self.node)


@dataclass(frozen=True, kw_only=True, eq=False)
class Outputs(Groups):
    """What is asked for: one row each, group after group in the order of the fields."""

    v_nodes: IntArray = field(default_factory=no_rows)
    """Node indices: voltage magnitude, pu. 0 at a dead node."""
    p_branch: tuple[BranchEnd, ...] = ()
    """Active power into the branch, W."""
    q_branch: tuple[BranchEnd, ...] = ()
    """Reactive power into the branch, var."""
    i_branch: tuple[BranchEnd, ...] = ()
    """Current magnitude of one conductor, A. NaN where the current is zero: its magnitude has a kink there."""
    p_sources: tuple[ElementId, ...] = ()
    """Active power of all phases into the network, W."""
    q_sources: tuple[ElementId, ...] = ()
    losses: tuple[Literal["total"], ...] = ()
    """("total",) for the losses as in `PowerFlow.losses_w`, W."""

    def problems(self, arrays: NetworkArrays) -> Iterator[Problem]:
        """Everything in it that the network does not have."""
        count = arrays.node_count
        for value in self.v_nodes[(self.v_nodes < 0) | (self.v_nodes >= count)]:
            yield Problem(element="outputs", field="v_nodes", value=str(value), message=f"no such index of {count}")
        for name, ends in (("p_branch", self.p_branch), ("q_branch", self.q_branch), ("i_branch", self.i_branch)):
            for end in ends:
                if end.row(arrays) is None:
                    where = f"terminal {end.terminal}, {end.node.bus}.{end.node.phase}"
                    yield Problem(element=end.branch, field=name, value=where, message="no such end of a branch")
        have = {s.id for s in arrays.model.sources}
        for name, given in (("p_sources", self.p_sources), ("q_sources", self.q_sources)):
            for element in given:
                if element not in have:
                    yield Problem(element=element, field=name, value="", message="no such source")


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Outputs at a state: a change is Re(gradient^H dV) + direct."""

    gradient: sp.csc_matrix
    """[live, row] complex."""
    direct: FloatArray
    """[row, column] what an input changes at fixed voltages."""


def rows_of(linearised: Linearised, outputs: Outputs, *, drive: Drive) -> Rows:
    """Raises InputError with everything in `outputs` that the network does not have."""
    arrays = linearised.factor.arrays
    problems = tuple(outputs.problems(arrays))
    if problems:
        raise InputError(problems)
    build = _Build(linearised, drive=drive, count=outputs.count)
    start = outputs.span("v_nodes").start
    v = linearised.flow.v_phasor_pu[outputs.v_nodes]
    alive = np.abs(v) > 0.0
    build.gradient(start + np.flatnonzero(alive), nodes=outputs.v_nodes[alive], value=v[alive] / np.abs(v[alive]))
    for offset, end in enumerate(outputs.p_branch):
        build.branch_power(outputs.span("p_branch").start + offset, end, unit=1.0)
    for offset, end in enumerate(outputs.q_branch):
        build.branch_power(outputs.span("q_branch").start + offset, end, unit=1j)
    for offset, end in enumerate(outputs.i_branch):
        build.branch_current(outputs.span("i_branch").start + offset, end)
    for offset, element in enumerate(outputs.p_sources):
        build.source_power(outputs.span("p_sources").start + offset, element, unit=1.0)
    for offset, element in enumerate(outputs.q_sources):
        build.source_power(outputs.span("q_sources").start + offset, element, unit=1j)
    for offset in range(len(outputs.losses)):
        build.losses(outputs.span("losses").start + offset)
    return build.done()


class _Build:
    """Rows one after the other. `unit` is 1 for the real and 1j for the imaginary part: both are Re(conj(unit) z)."""

    def __init__(self, linearised: Linearised, *, drive: Drive, count: int) -> None:
        self._linearised = linearised
        self._arrays = linearised.factor.arrays
        self._drive = drive
        self._row: list[IntArray] = []
        self._node: list[IntArray] = []
        self._value: list[ComplexArray] = []
        self._direct: FloatArray = np.zeros((count, drive.current_pu.shape[1]))

    def gradient(self, row: IntArray, *, nodes: IntArray, value: ComplexArray) -> None:
        self._row.append(row)
        self._node.append(nodes)
        self._value.append(value)

    def _all(self, row: int, *, nodes: IntArray, value: ComplexArray) -> None:
        self.gradient(np.full(len(nodes), row, dtype=np.int64), nodes=nodes, value=value)

    def _end(self, end: BranchEnd) -> tuple[int, int, IntArray, ComplexArray, ComplexArray]:
        """(branch, row in its primitive, its nodes, that row of the primitive, voltages)."""
        index, k = self._arrays.branch_idx[end.branch], end.row(self._arrays)
        assert k is not None
        nodes = self._arrays.branch_nodes[index]
        y = self._arrays.branch_admittance_pu(index, self._linearised.factor.grid)[k]
        return index, k, nodes, y, self._linearised.flow.v_phasor_pu[nodes]

    def branch_power(self, row: int, end: BranchEnd, *, unit: complex) -> None:
        """S = v_k conj(y v), so dS = dv_k conj(y v) + v_k conj(y dv) + v_k conj(dy v)."""
        index, k, nodes, y, v = self._end(end)
        # Re(conj(unit) v_k conj(y dv)) = Re(unit conj(v_k) y dv), as the real part is that of the conjugate.
        value = np.conj(unit * np.conj(v[k]) * y)
        value[k] += unit * (y @ v)
        self._all(row, nodes=nodes, value=S_BASE_VA * value)
        for column, (moved, current) in self._drive.branch_current_pu.items():
            if moved == index:
                self._direct[row, column] = S_BASE_VA * (np.conj(unit) * v[k] * np.conj(current[k])).real

    def branch_current(self, row: int, end: BranchEnd) -> None:
        """d|i| = Re(conj(i / |i|) (y dv + dy v)), in A of the node's base."""
        index, k, nodes, y, v = self._end(end)
        i = complex(y @ v)
        if i == 0.0:
            self._direct[row] = np.nan
            return
        unit = i / abs(i)
        ampere = float(self._arrays.current_base_a[nodes[k]])
        self._all(row, nodes=nodes, value=ampere * unit * np.conj(y))
        for column, (moved, current) in self._drive.branch_current_pu.items():
            if moved == index:
                self._direct[row, column] = ampere * (np.conj(unit) * current[k]).real

    def source_power(self, row: int, element: ElementId, *, unit: complex) -> None:
        """S = sum v conj(y (e - v)), so dS = sum dv conj(y (e - v)) - v conj(y dv) + v conj(y de)."""
        index = next(i for i, s in enumerate(self._arrays.model.sources) if s.id == element)
        source = self._arrays.sources[index]
        v = self._linearised.flow.v_phasor_pu[source.nodes]
        value = unit * (source.y_pu @ (source.emf_pu - v)) - np.conj(unit) * (source.y_pu.conj().T @ v)
        self._all(row, nodes=source.nodes, value=S_BASE_VA * value)
        for column, (moved, change) in self._drive.emf.items():
            if moved == index:
                power = np.sum(v * np.conj(source.y_pu @ change))
                self._direct[row, column] = S_BASE_VA * (np.conj(unit) * power).real

    def losses(self, row: int) -> None:
        """Re(V^H Y V): what the network takes, and with it what sources and injectors deliver."""
        v, y = self._linearised.v_pu, self._linearised.y_live
        live = self._linearised.factor.live
        self._all(row, nodes=live, value=S_BASE_VA * np.asarray(y @ v + y.conj().T @ v))
        for column, current in self._drive.shunt_current_pu.items():
            self._direct[row, column] = S_BASE_VA * np.vdot(v, current[live]).real

    def done(self) -> Rows:
        none = np.zeros(0, dtype=np.complex128)
        node = self._linearised.factor.row_of_node[np.concatenate([no_rows(), *self._node])]
        row = np.concatenate([no_rows(), *self._row])
        value = np.concatenate([none, *self._value])
        live = node >= 0
        shape = (len(self._linearised.factor.live), len(self._direct))
        matrix = sp.csc_matrix((value[live], (node[live], row[live])), shape=shape)
        return Rows(gradient=matrix, direct=self._direct)
