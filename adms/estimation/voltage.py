"""Voltage magnitudes: h = |V_i|, dh = cos(theta) dRe V + sin(theta) dIm V (radial only)."""

from dataclasses import dataclass

import numpy as np

from adms.core.ids import BusId
from adms.core.telemetry import FloatArray, IntArray, PointKind, PointTable
from adms.estimation.layout import Layout, Point
from adms.grid.model import NodeRef


@dataclass(frozen=True, kw_only=True, eq=False)
class VoltageBlock:
    """Magnitudes at live nodes."""

    table_rows: IntArray
    si_per_unit: FloatArray
    row: IntArray
    column: IntArray
    nodes: IntArray
    """[rows] live row of each measurement."""

    def evaluate(self, point: Point) -> tuple[FloatArray, FloatArray]:
        """As `MeasurementBlock.evaluate`."""
        v = point.v[self.nodes]
        size = np.abs(v)
        return size, np.concatenate([v.real / size, v.imag / size])


def voltage_block(layout: Layout, table: PointTable) -> VoltageBlock:
    """Voltage points of live nodes. A point without a phase belongs to a bus with a single node."""
    arrays = layout.arrays
    single = {bus.id: NodeRef(bus.id, bus.phases[0]) for bus in arrays.model.buses if len(bus.phases) == 1}
    rows, nodes = [], []
    for row in table.rows_of(PointKind.V_MAGNITUDE):
        key = table.keys[row]
        node = NodeRef(BusId(key.element), key.phase)
        index = arrays.node_idx.get(node)
        if index is None and key.phase == 0 and BusId(key.element) in single:
            index = arrays.node_idx[single[BusId(key.element)]]
        if index is not None and layout.row_of_node[index] >= 0:
            rows.append(row)
            nodes.append(int(layout.row_of_node[index]))
    at = np.array(nodes, dtype=np.int64)
    count = np.arange(len(rows), dtype=np.int64)
    return VoltageBlock(
        table_rows=np.array(rows, dtype=np.int64),
        si_per_unit=arrays.v_base_v[layout.live[at]],
        row=np.concatenate([count, count]),
        column=np.concatenate([at, at + layout.n]),
        nodes=at,
    )
