"""An inverter after IEEE Std 1547-2018: what it makes of a target, its resource and what its terminal shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import acos, exp, inf, log, sqrt, tan

import numpy as np

from hil.overlay import DerEntry
from hil.plant.battery import Battery, BatteryPlan
from hil.plant.ieee1547 import Curve, Droop, on_curve
from hil.plant.ride_through import RidePlan, RideThrough1547, State, Terminal

NOMINAL = Terminal(v_low_pu=1.0, v_high_pu=1.0, v_mean_pu=1.0)


class Defect(StrEnum):
    """What a unit may do wrong. It keeps its leases in its own books all the same: what it answers is not told here."""

    IGNORES_LEASES = "ignores_leases"
    """Holds the last leased target for ever."""
    DEAF = "deaf"
    """Says SUCCESS and does nothing: it stays at its stored default."""
    STUCK = "stuck"
    """Holds the output that it had, as far as its resource allows."""
    WRONG_SIGN = "wrong_sign"
    """Takes leased power with the sign turned round."""


@dataclass(frozen=True, kw_only=True)
class DerClass:
    """How the units of a class behave by themselves."""

    name: str
    ride: RidePlan
    reactive_mode: str
    """While no lease gives reactive power: `constant_q` (the stored default), `constant_pf`, `volt_var`, `watt_var`."""
    reactive_curve: Curve = ()
    """Of volt-var (pu voltage, pu of rated S) or watt-var (pu of rated P, pu of rated S)."""
    power_factor: float = 1.0
    """Of `constant_pf`."""
    absorbs: bool = False
    """`constant_pf` absorbs reactive power while power is injected."""
    reactive_response_s: float
    """Open-loop response time: after a step 90 % of the way is gone in it (clause 3.1)."""
    volt_watt: Curve | None = None
    """(pu voltage, highest injection in pu of rated P); None: it has none, or it is off."""
    volt_watt_response_s: float = 10.0
    droop: Droop | None = None
    priority: str = "reactive"
    """Which power is kept where both do not fit: `reactive` (clause 5.3) or `active`."""
    i_max_pu: float = 1.1
    """Of rated current: apparent power falls with a voltage below 1 / `i_max_pu`."""
    battery: BatteryPlan | None = None


def approach(dt_s: float, *, response_s: float) -> float:
    """Share of the way that a first-order lag of an open-loop response time goes in `dt_s`: 90 % in `response_s`."""
    return 1.0 if response_s <= 0.0 else 1.0 - exp(-dt_s * log(10.0) / response_s)


class InverterUnit:
    """One inverter. Powers are injections into the network."""

    def __init__(self, entry: DerEntry, *, plan: DerClass, soc_frac: float | None, rng: np.random.Generator) -> None:
        self.entry = entry
        self.plan = plan
        self.ride = RideThrough1547(plan.ride, rng=rng)
        self.battery: Battery | None = None
        if entry.energy_wh is not None and soc_frac is not None:
            own = entry.efficiency_frac
            battery = plan.battery or BatteryPlan(charge_efficiency_frac=own, discharge_efficiency_frac=own)
            self.battery = Battery(battery, energy_wh=entry.energy_wh, soc_frac=soc_frac)
        self.p_target_w: float | None = entry.default_p_injection_w
        self.q_target_var: float | None = entry.default_q_injection_var
        self.leased = False
        """A lease is in force: its reactive power goes before the unit's own law."""
        self.defect: Defect | None = None
        self.p_w = 0.0
        self.q_var = 0.0
        self.available_w = 0.0
        self._held: tuple[float | None, float | None] | None = None
        self._p_ramped_w = 0.0
        self._q_law_var = 0.0
        self._cap_w = inf
        self._droop_pu = 0.0
        self._p_before_w: float | None = None

    @property
    def tripped(self) -> bool:
        """Off, and returns only after its delay."""
        return self.ride.state is State.TRIPPED

    @property
    def soc_frac(self) -> float | None:
        """State of charge of a storage unit."""
        return self.battery.soc_frac if self.battery is not None else None

    @property
    def quickest_s(self) -> float:
        """Shortest time constant of its laws that listen to voltage; infinite without one."""
        spans = [self.plan.reactive_response_s] if self.plan.reactive_mode == "volt_var" else []
        spans += [self.plan.volt_watt_response_s] if self.plan.volt_watt is not None else []
        return min((span / log(10.0) for span in spans), default=inf)

    # ---- time -----------------------------------------------------------------------------------------------

    def settle(self, *, irradiance_frac: float, terminal: Terminal = NOMINAL, weight: float = 1.0) -> float:
        """Go a share `weight` of the way to where it would stand after a long time; how far that was, of rated S."""
        before = complex(self.p_w, self.q_var)
        p_target, q_target = self._orders()
        low, high = self._range(irradiance_frac, dt_s=1.0)
        self._p_ramped_w = high if p_target is None else min(max(p_target, low), high)
        q_wanted, cap = self._law_var(self._p_ramped_w, q_target, terminal), self._cap_at(terminal)
        self._q_law_var += weight * (q_wanted - self._q_law_var)
        self._cap_w = cap if weight >= 1.0 or self._cap_w == inf else self._cap_w + weight * (cap - self._cap_w)
        self._fit(self._p_ramped_w, self._q_law_var, low=low, high=high, terminal=terminal)
        return abs(complex(self.p_w, self.q_var) - before) / self.entry.s_max_va

    def step(
        self,
        dt_s: float,
        *,
        irradiance_frac: float,
        terminal: Terminal,
        temperature_c: float | None = None,
        law_s: float | None = None,
    ) -> None:
        """Advance by `dt_s` at what the terminal showed meanwhile. `law_s` holds the laws that listen to voltage to a
        shorter span: over a step much longer than their response they would answer a voltage that they change."""
        law_s = dt_s if law_s is None else min(law_s, dt_s)
        low, high = self._range(irradiance_frac, dt_s=dt_s, temperature_c=temperature_c)
        running = self.ride.step(dt_s, terminal=terminal)
        p_target, q_target = self._orders()
        if not running:
            self.p_w = self.q_var = self._p_ramped_w = self._q_law_var = 0.0
            self._charge(dt_s)
            return
        if self.defect is Defect.STUCK:
            # It holds reactive power; active power too, as far as there is any.
            self._fit(self.p_w, self.q_var, low=low, high=high, terminal=terminal, limited=False)
            self._charge(dt_s)
            return
        share = self.ride.share_frac
        low, high = low * share, max(high * share, low * share)
        wanted = high if p_target is None else min(max(p_target, low), high)
        ramp_w = (self.entry.ramp_w_per_s if self.entry.ramp_w_per_s is not None else inf) * dt_s
        self._p_ramped_w = min(max(wanted, self._p_ramped_w - ramp_w), self._p_ramped_w + ramp_w)
        self._p_ramped_w = min(max(self._p_ramped_w, low), high)
        p_w = self._with_droop(dt_s, p_w=self._p_ramped_w, f_hz=terminal.f_hz)
        keep = approach(law_s, response_s=self.plan.reactive_response_s)
        self._q_law_var += keep * (self._law_var(p_w, q_target, terminal) - self._q_law_var)
        if self.plan.volt_watt is not None:
            before = self.entry.p_max_w if self._cap_w == inf else self._cap_w
            way = approach(law_s, response_s=self.plan.volt_watt_response_s)
            self._cap_w = before + way * (self._cap_at(terminal) - before)
        self._fit(p_w, self._q_law_var * share, low=low, high=high, terminal=terminal)
        self._charge(dt_s)

    def unrest_pu(self, terminal: Terminal) -> float:
        """How far its laws are from what they ask for at this voltage, of rated apparent power."""
        if self.ride.state is not State.RUNNING:
            return 0.0
        q_wanted = self._law_var(self.p_w, self._orders()[1], terminal)
        way = abs(q_wanted * self.ride.share_frac - self.q_var)
        if self.plan.volt_watt is not None and self._cap_w != inf:
            way = max(way, abs(min(self._cap_at(terminal), self.available_w) - min(self._cap_w, self.available_w)))
        return way / self.entry.s_max_va

    # ---- laws -----------------------------------------------------------------------------------------------

    def _orders(self) -> tuple[float | None, float | None]:
        """Targets as this unit takes them; reactive None where its own law applies."""
        p, q, leased = self.p_target_w, self.q_target_var, self.leased
        match self.defect:
            case Defect.IGNORES_LEASES if not leased and self._held is not None:
                (p, q), leased = self._held, True
            case Defect.DEAF:
                p, q, leased = self.entry.default_p_injection_w, self.entry.default_q_injection_var, False
            case Defect.WRONG_SIGN if leased:
                p, q = (None if p is None else -p), (None if q is None else -q)
            case _:
                pass
        if self.leased and self.defect is not Defect.DEAF:
            self._held = (p, q)
        if not leased and self.plan.reactive_mode != "constant_q":
            return p, None
        return p, self.entry.default_q_injection_var if q is None and self.plan.reactive_mode == "constant_q" else q

    def _law_var(self, p_w: float, q_target: float | None, terminal: Terminal) -> float:
        """Reactive power asked for at steady state, within the capability of the unit."""
        plan, entry = self.plan, self.entry
        if q_target is not None:
            q = q_target
        elif plan.reactive_mode == "volt_var":
            q = on_curve(plan.reactive_curve, terminal.v_mean_pu) * entry.s_max_va
        elif plan.reactive_mode == "watt_var":
            rated = entry.p_max_w if p_w >= 0.0 else -entry.p_min_w
            q = on_curve(plan.reactive_curve, p_w / rated if rated else 0.0) * entry.s_max_va
        else:
            q = p_w * tan(acos(plan.power_factor)) * (-1.0 if plan.absorbs else 1.0)
        return min(max(q, -entry.q_max_var), entry.q_max_var)

    def _cap_at(self, terminal: Terminal) -> float:
        if self.plan.volt_watt is None:
            return inf
        return on_curve(self.plan.volt_watt, terminal.v_mean_pu) * self.entry.p_max_w

    def _with_droop(self, dt_s: float, *, p_w: float, f_hz: float | None) -> float:
        droop = self.plan.droop
        if droop is None or f_hz is None:
            return p_w
        wanted = droop.change_pu(f_hz)
        if wanted != 0.0 and self._p_before_w is None:
            self._p_before_w = self.p_w
        self._droop_pu += approach(dt_s, response_s=droop.response_s) * (wanted - self._droop_pu)
        if wanted == 0.0 and abs(self._droop_pu) < 1e-4:
            self._droop_pu, self._p_before_w = 0.0, None
        return p_w if self._p_before_w is None else self._p_before_w + self._droop_pu * self.entry.p_max_w

    def _range(self, irradiance_frac: float, *, dt_s: float, temperature_c: float | None = None) -> tuple[float, float]:
        entry = self.entry
        if self.battery is not None:
            low, self.available_w = self.battery.limits_w(
                dt_s, p_min_w=entry.p_min_w, p_max_w=entry.p_max_w, temperature_c=temperature_c
            )
            return low, self.available_w
        self.available_w = min(entry.p_max_w * irradiance_frac, entry.p_max_w) if entry.kind == "pv" else entry.p_max_w
        return min(entry.p_min_w, self.available_w), self.available_w

    def _fit(
        self, p_w: float, q_var: float, *, low: float, high: float, terminal: Terminal, limited: bool = True
    ) -> None:
        """Put what is wanted inside resource, volt-watt and rated current."""
        s_va = self.entry.s_max_va * min(1.0, self.plan.i_max_pu * max(terminal.v_low_pu, 0.0))
        p_w = min(max(p_w, low), high)
        if limited:
            p_w = min(p_w, max(self._cap_w, self.entry.p_min_w))
        if self.plan.priority == "reactive":
            self.q_var = min(max(q_var, -s_va), s_va)
            room_w = sqrt(max(s_va**2 - self.q_var**2, 0.0))
            self.p_w = min(max(p_w, -room_w), room_w)
            return
        self.p_w = min(max(p_w, -s_va), s_va)
        room_var = sqrt(max(s_va**2 - self.p_w**2, 0.0))
        self.q_var = min(max(q_var, -room_var), room_var)

    def _charge(self, dt_s: float) -> None:
        if self.battery is not None:
            self.battery.step(dt_s, p_w=self.p_w)
