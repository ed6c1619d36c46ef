"""Dynamics of distributed energy resources: what a unit does with a target, its resource and its voltage."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

from hil.overlay import DerEntry


@dataclass(frozen=True, kw_only=True)
class RideThrough:
    """Behaviour at abnormal voltage, simplified from IEEE 1547-2018 clauses 6.4 and 4.10."""

    cease_below_pu: float
    """Momentary cessation below this."""
    trip_after_s: float
    """Cessation for longer than this trips the unit."""
    return_min_pu: float
    return_max_pu: float
    return_delay_s: float
    return_ramp_s: float


class DerUnit:
    """One unit. Powers are injections into the network."""

    def __init__(self, entry: DerEntry, *, ride_through: RideThrough, soc_frac: float | None) -> None:
        self.entry = entry
        self._ride = ride_through
        self.p_target_w: float | None = entry.default_p_injection_w
        self.q_target_var: float | None = entry.default_q_injection_var
        self.p_w = 0.0
        self.q_var = 0.0
        self.soc_frac = soc_frac if entry.energy_wh is not None else None
        self.available_w = 0.0
        self.tripped = False
        self.leased = False
        """Its target is a lease's; a unit of no class does the same with a default's."""
        self._low_s = 0.0
        self._good_s = 0.0
        self._share = 1.0

    @property
    def share_frac(self) -> float:
        """Of its rating that it may use: 0 while it is off, below 1 on its way back."""
        return 0.0 if self.tripped or self._low_s > 0.0 else self._share

    def settle(self, *, irradiance_frac: float) -> None:
        """Stand at the target, as after a long time."""
        self._limits(irradiance_frac, dt_s=1.0)
        self.p_w, self.q_var = self._wanted()

    def step(self, dt_s: float, *, irradiance_frac: float, v_pu: float) -> None:
        """Advance; `v_pu` is the lowest phase voltage at its terminals, 0 when its nodes are dead."""
        self._limits(irradiance_frac, dt_s=dt_s)
        if not self._running(dt_s, v_pu=v_pu):
            self.p_w = self.q_var = 0.0
            return
        p_wanted, q_wanted = self._wanted()
        ramp = self.entry.ramp_w_per_s if self.entry.ramp_w_per_s is not None else inf
        step = min(max(p_wanted - self.p_w, -ramp * dt_s), ramp * dt_s)
        low, high = self._range()
        self.p_w = min(max(self.p_w + step, low), high)
        room = sqrt(max(self.entry.s_max_va**2 - self.p_w**2, 0.0))
        self.q_var = min(max(q_wanted, -room), room)
        self._charge(dt_s)

    def _limits(self, irradiance_frac: float, *, dt_s: float) -> None:
        if self.entry.kind == "pv":
            self.available_w = self.entry.p_max_w * irradiance_frac
        elif self.soc_frac is not None and self.entry.energy_wh is not None:
            energy_w = self.soc_frac * self.entry.energy_wh * self.entry.efficiency_frac * 3600.0 / dt_s
            self.available_w = min(self.entry.p_max_w, energy_w)
        else:
            self.available_w = self.entry.p_max_w

    def _range(self) -> tuple[float, float]:
        low = self.entry.p_min_w
        if self.soc_frac is not None and self.soc_frac >= 1.0:
            low = max(low, 0.0)
        high = self.available_w
        return low * self._share, max(high * self._share, low * self._share)

    def _wanted(self) -> tuple[float, float]:
        low, high = self._range()
        p = high if self.p_target_w is None else min(max(self.p_target_w, low), high)
        q_max = self.entry.q_max_var * self._share
        q = self.entry.default_q_injection_var if self.q_target_var is None else self.q_target_var
        return p, min(max(q, -q_max), q_max)

    def _running(self, dt_s: float, *, v_pu: float) -> bool:
        ride = self._ride
        if v_pu < ride.cease_below_pu:
            self._low_s += dt_s
            self._good_s = 0.0
            if self._low_s > ride.trip_after_s:
                self.tripped = True
            return False
        self._low_s = 0.0
        if self.tripped:
            inside = ride.return_min_pu <= v_pu <= ride.return_max_pu
            self._good_s = self._good_s + dt_s if inside else 0.0
            if self._good_s < ride.return_delay_s:
                return False
            self.tripped = False
            self._share = 0.0
        self._share = min(1.0, self._share + dt_s / ride.return_ramp_s)
        return True

    def _charge(self, dt_s: float) -> None:
        if self.soc_frac is None or self.entry.energy_wh is None:
            return
        efficiency = self.entry.efficiency_frac
        drawn_w = self.p_w / efficiency if self.p_w > 0 else self.p_w * efficiency
        self.soc_frac = min(max(self.soc_frac - drawn_w * dt_s / 3600.0 / self.entry.energy_wh, 0.0), 1.0)
