"""Voltage magnitudes: h = |V_i|, dh = cos(theta) dRe V + sin(theta) dIm V (radial only)."""

from dataclasses import dataclass

import numpy as np

from adms.core.ids import BusId
from adms.core.telemetry import FloatArray, IntArray, PointKind, PointTable
from adms.estimation.layout import Layout, Point
from adms.grid.model import NodeRef

LEAST_V_PU, LARGEST_V_PU = 0.1, 3.0
"""What a meter at a live node can read. Below, it says that the node is dead; above, nothing."""


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


def voltage_points(layout: Layout, table: PointTable) -> tuple[IntArray, IntArray]:
    """(table row, node index) of every voltage point, live or dead. A point without a phase belongs to a bus with a
    single node."""
    arrays = layout.arrays
    single = {bus.id: NodeRef(bus.id, bus.phases[0]) for bus in arrays.model.buses if len(bus.phases) == 1}
    rows, nodes = [], []
    for row in table.rows_of(PointKind.V_MAGNITUDE):
        key = table.keys[row]
        index = arrays.node_idx.get(NodeRef(BusId(key.element), key.phase))
        if index is None and key.phase == 0 and BusId(key.element) in single:
            index = arrays.node_idx[single[BusId(key.element)]]
        if index is not None:
            rows.append(row)
            nodes.append(index)
    return np.array(rows, dtype=np.int64), np.array(nodes, dtype=np.int64)


def voltage_block(layout: Layout, table: PointTable) -> VoltageBlock:
    """Voltage points of live nodes."""
    rows, nodes = voltage_points(layout, table)
    live = layout.row_of_node[nodes] >= 0
    rows, at = rows[live], layout.row_of_node[nodes[live]]
    count = np.arange(len(rows), dtype=np.int64)
    return VoltageBlock(
        table_rows=rows,
        si_per_unit=layout.arrays.v_base_v[layout.live[at]],
        row=np.concatenate([count, count]),
        column=np.concatenate([at, at + layout.n]),
        nodes=at,
    )
