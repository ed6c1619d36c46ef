"""A DER of the plant behind SunSpec registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hil.endpoints.sunspec.physics import Measured, Nameplate, OperatingState, Wanted
from hil.overlay import DerEntry

THROTTLED_OVER_W = 1.0


class LedUnit(Protocol):
    """What the registers need of a unit of the plant (`hil.plant.der.DerUnit`). Powers are injections."""

    entry: DerEntry
    p_target_w: float | None
    q_target_var: float | None
    p_w: float
    q_var: float
    soc_frac: float | None
    available_w: float
    tripped: bool


def nameplate_of(entry: DerEntry, *, v_nominal_v: float, f_nominal_hz: float) -> Nameplate:
    """The nameplate of a DER of the overlay; `v_nominal_v` is phase to neutral."""
    return Nameplate(
        serial=entry.id,
        phases=len(entry.phases),
        s_max_va=entry.s_max_va,
        p_max_w=max(entry.p_max_w, 0.0),
        p_charge_max_w=max(-entry.p_min_w, 0.0),
        q_max_var=entry.q_max_var,
        v_nominal_v=v_nominal_v,
        f_nominal_hz=f_nominal_hz,
        energy_wh=entry.energy_wh,
    )


class UnitPhysics:
    """Measures a unit in equal shares by phase, and leads it by what was written.

    Curves and power factors are kept in `wanted` for the plant's own control to carry out.
    """

    def __init__(
        self, unit: LedUnit, *, v_v: Callable[[], Sequence[float]], f_hz: Callable[[], float], local: bool = False
    ) -> None:
        """`v_v` gives the voltages of the unit's phases, phase to neutral."""
        self._unit = unit
        self._v_v, self._f_hz = v_v, f_hz
        self.local = local
        """Set it to take the device out of remote control."""
        self.wanted: Wanted | None = None

    def measured(self) -> Measured:
        """What the unit measures now."""
        unit, v_v = self._unit, tuple(self._v_v())
        shares = len(v_v)
        dead = all(v == 0.0 for v in v_v)
        available_w = 0.0 if unit.tripped or dead else unit.available_w
        return Measured(
            p_w=(unit.p_w / shares,) * shares,
            q_var=(unit.q_var / shares,) * shares,
            v_v=v_v,
            f_hz=self._f_hz(),
            state=self._state(available_w, dead=dead),
            connected=not (unit.tripped or dead),
            local=self.local,
            soc_frac=unit.soc_frac,
            p_available_w=available_w,
        )

    def want(self, wanted: Wanted) -> None:
        """Leads the unit. Without leave to serve it stands at nothing."""
        self.wanted = wanted
        unit = self._unit
        if not wanted.permitted:
            unit.p_target_w = unit.q_target_var = 0.0
            return
        targets = [target for target in (wanted.p_target_w, wanted.p_limit_w) if target is not None]
        unit.p_target_w = min(targets) if targets else unit.entry.default_p_injection_w
        unit.q_target_var = wanted.q_target_var

    def _state(self, available_w: float, *, dead: bool) -> OperatingState:
        if dead:
            return OperatingState.OFF
        if self._unit.tripped:
            return OperatingState.FAULT
        held_back = self.wanted is not None and self._unit.p_w < available_w - THROTTLED_OVER_W
        return OperatingState.THROTTLED if held_back else OperatingState.RUNNING
