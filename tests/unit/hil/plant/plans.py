"""A scenario's records with everything in them, and plants that live by it."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from hil.plant.circuit import build_circuit
from hil.plant.plan import PlantPlan, read_plant_plan
from hil.plant.plant import Plant
from tests.unit.hil.bench_case import bench

TOML = """
[calendar]
start = 2026-07-01T12:00:00-06:00

[weather]
latitude_deg = 39.74
longitude_deg = -105.18
metres_per_unit = 0.3048
temperature_mean_c = 24.0
temperature_swing_k = 8.0
[weather.cloud_field]
cover_frac = 0.4
cell_m = 300.0
depth_frac = 0.6
speed_m_per_s = 10.0
heading_deg = 30.0
[[weather.heat_wave]]
start_s = 0.0
end_s = 40000.0
rise_k = 8.0
ramp_s = 3600.0

[customers]
default_class = "residential"
[customers.classes]
commercial = ["load.S48", "load.s65a"]
[customers.cooling]
from_c = 24.0
share_per_k = 0.03
share_max_frac = 0.5
building_s = 7200.0
[customers.cold_load]
factor = 2.0
build_s = 1800.0
hold_s = 600.0
decay_s = 900.0

[[ev_charger]]
id = "home"
loads = ["load.s10a", "load.s11a"]
per_load = 2
phases = 1
v_nominal_v = 240.0
i_max_a = 32.0
sessions_per_day = 0.8
arrival_mean_h = 18.0
arrival_sigma_h = 1.5
stay_mean_h = 11.0
stay_sigma_h = 1.0
energy_mean_wh = 12e3
energy_sigma_wh = 5e3
fallback_a = 8.0
fallback_after_s = 60.0

[der_class.pv_b]
kind = "pv"
normal_category = "B"
abnormal_category = "III"
reactive_mode = "volt_var"
volt_watt = true
trips_at = "clearing"
permissive = "cease"
return_v_min_pu = 0.917
return_v_max_pu = 1.05
return_f_min_hz = 59.5
return_f_max_hz = 60.1
return_delay_s = 300.0
return_random_s = 60.0
return_ramp_s = 300.0

[der_class.storage]
kind = "battery"
normal_category = "B"
abnormal_category = "III"
reactive_mode = "constant_q"
volt_watt = false
trips_at = "clearing"
permissive = "cease"
return_v_min_pu = 0.917
return_v_max_pu = 1.05
return_f_min_hz = 59.5
return_f_max_hz = 60.1
return_delay_s = 300.0
return_random_s = 60.0
return_ramp_s = 300.0
[der_class.storage.battery]
charge_efficiency_frac = 0.95
discharge_efficiency_frac = 0.95
soc_min_frac = 0.1
soc_max_frac = 0.95
taper_frac = 0.05
standby_w = 60.0

[[der_defect]]
der = "der.pv_48"
mode = "stuck"
from_s = 10.0

[mismatch]
line_length_frac = 0.1
load_allocation_frac = 0.1
"""


def content() -> dict[str, Any]:
    return tomllib.loads(TOML)


def plan(**changes: Any) -> PlantPlan:
    return replace(read_plant_plan(content(), folder=Path()), **changes)


def plant(chosen: PlantPlan, *, seed: int = 1) -> Plant:
    one = bench(seed=seed)
    circuit = build_circuit(one.files.deck, overlay=one.overlay)
    return Plant(circuit, scenario=one.scenario, seed=seed, coordinates=one.coordinates, fault=None, plan=chosen)
