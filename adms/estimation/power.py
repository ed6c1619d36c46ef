"""Active and reactive power at branch ends and sources: S_t = V_t conj(i_t), summed over a point's terminals.

    dS_t = conj(i_t) dV_t + V_t conj(sum_j y_j dw_j)

P is the real and Q the imaginary part. Through the closed switches of a feeder y is huge; the augmented form carries it
without squaring it.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray, IntArray, PointKind, PointTable
from adms.estimation.currents import Terminals, branch_terminals, source_terminals, terminals_of
from adms.estimation.layout import Layout, Point
from adms.grid.arrays import S_BASE_VA, BoolArray


@dataclass(frozen=True, kw_only=True, eq=False)
class PowerBlock:
    """Powers of terminals."""

    terminals: Terminals
    reactive: BoolArray
    """[rows]"""
    table_rows: IntArray
    si_per_unit: FloatArray
    row: IntArray
    column: IntArray

    def evaluate(self, point: Point) -> tuple[FloatArray, FloatArray]:
        """As `MeasurementBlock.evaluate`."""
        t = self.terminals
        v, conj_i = point.v[t.node], np.conj(t.current(point))
        turn = np.where(self.reactive, -1j, 1.0)
        of_terminal = turn[t.row]
        by_voltage = of_terminal * conj_i
        by_term = (of_terminal * v)[t.term] * np.conj(t.y)
        power = (of_terminal * v * conj_i).real
        h: FloatArray = np.bincount(t.row, power, len(self.table_rows)).astype(np.float64)
        entries = [by_voltage.real, -by_voltage.imag, by_term.real, by_term.imag]
        return h, np.concatenate(entries)


def _power_block(terminals: Terminals, table: PointTable) -> PowerBlock:
    lay = terminals.layout
    kinds = (PointKind.Q_FLOW, PointKind.Q_INJECTION)
    of_term = terminals.row[terminals.term]
    re, im = lay.phasor_columns(terminals.column)
    return PowerBlock(
        terminals=terminals,
        reactive=np.array([table.keys[int(r)].kind in kinds for r in terminals.table_rows], dtype=np.bool_),
        table_rows=terminals.table_rows,
        si_per_unit=np.full(len(terminals.table_rows), S_BASE_VA),
        row=np.concatenate([terminals.row, terminals.row, of_term, of_term]),
        column=np.concatenate([terminals.node, terminals.node + lay.n, re, im]),
    )


def flow_block(layout: Layout, table: PointTable) -> PowerBlock:
    """P and Q into branches at their ends."""
    kinds = (PointKind.P_FLOW, PointKind.Q_FLOW)
    return _power_block(terminals_of(layout, table, kinds=kinds, find=branch_terminals), table)


def source_block(layout: Layout, table: PointTable) -> PowerBlock:
    """P and Q that sources deliver into the network."""
    kinds = (PointKind.P_INJECTION, PointKind.Q_INJECTION)
    return _power_block(terminals_of(layout, table, kinds=kinds, find=source_terminals), table)
