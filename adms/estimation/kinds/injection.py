"""Active and reactive power injected by a DER, a load, a source, or by all of them at a bus.

h = sum over the injectors of S, and over the conductors of sources of V conj(y (E - V))
"""

from collections.abc import Iterator

from adms.core.ids import BusId, ElementId
from adms.core.telemetry import PointKey, PointKind
from adms.estimation.kinds.conductors import source_conductors
from adms.estimation.kinds.row import Form, Metering, Row, Term
from adms.grid.arrays import GROUND, S_BASE_VA, NetworkArrays

FORM = {
    PointKind.P_INJECTION: Form.ACTIVE,
    PointKind.Q_INJECTION: Form.REACTIVE,
    PointKind.P_AVERAGE: Form.ACTIVE,
    PointKind.Q_AVERAGE: Form.REACTIVE,
}


def injection_rows(metering: Metering) -> Iterator[Row]:
    """Rows of all such points, meters' averages among them."""
    arrays = metering.arrays
    sources = {source.id: s for s, source in enumerate(arrays.model.sources)}
    for kind, form in FORM.items():
        for table_row in metering.table.rows_of(kind):
            key = metering.table.keys[table_row]
            element = ElementId(key.element)
            terms: tuple[Term, ...] = ()
            inputs: tuple[int, ...] = ()
            nothing = False
            if element in sources:
                terms = _terms(arrays, sources[element], phase=key.phase)
            elif element in arrays.injector_rows:
                inputs = _pairs(arrays, key)
            else:
                terms, inputs = _at_bus(arrays, key)
                # A meter where nothing is connected: the law says zero, whatever it reads.
                phases = arrays.phases_of.get(BusId(key.element), ())
                nothing = bool(phases) and key.phase in (0, *phases) and not _connected(arrays, key)
            if terms or inputs or nothing:
                yield Row(table_row=table_row, form=form, si_per_unit=S_BASE_VA, terms=terms, inputs=inputs)


def _terms(arrays: NetworkArrays, source: int, *, phase: int) -> tuple[Term, ...]:
    return tuple(term for conductor in source_conductors(arrays, source, phase=phase) for term in conductor)


def _pairs(arrays: NetworkArrays, key: PointKey) -> tuple[int, ...]:
    """All pairs of a load or DER, or those that start at the point's phase."""
    pairs = arrays.injector_rows[ElementId(key.element)].tolist()
    if key.phase == 0 or len(pairs) == 1:
        return tuple(pairs)
    return tuple(k for k in pairs if arrays.nodes[int(arrays.injector_fr[k])].phase == key.phase)


def _connected(arrays: NetworkArrays, key: PointKey) -> bool:
    """True where a load, DER or source is at a bus."""
    bus = BusId(key.element)
    return bus in arrays.injectors_at or any(source.nodes[0].bus == bus for source in arrays.model.sources)


def _at_bus(arrays: NetworkArrays, key: PointKey) -> tuple[tuple[Term, ...], tuple[int, ...]]:
    """Everything at a bus, or at one of its phases. What is connected between phases belongs to no one phase: with it,
    a single phase has no row."""
    bus = BusId(key.element)
    inputs = []
    for k in arrays.injectors_at.get(bus, ()):
        between = arrays.injector_to[k] != GROUND
        if key.phase == 0 or arrays.nodes[int(arrays.injector_fr[k])].phase == key.phase:
            inputs.append(k)
        if between and key.phase != 0:
            return (), ()
    terms: tuple[Term, ...] = ()
    for s, source in enumerate(arrays.model.sources):
        if source.nodes[0].bus == bus:
            terms += _terms(arrays, s, phase=key.phase)
    return terms, tuple(inputs)
