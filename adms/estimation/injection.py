"""Active and reactive power of DER and loads: linear in the inputs, h = sum of P_k or Q_k over a point's pairs."""

from dataclasses import dataclass

import numpy as np

from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray, IntArray, PointKind, PointTable
from adms.estimation.layout import Layout, Point
from adms.grid.arrays import S_BASE_VA


@dataclass(frozen=True, kw_only=True, eq=False)
class InjectionBlock:
    """Powers of injectors."""

    table_rows: IntArray
    si_per_unit: FloatArray
    row: IntArray
    column: IntArray
    first_input: int

    def evaluate(self, point: Point) -> tuple[FloatArray, FloatArray]:
        """As `MeasurementBlock.evaluate`."""
        power = np.concatenate([point.s.real, point.s.imag])[self.column - self.first_input]
        total: FloatArray = np.bincount(self.row, power, len(self.table_rows)).astype(np.float64)
        return total, np.ones(len(self.row))


def injection_block(layout: Layout, table: PointTable) -> InjectionBlock:
    """P and Q points of live DER and loads: of all pairs, or of those that start at the point's phase.

    A total counts only when all of the element's pairs are live.
    """
    arrays = layout.arrays
    rows: list[int] = []
    row: list[int] = []
    column: list[int] = []
    for kind, offset in ((PointKind.P_INJECTION, 0), (PointKind.Q_INJECTION, layout.k)):
        for table_row in table.rows_of(kind):
            key = table.keys[table_row]
            pairs = arrays.injector_rows.get(ElementId(key.element))
            if pairs is None:
                continue
            if key.phase != 0 and len(pairs) > 1:
                pairs = np.array([k for k in pairs if arrays.nodes[int(arrays.injector_fr[k])].phase == key.phase])
            place = layout.row_of_injector[pairs.astype(np.int64)]
            if place.size == 0 or (place < 0).any():
                continue
            row += [len(rows)] * len(place)
            column += [layout.first_input + offset + int(k) for k in place]
            rows.append(table_row)
    return InjectionBlock(
        table_rows=np.array(rows, dtype=np.int64),
        si_per_unit=np.full(len(rows), S_BASE_VA),
        row=np.array(row, dtype=np.int64),
        column=np.array(column, dtype=np.int64),
        first_input=layout.first_input,
    )
