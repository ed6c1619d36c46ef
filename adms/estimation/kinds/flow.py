"""Active and reactive power into a branch at one end: S = V conj(i), summed over a point's conductors."""

from collections.abc import Iterator

from adms.core.telemetry import PointKind
from adms.estimation.kinds.conductors import branch_conductors
from adms.estimation.kinds.row import Form, Metering, Row
from adms.grid.arrays import S_BASE_VA


def flow_rows(metering: Metering) -> Iterator[Row]:
    """Rows of all such points."""
    for kind, form in ((PointKind.P_FLOW, Form.ACTIVE), (PointKind.Q_FLOW, Form.REACTIVE)):
        for table_row in metering.table.rows_of(kind):
            found = branch_conductors(metering.arrays, metering.table.keys[table_row])
            terms = tuple(term for conductor in found for term in conductor)
            if terms:
                yield Row(table_row=table_row, form=form, si_per_unit=S_BASE_VA, terms=terms)
