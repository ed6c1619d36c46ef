"""Local controls of regulators and capacitors, for when nobody supervises them.

Semantics are those of OpenDSS' RegControl and CapControl with `controlmode=time` (OpenDSS manual, "RegControl",
"CapControl"), so that EPRI's engine can be the referee of every move: a device seen out of band starts its delay
then, is reset when it is seen in band again, and moves at the first look at which its delay has passed. A look costs no
time: after a move the feeder is solved and looked at again at the same instant, with `dt_s` 0.

Two things differ, and both are as gear does it: a device whose own voltage is below `DEAD_FRAC` of what it holds does
not move, because its controller has no supply; and a capacitor that wants the other way starts its delay again."""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign

from hil.engine import CapacitorControl, RegulatorControl

DEAD_FRAC = 0.3
LOOK_S = 1e-6
"""A look so close to the end of a delay is at its end: times are sums of steps."""


@dataclass(kw_only=True)
class LocalRegulator:
    """Band, delay, delay between taps and line-drop compensation."""

    control: RegulatorControl
    delay_s: float
    _clock_s: float = 0.0
    _due_s: float | None = None

    def wanted(self, *, v_phasor_v: complex, i_into_a: complex) -> int:
        """Taps that would bring the winding's voltage nearest to the set point, signed; 0 in band. For the voltage of
        the winding and the current into its terminal.

        What is less than half a tap away from the set point is not worth one: no narrow band makes it hunt."""
        control = self.control
        if abs(v_phasor_v) < DEAD_FRAC * control.v_set_v * control.pt_ratio:
            return 0
        drop = complex(control.drop_r_v, control.drop_x_v) * i_into_a / control.ct_primary_a
        short_v = control.v_set_v - abs(v_phasor_v / control.pt_ratio + drop)
        if abs(short_v) <= control.v_band_v / 2:
            return 0
        return round(short_v * control.pt_ratio / control.winding_v / control.tap_step_pu)

    def step(self, dt_s: float, *, v_phasor_v: complex, i_into_a: complex) -> int:
        """Tap to move now (-1, 0, 1): the first when it has been out of band for `delay_s`, then one each
        `tap_delay_s` until what it wanted has been done."""
        self._clock_s += dt_s
        wanted = self.wanted(v_phasor_v=v_phasor_v, i_into_a=i_into_a)
        if wanted == 0:
            self._due_s = None
            return 0
        if self._due_s is None:
            self._due_s = self._clock_s + self.delay_s
        if self._clock_s < self._due_s - LOOK_S:
            return 0
        self._due_s = self._clock_s + self.control.tap_delay_s if abs(wanted) > 1 else None
        return int(copysign(1, wanted))

    def reset(self) -> None:
        """Start the delay again."""
        self._due_s = None


@dataclass(kw_only=True)
class LocalCapacitor:
    """Control of a switched capacitor by what it measures, with its discharge time before it closes again."""

    control: CapacitorControl
    opened_at: float = -1e9
    _due_s: float | None = None
    _wanted: int = 0

    def wanted(self, *, reading: float, v_v: float, steps: int, max_steps: int) -> int:
        """Steps that it would add (-1, 0, 1). `reading` is what its kind says, `v_v` the voltage behind its ratio."""
        control = self.control
        low_v, high_v = control.v_min_v, control.v_max_v
        if low_v is not None and high_v is not None:
            if not DEAD_FRAC * low_v <= v_v:
                return 0
            if v_v < low_v and steps < max_steps:
                return 1
            if v_v > high_v and steps > 0:
                return -1
        if control.kind == "voltage":
            if reading < DEAD_FRAC * control.on:
                return 0
            asks_on, asks_off = reading < control.on, reading > control.off
        else:
            asks_on, asks_off = reading > control.on, reading < control.off
        if asks_off and steps > 0:
            return -1
        return 1 if asks_on and steps < max_steps else 0

    def step(self, *, now: float, reading: float, v_v: float, steps: int, max_steps: int) -> int:
        """Steps to add now (-1, 0, 1). Closing waits its delay, from the end of the discharge time where that is
        still running."""
        wanted = self.wanted(reading=reading, v_v=v_v, steps=steps, max_steps=max_steps)
        if wanted != self._wanted:
            self.reset()
        if wanted == 0:
            return 0
        if self._due_s is None:
            control = self.control
            start = max(now, self.opened_at + control.dead_time_s) if wanted > 0 else now
            self._due_s = start + (control.delay_on_s if wanted > 0 else control.delay_off_s)
            self._wanted = wanted
        if now < self._due_s - LOOK_S:
            return 0
        self.reset()
        return wanted

    def reset(self) -> None:
        """Start the delay again."""
        self._due_s, self._wanted = None, 0
