"""Which telemetry points a model has, and which values a point can take."""

import math
from dataclasses import dataclass

from adms.core.errors import Problem
from adms.core.telemetry import PointKey, PointKind
from adms.grid.model import NetworkModel

FLAGS = frozenset({PointKind.SWITCH_CLOSED, PointKind.FAULT_INDICATOR, PointKind.LOCKOUT, PointKind.REMOTE})
CURRENTS = frozenset({PointKind.I_MAGNITUDE, PointKind.I_ANGLE})
FLOWS = CURRENTS | {PointKind.P_FLOW, PointKind.Q_FLOW}
INJECTIONS = frozenset({PointKind.P_INJECTION, PointKind.Q_INJECTION, PointKind.P_AVERAGE, PointKind.Q_AVERAGE})
VOLTAGES = frozenset({PointKind.V_MAGNITUDE, PointKind.V_ANGLE, PointKind.V_AVERAGE, PointKind.V_LINE})
VOLTAGE_SIZES = VOLTAGES - {PointKind.V_ANGLE}
MEASURED = FLOWS | INJECTIONS | VOLTAGES
"""Kinds that an estimator weighs, so that they need a sigma."""

LINES = {12: frozenset({1, 2}), 23: frozenset({2, 3}), 31: frozenset({3, 1})}
"""Phases of a phase-to-phase voltage."""


def plausible(kind: PointKind, value: float) -> bool:
    """False where a value cannot be one of its kind, whatever the meter says."""
    if not math.isfinite(value):
        return False
    if kind in FLAGS:
        return value in (0.0, 1.0)
    if kind is PointKind.TAP_POSITION:
        return value == round(value)
    if kind is PointKind.CAPACITOR_STEPS:
        return value == round(value) and value >= 0.0
    if kind is PointKind.SOC:
        return 0.0 <= value <= 1.0
    if kind in (PointKind.V_MAGNITUDE, PointKind.V_LINE, PointKind.V_AVERAGE, PointKind.I_MAGNITUDE):
        return value >= 0.0
    return True


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Phases by terminal of one element, and which kinds of point it has."""

    phases: tuple[frozenset[int], ...]
    kinds: frozenset[PointKind]


class PointRules:
    """Which points one model has."""

    def __init__(self, model: NetworkModel) -> None:
        self._buses = {str(bus.id): frozenset(bus.phases) for bus in model.buses}
        self._places: dict[str, _Place] = {}
        for branch in model.branches:
            kinds = set(FLOWS)
            if branch.switch is not None:
                kinds |= {PointKind.SWITCH_CLOSED, PointKind.LOCKOUT, PointKind.FAULT_INDICATOR, PointKind.REMOTE}
            if branch.taps is not None:
                kinds |= {PointKind.TAP_POSITION, PointKind.REMOTE}
            phases = tuple(frozenset(node.phase for node in terminal) for terminal in branch.terminals)
            self._places[branch.id] = _Place(phases=phases, kinds=frozenset(kinds | {PointKind.FAULT_INDICATOR}))
        for capacitor in model.capacitors:
            self._places[capacitor.id] = _Place(
                phases=(frozenset(node.phase for node in capacitor.nodes),),
                kinds=frozenset({PointKind.CAPACITOR_STEPS, PointKind.REMOTE}),
            )
        for source in model.sources:
            self._places[source.id] = _Place(
                phases=(frozenset(node.phase for node in source.nodes),), kinds=frozenset(INJECTIONS)
            )
        for load in model.loads:
            phases = (frozenset(node.phase for pair in load.pairs for node in pair if node is not None),)
            self._places[load.id] = _Place(phases=phases, kinds=frozenset(INJECTIONS))
        for der in model.ders:
            phases = (frozenset(node.phase for pair in der.pairs for node in pair if node is not None),)
            self._places[der.id] = _Place(
                phases=phases,
                kinds=frozenset(INJECTIONS | {PointKind.SOC, PointKind.P_AVAILABLE, PointKind.REMOTE}),
            )

    def places(self, kind: PointKind) -> frozenset[str]:
        """Elements and buses that have points of a kind."""
        if kind in VOLTAGES:
            return frozenset(self._buses)
        elements = frozenset(name for name, place in self._places.items() if kind in place.kinds)
        return elements | frozenset(self._buses) if kind in INJECTIONS else elements

    def kinds(self, element: str) -> frozenset[PointKind]:
        """Kinds of point that an element or bus has; empty where there is none of that name."""
        at_bus = VOLTAGES | INJECTIONS if element in self._buses else frozenset()
        place = self._places.get(element)
        return at_bus | (place.kinds if place is not None else frozenset())

    def phases(self, key: PointKey) -> frozenset[int]:
        """Phases that the place of a point has, whatever the point's own; empty where there is no such place."""
        if key.kind in VOLTAGES or (key.kind in INJECTIONS and key.element in self._buses):
            return self._buses.get(key.element, frozenset())
        place = self._places.get(key.element)
        if place is None or key.side not in range(len(place.phases)):
            return frozenset()
        return place.phases[key.side]

    def problem(self, key: PointKey, *, sigma: float | None) -> Problem | None:
        """Why a point is not one of the model; None where it is.

        Args:
            key: the point.
            sigma: standard deviation of its meter, SI; None where none is given.
        """
        found = self._place_problem(key) or self._sigma_problem(key, sigma)
        if found is None:
            return None
        field, value, message = found
        return Problem(element=key.element, field=field, value=value, message=message)

    def _place_problem(self, key: PointKey) -> tuple[str, str, str] | None:
        if key.kind in VOLTAGES or (key.kind in INJECTIONS and key.element in self._buses):
            return self._bus_problem(key)
        place = self._places.get(key.element)
        if place is None:
            return "element", key.element, "no such element in the model"
        if key.kind not in place.kinds:
            return "kind", key.kind.value, "an element of this type has no such point"
        if key.kind in FLOWS:
            if key.side not in range(len(place.phases)):
                return "side", str(key.side), "the branch has no such terminal"
        elif key.side != 0:
            return "side", str(key.side), "only branch flows have a side"
        per_phase = key.kind in FLOWS or key.kind in INJECTIONS
        total = key.phase == 0 and key.kind not in CURRENTS
        if not total and not (per_phase and key.phase in place.phases[key.side]):
            if key.kind is PointKind.FAULT_INDICATOR and key.phase in place.phases[0]:
                return None
            return "phase", str(key.phase), "the element has no such phase for this kind"
        return None

    def _bus_problem(self, key: PointKey) -> tuple[str, str, str] | None:
        if key.element not in self._buses:
            return "element", key.element, "no such bus in the model"
        phases = self._buses[key.element]
        if key.kind is PointKind.V_LINE:
            if key.phase not in LINES or not LINES[key.phase] <= phases:
                return "phase", str(key.phase), "must be 12, 23 or 31, of phases that the bus has"
        elif key.phase not in phases and not (key.kind in INJECTIONS and key.phase == 0):
            return "phase", str(key.phase), "the bus has no such phase"
        return None if key.side == 0 else ("side", str(key.side), "a bus has no sides")

    @staticmethod
    def _sigma_problem(key: PointKey, sigma: float | None) -> tuple[str, str, str] | None:
        if sigma is None:
            if key.kind in MEASURED:
                return "sigma", "", "a measured quantity needs the standard deviation of its meter"
            return None
        if not (math.isfinite(sigma) and sigma > 0.0):
            return "sigma", str(sigma), "must be finite and above zero"
        return None
