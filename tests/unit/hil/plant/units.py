"""Units that the tests of the plant's DER share."""

from dataclasses import replace
from typing import Any

import numpy as np

from hil.overlay import DerEntry
from hil.plant.battery import BatteryPlan
from hil.plant.ieee1547 import VOLT_VAR
from hil.plant.inverter import DerClass, InverterUnit
from hil.plant.ride_through import RidePlan, Terminal

PV = DerEntry(
    id="der.pv",
    kind="pv",
    bus="b",
    phases=(1, 2, 3),
    connection="wye",
    s_max_va=100e3,
    p_max_w=100e3,
    p_min_w=0.0,
    q_max_var=44e3,
    energy_wh=None,
    efficiency_frac=1.0,
    default_p_injection_w=None,
    default_q_injection_var=0.0,
    ramp_w_per_s=None,
)
BATTERY = replace(
    PV,
    id="der.battery",
    kind="battery",
    p_min_w=-100e3,
    energy_wh=200e3,
    efficiency_frac=0.9,
    default_p_injection_w=0.0,
)
RIDE = RidePlan(
    category="III",
    trips_at="clearing",
    permissive="deliver",
    return_v_min_pu=0.917,
    return_v_max_pu=1.05,
    return_f_min_hz=59.5,
    return_f_max_hz=60.1,
    return_delay_s=300.0,
    return_random_s=0.0,
    return_ramp_s=300.0,
)
"""Table 4 (clause 4.10.2) and clause 4.10.3: defaults of IEEE Std 1547-2018."""
VOLT_VAR_B = DerClass(
    name="b", ride=RIDE, reactive_mode="volt_var", reactive_curve=VOLT_VAR["B"], reactive_response_s=5.0
)
IDEAL = BatteryPlan(charge_efficiency_frac=1.0, discharge_efficiency_frac=1.0)


def at(v_pu: float, *, f_hz: float | None = None) -> Terminal:
    """A balanced terminal."""
    return Terminal(v_low_pu=v_pu, v_high_pu=v_pu, v_mean_pu=v_pu, f_hz=f_hz)


def unit(
    entry: DerEntry = PV, *, soc_frac: float = 0.5, seed: int = 1, plan: DerClass = VOLT_VAR_B, **changes: Any
) -> InverterUnit:
    """A unit, with fields of its class changed, at rest in full sun at nominal voltage."""
    made = InverterUnit(entry, plan=replace(plan, **changes), soc_frac=soc_frac, rng=np.random.default_rng(seed))
    made.settle(irradiance_frac=1.0)
    return made


def run(
    made: InverterUnit, terminal: Terminal, *, seconds: float, dt_s: float = 0.1, irradiance_frac: float = 1.0
) -> None:
    """Let it live at one terminal."""
    for _ in range(round(seconds / dt_s)):
        made.step(dt_s, irradiance_frac=irradiance_frac, terminal=terminal)
