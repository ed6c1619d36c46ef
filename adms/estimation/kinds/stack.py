"""All rows of a table, in columns."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray, PointKind, PointTable
from adms.estimation.kinds.ampere import current_rows
from adms.estimation.kinds.flow import flow_rows
from adms.estimation.kinds.injection import injection_rows
from adms.estimation.kinds.line_voltage import line_voltage_rows
from adms.estimation.kinds.phasor import angle_rows
from adms.estimation.kinds.row import Metering, Row
from adms.estimation.kinds.voltage import voltage_rows
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.state import GridState


@dataclass(frozen=True, kw_only=True, eq=False)
class RowStack:
    """M rows. What they measure does not depend on the state; `y` does."""

    table_rows: IntArray
    """[M]"""
    form: IntArray
    """[M] `Form`"""
    si_per_unit: FloatArray
    """[M]"""
    term_first: IntArray
    """[M + 1]"""
    at: IntArray
    """[term] node index, -1 where the form needs none."""
    column: IntArray
    """[term] node index, or node_count + place of an open-circuit voltage."""
    input_first: IntArray
    """[M + 1]"""
    inputs: IntArray
    """[input] injector index"""
    fixed_y: ComplexArray
    """[term] of any state; 0 where a branch gives it."""
    branch: IntArray
    """[term] branch index, -1 where `fixed_y` is meant."""
    entry: IntArray
    """[term, 2] row and column in the branch's primitive."""
    kind: tuple[PointKind, ...]
    """[M]"""

    @property
    def count(self) -> int:
        """M"""
        return len(self.table_rows)

    def admittances(self, arrays: NetworkArrays, grid: GridState) -> ComplexArray:
        """[term] y in a state, per unit; 0 where a switch is open."""
        y = self.fixed_y.copy()
        for index in np.unique(self.branch[self.branch >= 0]).tolist():
            here = np.flatnonzero(self.branch == index)
            primitive = arrays.branch_admittance_pu(index, grid)
            y[here] = primitive[self.entry[here, 0], self.entry[here, 1]]
        return y

    def live(self, *, solved: BoolArray, injectors: BoolArray) -> BoolArray:
        """[M] True where a row measures something that has a voltage.

        Args:
            solved: [node]
            injectors: [injector]
        """
        node = np.where(self.at >= 0, self.at, self.column)
        dead = np.append((node < len(solved)) & ~solved[np.minimum(node, len(solved) - 1)], False)
        lost = np.append(~injectors[self.inputs], False)
        alive = ~_any(dead, self.term_first) & ~_any(lost, self.input_first)
        return np.asarray(alive)


def _any(flag: BoolArray, first: IntArray) -> BoolArray:
    """[M] True where any of a row's entries is flagged; `flag` has one entry more than there are."""
    count = np.cumsum(np.concatenate([[0], flag]))
    return np.asarray(count[first[1:]] > count[first[:-1]])


def rows_of(arrays: NetworkArrays, table: PointTable) -> RowStack:
    """Every row that a table's points can give on a network.

    Args:
        arrays: the network in solver order.
        table: the points known to the service.
    """
    metering = Metering(arrays=arrays, table=table)
    return _stacked(
        [
            *voltage_rows(metering),
            *voltage_rows(metering, kind=PointKind.V_AVERAGE),
            *line_voltage_rows(metering),
            *angle_rows(metering),
            *flow_rows(metering),
            *current_rows(metering),
            *injection_rows(metering),
        ],
        table,
    )


def _stacked(rows: Iterable[Row], table: PointTable) -> RowStack:
    rows = tuple(rows)
    terms = [term for row in rows for term in row.terms]
    ints = np.int64
    return RowStack(
        table_rows=np.array([row.table_row for row in rows], dtype=ints),
        form=np.array([row.form for row in rows], dtype=ints),
        si_per_unit=np.array([row.si_per_unit for row in rows], dtype=np.float64),
        term_first=np.cumsum([0, *(len(row.terms) for row in rows)], dtype=ints),
        at=np.array([term.at for term in terms], dtype=ints),
        column=np.array([term.column for term in terms], dtype=ints),
        input_first=np.cumsum([0, *(len(row.inputs) for row in rows)], dtype=ints),
        inputs=np.array([k for row in rows for k in row.inputs], dtype=ints),
        fixed_y=np.array([term.y for term in terms], dtype=np.complex128),
        branch=np.array([term.branch for term in terms], dtype=ints),
        entry=np.array([term.entry for term in terms], dtype=ints).reshape(-1, 2),
        kind=tuple(table.keys[row.table_row].kind for row in rows),
    )
