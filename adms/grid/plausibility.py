"""Numbers that nobody installs. What is surely a slip of units is refused (`slips`); what is merely odd, and stands in
decks that work, is told (`oddities`).

The bounds are wide on purpose: a slip of units is a factor of a thousand, and a feeder of an unusual kind is not one.
"""

import math
from collections.abc import Iterable, Mapping

from adms.core.errors import Problem
from adms.core.ids import BusId
from adms.grid.model import Branch, BranchKind, ComplexMatrix, NetworkModel, NodeRef
from adms.grid.validation_joints import supply

V_BASE_MIN_V = 24.0
V_BASE_MAX_V = 800e3
POWER_MAX_W = 1e9
"""Of one load or DER: more than any substation feeds."""
LENGTH_MAX_M = 200e3
"""Of one line of a distribution network."""
LENGTH_MAX_TRANSMISSION_M = 2000e3
V_TRANSMISSION_V = 100e3 / math.sqrt(3.0)
RATING_MIN_A = 1.0
"""Of a line: less is a rating in kA."""
_NOMINAL_RATIO_MAX = 500.0
_NOMINAL_RATIO_ODD = 1.5 * math.sqrt(3.0)
"""Wye against delta is sqrt 3; what is left is a choice of nominal voltages."""
_SOURCE_MAX_PU = 5.0
_SOURCE_ODD_PU = (0.8, 1.2)
_OHM_PER_KM_ODD = (1e-3, 100.0)
_OHM_PER_KM = (1e-7, 1e6)
_SHORT_M = 1.0
"""Stubs of no length stand in for switches and joints, with any impedance."""
_TAP_ODD_PU = 0.5


def slips(model: NetworkModel) -> tuple[Problem, ...]:
    """Values that are wrong by their unit, every one."""
    return tuple(_slips(model))


def oddities(model: NetworkModel) -> tuple[Problem, ...]:
    """What to look at in a model that has no problems: it is used as it stands."""
    return tuple(_oddities(model))


def _slips(model: NetworkModel) -> Iterable[Problem]:
    base = {bus.id: bus.v_base_v for bus in model.buses}
    for bus in model.buses:
        if math.isfinite(bus.v_base_v) and bus.v_base_v > 0.0 and not V_BASE_MIN_V <= bus.v_base_v <= V_BASE_MAX_V:
            yield _problem(bus.id, "v_base_v", bus.v_base_v, "no network has this phase-to-ground voltage: V or kV?")
    for source in model.sources:
        if any(math.isfinite(v) and v > _SOURCE_MAX_PU for v in source.v_magnitude_pu):
            yield _problem(source.id, "v_magnitude_pu", source.v_magnitude_pu, "per unit of the bus, about 1")
    for branch in model.branches:
        if too_long(branch, v_base_v=_v_of(branch, base)):
            message = f"no line is {(branch.length_m or 0.0) / 1e3:,.0f} km long: m, km or feet?"
            yield _problem(branch.id, "length_m", branch.length_m, message)
        if not_believed(branch):
            yield _problem(branch.id, "rating_a", branch.rating_a, "a line carries more than 1 A: A or kA?")
        ohm_per_km = _ohm_per_km(branch)
        if ohm_per_km is not None and not _OHM_PER_KM[0] <= ohm_per_km <= _OHM_PER_KM[1]:
            message = f"{ohm_per_km:.3g} ohm per km is no conductor: the length or the impedance is in another unit"
            yield _problem(branch.id, "y_primitive_siemens", "", message)
    for load in model.loads:
        for field, value in (("p_w", load.p_w), ("q_var", load.q_var)):
            if math.isfinite(value) and abs(value) > POWER_MAX_W:
                yield _problem(load.id, field, value, "more than 1 GW at one load: W, kW or MW?")
        ratio = _nominal_ratio(load.pairs, v_nominal_v=load.v_nominal_v, base=base)
        if ratio is not None and not 1.0 / _NOMINAL_RATIO_MAX <= ratio <= _NOMINAL_RATIO_MAX:
            yield _problem(load.id, "v_nominal_v", load.v_nominal_v, "is not its bus's voltage: V or kV?")
    for der in model.ders:
        if math.isfinite(der.s_max_va) and der.s_max_va > POWER_MAX_W:
            yield _problem(der.id, "s_max_va", der.s_max_va, "more than 1 GVA at one DER: VA, kVA or MVA?")
        ratio = _nominal_ratio(der.pairs, v_nominal_v=der.v_nominal_v, base=base)
        if ratio is not None and not 1.0 / _NOMINAL_RATIO_MAX <= ratio <= _NOMINAL_RATIO_MAX:
            yield _problem(der.id, "v_nominal_v", der.v_nominal_v, "is not its bus's voltage: V or kV?")


def too_long(branch: Branch, *, v_base_v: float) -> bool:
    """True of a line that is longer than any of its voltage."""
    limit = LENGTH_MAX_M if v_base_v < V_TRANSMISSION_V else LENGTH_MAX_TRANSMISSION_M
    return branch.length_m is not None and math.isfinite(branch.length_m) and branch.length_m > limit


def not_believed(branch: Branch) -> bool:
    """True where a line's rating is of the size that a slip makes of it."""
    return branch.kind is BranchKind.LINE and branch.rating_a is not None and 0.0 < branch.rating_a < RATING_MIN_A


def _oddities(model: NetworkModel) -> Iterable[Problem]:
    base = {bus.id: bus.v_base_v for bus in model.buses}
    for source in model.sources:
        if not all(_SOURCE_ODD_PU[0] <= v <= _SOURCE_ODD_PU[1] for v in source.v_magnitude_pu):
            yield _problem(source.id, "v_magnitude_pu", source.v_magnitude_pu, "far from 1 per unit of its bus")
    for branch in model.branches:
        yield from _branch_oddities(branch)
    reach = supply(model)
    for load in model.loads:
        if any(fr not in reach.possible for fr, _ in load.pairs):
            yield _problem(load.id, "pairs", "", "disconnected: no switch position connects it to a source")
        ratio = _nominal_ratio(load.pairs, v_nominal_v=load.v_nominal_v, base=base)
        if ratio is not None and not 1.0 / _NOMINAL_RATIO_ODD <= ratio <= _NOMINAL_RATIO_ODD:
            message = f"is {ratio:.3g} times the nominal voltage of its bus"
            yield _problem(load.id, "v_nominal_v", load.v_nominal_v, message)
    for der in model.ders:
        if any(fr not in reach.possible for fr, _ in der.pairs):
            yield _problem(der.id, "pairs", "", "disconnected in part: no switch position feeds all of its phases")
    for capacitor in model.capacitors:
        if any(node not in reach.possible for node in capacitor.nodes):
            yield _problem(capacitor.id, "nodes", "", "disconnected: no switch position connects it to a source")
    dark = [bus.id for bus in model.buses if all(NodeRef(bus.id, p) not in reach.possible for p in bus.phases)]
    for bus in dark:
        yield _problem(bus, "phases", "", "no switch position connects this bus to a source")


def _branch_oddities(branch: Branch) -> Iterable[Problem]:
    if branch.kind in (BranchKind.LINE, BranchKind.SWITCH) and len(branch.terminals) == 2:
        fr, to = ([node.phase for node in terminal] for terminal in branch.terminals)
        if fr != to and sorted(fr) == sorted(to):
            yield _problem(branch.id, "terminals", f"{fr} to {to}", "crosses its phases")
    ohm_per_km = _ohm_per_km(branch)
    if ohm_per_km is not None and not _OHM_PER_KM_ODD[0] <= ohm_per_km <= _OHM_PER_KM_ODD[1]:
        yield _problem(branch.id, "length_m", branch.length_m, f"{ohm_per_km:.3g} ohm per km is unusual")
    taps = branch.taps
    if taps is not None and not taps.primitives:
        widest = max(abs(taps.min_position), abs(taps.max_position)) * taps.step_pu
        if widest > _TAP_ODD_PU:
            yield _problem(branch.id, "taps.step_pu", taps.step_pu, f"its taps reach {widest:.0%}")


def _v_of(branch: Branch, base: Mapping[BusId, float]) -> float:
    return max((base.get(end[0].bus, 0.0) for end in branch.terminals if end), default=0.0)


def _nominal_ratio(
    pairs: tuple[tuple[NodeRef, NodeRef | None], ...], *, v_nominal_v: float, base: Mapping[BusId, float]
) -> float | None:
    """Nominal voltage of a device over its bus's, taken between phases where it is connected so; None where either
    is not there."""
    if not pairs or not (math.isfinite(v_nominal_v) and v_nominal_v > 0.0):
        return None
    fr, to = pairs[0]
    v = base.get(fr.bus, 0.0)
    if not v > 0.0:
        return None
    return v_nominal_v / (v * (math.sqrt(3.0) if to is not None and to.phase in (1, 2, 3) else 1.0))


def _ohm_per_km(branch: Branch) -> float | None:
    """Magnitude of the first conductor's own series impedance over the length; None without a length."""
    if branch.kind is not BranchKind.LINE or branch.length_m is None or not branch.length_m > _SHORT_M:
        return None
    if len(branch.terminals) != 2 or len(branch.terminals[0]) != len(branch.terminals[1]):
        return None
    count = len(branch.terminals[0])
    y = _between_ends(branch.y_primitive_siemens, count=count)
    if y is None:
        return None
    return 1e3 / (y * branch.length_m) if y > 0.0 else None


def _between_ends(y: ComplexMatrix, *, count: int) -> float | None:
    """Largest admittance that joins a conductor's two ends, S."""
    if not count or any(
        len(part) != 2 * count or any(len(line) != 2 * count for line in part) for part in (y.re, y.im)
    ):
        return None
    found = max(math.hypot(y.re[k][count + k], y.im[k][count + k]) for k in range(count))
    return found if math.isfinite(found) else None


def _problem(element: str, field: str, value: object, message: str) -> Problem:
    given = f"{value:.6g}" if isinstance(value, float) else str(value)
    return Problem(element=element, field=field, value=given, message=message)
