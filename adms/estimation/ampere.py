"""Current magnitudes at branch ends: h = |i_t|, dh = Re(conj(i_t) sum_j y_j dw_j) / |i_t|.

The magnitude has no derivative at zero and says nothing about direction, so a small reading is not used
(`MIN_SIGMAS`); Abur & Exposito, chapter 9, on what ampere measurements can and cannot decide.
"""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray, IntArray, PointKey, PointKind, PointTable
from adms.estimation.currents import Terminal, Terminals, branch_terminals, terminals_of
from adms.estimation.layout import Layout, Point

MIN_SIGMAS = 5.0
"""A reading below this many of its sigmas is not used."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CurrentBlock:
    """Magnitudes of single conductors."""

    terminals: Terminals
    table_rows: IntArray
    si_per_unit: FloatArray
    row: IntArray
    column: IntArray

    def evaluate(self, point: Point) -> tuple[FloatArray, FloatArray]:
        """As `MeasurementBlock.evaluate`."""
        t = self.terminals
        i = t.current(point)
        size = np.abs(i)
        along = np.conj(i) / np.where(size > 0.0, size, 1.0)
        part = along[t.term] * t.y
        return size, np.concatenate([part.real, -part.imag])


def current_block(layout: Layout, table: PointTable) -> CurrentBlock:
    """Current magnitudes of live branch ends. A point has to name one conductor."""

    def find(lay: Layout, key: PointKey) -> tuple[Terminal, ...]:
        found = branch_terminals(lay, key)
        return found if len(found) == 1 else ()

    terminals = terminals_of(layout, table, kinds=(PointKind.I_MAGNITUDE,), find=find)
    of_term = terminals.row[terminals.term]
    re, im = layout.phasor_columns(terminals.column)
    return CurrentBlock(
        terminals=terminals,
        table_rows=terminals.table_rows,
        si_per_unit=layout.arrays.current_base_a[layout.live[terminals.node]],
        row=np.concatenate([of_term, of_term]),
        column=np.concatenate([re, im]),
    )
