"""Local controls of regulators and capacitors, for when nobody supervises them."""

from __future__ import annotations

from dataclasses import dataclass

from hil.engine import RegulatorControl

INTER_TAP_S = 5.0


@dataclass(kw_only=True)
class LocalRegulator:
    """Band, time delay and line drop compensation as in OpenDSS' RegControl."""

    control: RegulatorControl
    delay_s: float
    _out_s: float = 0.0
    _ready_s: float = 0.0

    def wanted(self, *, v_phasor_v: complex, i_into_a: complex) -> int:
        """Direction of the next tap (-1, 0, 1) for the winding's voltage and the current into its terminal."""
        control = self.control
        drop = complex(control.drop_r_v, control.drop_x_v) * i_into_a / control.ct_primary_a
        compensated = abs(v_phasor_v / control.pt_ratio + drop)
        if abs(v_phasor_v) < 0.3 * control.v_set_v * control.pt_ratio:
            return 0
        if compensated < control.v_set_v - control.v_band_v / 2:
            return 1
        return -1 if compensated > control.v_set_v + control.v_band_v / 2 else 0

    def step(self, dt_s: float, *, v_phasor_v: complex, i_into_a: complex) -> int:
        """Taps to move now: after `delay_s` out of band the first, then one each `INTER_TAP_S`."""
        direction = self.wanted(v_phasor_v=v_phasor_v, i_into_a=i_into_a)
        if direction == 0:
            self._out_s, self._ready_s = 0.0, self.delay_s
            return 0
        self._out_s += dt_s
        if self._out_s < max(self._ready_s, INTER_TAP_S):
            return 0
        self._out_s, self._ready_s = 0.0, INTER_TAP_S
        return direction

    def reset(self) -> None:
        """Start the delay again."""
        self._out_s, self._ready_s = 0.0, self.delay_s


@dataclass(kw_only=True)
class LocalCapacitor:
    """Voltage control of a switched capacitor, with the discharge time of VV5 before it closes again."""

    v_on_pu: float
    v_off_pu: float
    delay_s: float
    discharge_s: float = 300.0
    opened_at: float = -1e9
    _out_s: float = 0.0

    def step(self, dt_s: float, *, v_pu: float, steps: int, max_steps: int, now: float) -> int:
        """Steps to add now (-1, 0, 1)."""
        wants = 0
        if v_pu > 0.5 and v_pu < self.v_on_pu and steps < max_steps and now - self.opened_at >= self.discharge_s:
            wants = 1
        elif v_pu > self.v_off_pu and steps > 0:
            wants = -1
        self._out_s = self._out_s + dt_s if wants else 0.0
        if self._out_s < self.delay_s:
            return 0
        self._out_s = 0.0
        return wants
