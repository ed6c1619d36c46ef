"""Voltage magnitudes, phase-to-phase: h = |V_a - V_b|, per unit of the bus's phase-to-ground base."""

from collections.abc import Iterator

from adms.core.ids import BusId
from adms.core.telemetry import PointKind
from adms.estimation.kinds.row import Form, Metering, Row, Term
from adms.grid.model import NodeRef


def line_voltage_rows(metering: Metering) -> Iterator[Row]:
    """Rows of all such points; `phase` 12 is from phase 1 to phase 2."""
    arrays = metering.arrays
    for table_row in metering.table.rows_of(PointKind.V_LINE):
        key = metering.table.keys[table_row]
        ends = [arrays.node_idx.get(NodeRef(BusId(key.element), phase)) for phase in divmod(key.phase, 10)]
        fr, to = ends
        if fr is not None and to is not None and fr != to:
            yield Row(
                table_row=table_row,
                form=Form.SIZE,
                si_per_unit=float(arrays.v_base_v[fr]),
                terms=(Term(column=fr, y=1.0 + 0.0j), Term(column=to, y=-1.0 + 0.0j)),
            )
