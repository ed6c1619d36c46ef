"""Pieces that the bench's tests share."""

from dataclasses import replace
from pathlib import Path

from adms.client import ReceivedCommand, Setpoint
from hil.arms import Bench, open_bench
from hil.feeder_time import moment
from hil.feeders import FEEDERS
from hil.overlay import Overlay, read_overlay
from hil.plant.circuit import Circuit, build_circuit
from hil.scenario import Scenario
from hil.scenario_file import read_scenario

FILES = FEEDERS["123-operated"]

TWO_ZONES = """
clear
new circuit.small basekv=4.16 bus1=head pu=1.0 r1=0.01 x1=0.05 r0=0.01 x0=0.05
new line.a bus1=head bus2=a length=1 units=km r1=0.2 x1=0.4 r0=0.5 x0=1.2 c1=0 c0=0
new line.b bus1=a bus2=b length=1 units=km r1=0.2 x1=0.4 r0=0.5 x0=1.2 c1=0 c0=0
new line.c bus1=b bus2=c length=1 units=km r1=0.2 x1=0.4 r0=0.5 x0=1.2 c1=0 c0=0
new load.a bus1=a phases=3 kv=4.16 kw=100 kvar=30
new load.b bus1=b phases=3 kv=4.16 kw=200 kvar=60
new load.c bus1=c phases=3 kv=4.16 kw=300 kvar=90
set voltagebases=[4.16]
calcvoltagebases
"""

TWO_ZONES_OVERLAY = """
schema_version = 1
name = "small"
deck = "small.dss"
[voltage_limits]
v_min_pu = 0.95
v_max_pu = 1.05
v_emergency_min_pu = 0.90
v_emergency_max_pu = 1.08
[interface]
source = "vsource.source"
[[source]]
id = "source.neighbour"
bus = "n"
phases = [1, 2, 3]
v_pu = 1.0
angle_deg = 0.0
r1_ohm = {r_ohm}
x1_ohm = 0.1
r0_ohm = {r_ohm}
x0_ohm = 0.1
p_max_w = {p_max_w}
[[switch]]
id = "switch.breaker"
in_line = "line.a"
at = "fr"
kind = "breaker"
normally_closed = true
remote = true
fault_indicator = true
pickup_a = 400.0
reclose_shots = 2
trip_delay_s = 0.2
[[switch]]
id = "switch.ab"
in_line = "line.b"
at = "fr"
kind = "load_break"
normally_closed = true
remote = true
fault_indicator = true
[[switch]]
id = "switch.bc"
in_line = "line.c"
at = "fr"
kind = "load_break"
normally_closed = true
remote = true
fault_indicator = true
travel_s = 5.0
[[switch]]
id = "switch.tie"
between = ["c", "n"]
phases = [1, 2, 3]
kind = "load_break"
normally_closed = false
remote = true
[[der]]
id = "der.battery"
kind = "battery"
bus = "c"
phases = [1, 2, 3]
s_max_va = 100e3
p_max_w = 80e3
p_min_w = -80e3
q_max_var = 44e3
energy_wh = 100e3
efficiency_frac = 0.9
default_p_injection_w = 0.0
ramp_w_per_s = 10e3
"""


def scenario() -> Scenario:
    return read_scenario(FILES.scenario)


def steady_scenario() -> Scenario:
    """The demo's without chance: every load stands at the deck's value."""
    base = scenario()
    loads = replace(
        base.loads, mean_frac=1.0, sigma_frac=0.0, common_sigma_frac=0.0, ramp=((0.0, 1.0),), cold_load_frac=0.0
    )
    return replace(base, loads=loads, clouds=())


def bench(*, seed: int = 1, fault: str | None = None) -> Bench:
    return open_bench(FILES, scenario=scenario(), seed=seed, fault_line=fault, fault_kind=None)


def small_feeder(folder: Path, *, p_max_w: float = 1e6, r_ohm: float = 0.05) -> tuple[Path, Overlay]:
    """Head - a - b - c in a row, a switch before each, a tie from c to a neighbour."""
    deck, overlay = folder / "small.dss", folder / "small.toml"
    deck.write_text(TWO_ZONES)
    overlay.write_text(TWO_ZONES_OVERLAY.format(p_max_w=p_max_w, r_ohm=r_ohm))
    return deck, read_overlay(overlay)


def small_circuit(folder: Path, *, fault: str | None = None, p_max_w: float = 1e6, r_ohm: float = 0.05) -> Circuit:
    deck, overlay = small_feeder(folder, p_max_w=p_max_w, r_ohm=r_ohm)
    return build_circuit(deck, overlay=overlay, fault=fault)


def command_to(device: str, setpoint: Setpoint, *, expiry_s: float = 1e6, sequence: int = 1) -> ReceivedCommand:
    """A command as a device hears it; `expiry_s` is a feeder second."""
    return ReceivedCommand(
        command_id=f"c{sequence}",
        device_id=device,
        setpoint=setpoint,
        epoch=1,
        sequence=sequence,
        issue_time=moment(0.0),
        expiry=moment(expiry_s),
        app="voltvar",
        plan_id="",
        reason="test",
        snapshot_id="",
        stream_sequence=1,
    )
