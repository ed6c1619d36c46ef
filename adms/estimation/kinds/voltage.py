"""Voltage magnitudes, phase-to-ground: h = |V|."""

from collections.abc import Iterator

from adms.core.ids import BusId
from adms.core.telemetry import PointKey, PointKind
from adms.estimation.kinds.row import Form, Metering, Row, Term
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NodeRef


def node_of(arrays: NetworkArrays, key: PointKey) -> int | None:
    """Index of the node that a voltage point names; None where there is none. A point without a phase belongs to a bus
    with a single node."""
    index = arrays.node_idx.get(NodeRef(BusId(key.element), key.phase))
    if index is None and key.phase == 0:
        phases = arrays.phases_of.get(BusId(key.element), ())
        if len(phases) == 1:
            index = arrays.node_idx[NodeRef(BusId(key.element), phases[0])]
    return index


def voltage_rows(metering: Metering, *, kind: PointKind = PointKind.V_MAGNITUDE) -> Iterator[Row]:
    """Rows of all such points. Of meters' averages (`kind`) they are the same, with another variance."""
    arrays = metering.arrays
    for table_row in metering.table.rows_of(kind):
        node = node_of(arrays, metering.table.keys[table_row])
        if node is not None:
            yield Row(
                table_row=table_row,
                form=Form.SIZE,
                si_per_unit=float(arrays.v_base_v[node]),
                terms=(Term(column=node, y=1.0 + 0.0j),),
            )
