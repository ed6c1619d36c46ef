"""Angles of phasor measurement units: h = arg V at a bus, h = arg i into a branch end.

A unit reports magnitude and angle (IEEE/IEC 60255-118-1:2018, clause 4); the magnitude is an ordinary voltage or
current row. Angles are against the same reference as those of the model's sources.
"""

from collections.abc import Iterator

from adms.core.telemetry import PointKind
from adms.estimation.kinds.ampere import current_rows
from adms.estimation.kinds.row import Form, Metering, Row, Term
from adms.estimation.kinds.voltage import node_of


def angle_rows(metering: Metering) -> Iterator[Row]:
    """Rows of all such points."""
    for table_row in metering.table.rows_of(PointKind.V_ANGLE):
        node = node_of(metering.arrays, metering.table.keys[table_row])
        if node is not None:
            terms = (Term(column=node, y=1.0 + 0.0j),)
            yield Row(table_row=table_row, form=Form.ANGLE, si_per_unit=1.0, terms=terms)
    yield from current_rows(metering, kind=PointKind.I_ANGLE, form=Form.ANGLE)
