"""Numbers of a measurement file that can be read and hardly be meant: slips of unit and base.

What no meter of any network could say is an error (`cannot_be`). What only this network makes unlikely is taken as it
stands, and a warning tells the lines (`Doubts`): a network in a fault has such voltages.
"""

import math

from adms.core.telemetry import PointKey, PointKind
from adms.grid.model import NetworkModel
from adms.grid.points import CURRENTS, FLOWS, INJECTIONS, VOLTAGES

_ANGLES = frozenset({PointKind.V_ANGLE, PointKind.I_ANGLE})
_POWERS = (FLOWS - CURRENTS) | INJECTIONS
_NORMAL_PU = (0.7, 1.3)
"""Of a voltage: 1 / sqrt(3) and sqrt(3), the slips between phase-to-phase and phase-to-ground, are outside."""
_SAYS_NOTHING_PU = 0.2
"""Sigma of a voltage that leaves even this open."""
_MUCH = 10.0
"""Times what all loads and DER of the model have."""
_LEAST_TOTAL_VA = 1e5
_LINES_NAMED = 10


def cannot_be(kind: PointKind, *, value: float) -> str | None:
    """Why a value is none of its kind, whatever the network; None where it can be.

    Args:
        kind: of the point.
        value: SI, finite.
    """
    unit, largest = _bounds(kind)
    if unit and abs(value) > largest:
        return f"value is beyond anything that there is ({largest:.0e} {unit}): it is asked in {unit}"
    return None


def _bounds(kind: PointKind) -> tuple[str, float]:
    """(unit, largest value); no unit where the kind is not weighed."""
    if kind in _ANGLES:
        return "rad", 1e4
    if kind in VOLTAGES:
        return "V", 1e7
    if kind in CURRENTS:
        return "A", 1e6
    if kind in _POWERS:
        return "W" if kind in (PointKind.P_FLOW, PointKind.P_INJECTION, PointKind.P_AVERAGE) else "var", 1e10
    return "", 0.0


class Doubts:
    """Rows that look like slips in one network, gathered by what they look like."""

    def __init__(self, model: NetworkModel) -> None:
        self._v_base_v = {str(bus.id): bus.v_base_v for bus in model.buses}
        self._base_of_end = {
            (str(branch.id), side): self._v_base_v[terminal[0].bus]
            for branch in model.branches
            for side, terminal in enumerate(branch.terminals)
            if terminal
        }
        loads = sum(math.hypot(load.p_w, load.q_var) for load in model.loads)
        self._total_va = max(loads + sum(der.s_max_va for der in model.ders), _LEAST_TOTAL_VA)
        self._found: dict[str, list[tuple[int, str]]] = {}

    def look_at(self, line: int, key: PointKey, *, value: float, sigma: float) -> None:
        """Notes a row if it looks like a slip.

        Args:
            line: where it stands.
            key: the point.
            value: SI.
            sigma: same unit.
        """
        if key.kind in _ANGLES:
            self._angle(line, value=value, sigma=sigma)
        elif key.kind in VOLTAGES:
            self._voltage(line, key, value=value, sigma=sigma)
        elif key.kind in _POWERS or key.kind in CURRENTS:
            self._power(line, key, value=value, sigma=sigma)

    def warnings(self) -> tuple[str, ...]:
        """One for each kind of slip, with its lines and what the first of them says."""
        return tuple(
            f"{_lines([line for line, _ in rows])}: {what} ({rows[0][1]})" for what, rows in self._found.items()
        )

    def _note(self, what: str, line: int, example: str) -> None:
        self._found.setdefault(what, []).append((line, example))

    def _angle(self, line: int, *, value: float, sigma: float) -> None:
        if abs(value) > 2.0 * math.pi:
            self._note("angles are asked in rad, and these are more than a turn: degrees?", line, f"{value:g} rad")
        if sigma > math.pi:
            self._note("with this sigma an angle says nothing", line, f"sigma {sigma:g} rad")

    def _voltage(self, line: int, key: PointKey, *, value: float, sigma: float) -> None:
        nominal = self._v_base_v[key.element] * (math.sqrt(3.0) if key.kind is PointKind.V_LINE else 1.0)
        between = "phase to phase" if key.kind is PointKind.V_LINE else "phase to ground"
        said = f"{value:g} V at {key.element}, nominal {nominal:.6g} V {between}"
        if 0.0 < value < 0.1 * nominal:
            self._note("less than a tenth of nominal counts as no voltage: kV or pu where V is asked?", line, said)
        elif value >= 3.0 * nominal:
            self._note("three times nominal and more is not used: of another bus or base?", line, said)
        elif value > 0.0 and not _NORMAL_PU[0] * nominal <= value <= _NORMAL_PU[1] * nominal:
            self._note("far from nominal: between other phases, or of another bus or base?", line, said)
        if sigma > _SAYS_NOTHING_PU * nominal:
            said = f"sigma {sigma:g} V at {key.element}, nominal {nominal:.6g} V"
            self._note("with this sigma a voltage says nothing", line, said)

    def _power(self, line: int, key: PointKey, *, value: float, sigma: float) -> None:
        unit, largest = _bounds(key.kind)[0], _MUCH * self._total_va
        if key.kind in CURRENTS:
            largest /= self._base_of_end.get((key.element, key.side), math.inf) or math.inf
            if largest == 0.0:
                return
        if abs(value) > largest:
            said = f"{value:g} {unit} at {key.element}"
            self._note(
                f"more than {_MUCH:.0f} times what all loads and DER of the model have: of another unit?", line, said
            )
        if sigma > largest:
            said = f"sigma {sigma:g} {unit} at {key.element}"
            self._note(
                f"a sigma of more than {_MUCH:.0f} times all loads and DER of the model says nothing", line, said
            )


def _lines(lines: list[int]) -> str:
    named = ", ".join(map(str, lines[:_LINES_NAMED]))
    if len(lines) > _LINES_NAMED:
        return f"lines {named} and {len(lines) - _LINES_NAMED} more"
    return f"line{'s' if len(lines) > 1 else ''} {named}"
