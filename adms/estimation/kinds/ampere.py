"""Current magnitudes at branch ends: h = |i|.

The magnitude has no derivative at zero and says nothing about direction, so a small reading is not used
(`MIN_SIGMAS`); Abur & Exposito, chapter 9, on what ampere measurements can and cannot decide.
"""

from collections.abc import Iterator

from adms.core.telemetry import PointKind
from adms.estimation.kinds.conductors import branch_conductors
from adms.estimation.kinds.row import Form, Metering, Row

MIN_SIGMAS = 5.0
"""A reading below this many of its sigmas is not used."""


def current_rows(
    metering: Metering, *, kind: PointKind = PointKind.I_MAGNITUDE, form: Form = Form.SIZE
) -> Iterator[Row]:
    """Rows of all such points. A point has to name one conductor."""
    arrays = metering.arrays
    for table_row in metering.table.rows_of(kind):
        found = branch_conductors(arrays, metering.table.keys[table_row])
        if len(found) == 1:
            unit = 1.0 if form is Form.ANGLE else float(arrays.current_base_a[found[0][0].at])
            yield Row(table_row=table_row, form=form, si_per_unit=unit, terms=found[0])
