"""Who holds what: the sources and controllers that the field processes are told to be."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

from adms.client import Capability, DeviceClass, PowerSetpoint
from hil.fieldbus import Message
from hil.meters import GATEWAY, Meters
from hil.plant.plant import Plant
from hil.scenario import Scenario


def _source(meters: Meters, owner: str) -> Message:
    return {"source_id": owner, "points": [asdict(point) for point in meters.points_of(owner)]}


def gateway_setup(
    plant: Plant, meters: Meters, *, scenario: Scenario, endpoint: str, left_out: Collection[str] = ()
) -> Message:
    """The substation gateway: every remote switch, regulator and capacitor. `left_out`: devices and sources that are
    reached in another way."""
    overlay = plant.circuit.overlay
    devices: list[Message] = [
        {"device_id": switch.id, "kind": DeviceClass.SWITCH, "low": 0, "high": 1}
        for switch in overlay.switches
        if switch.remote and switch.id not in left_out
    ]
    devices += [
        {"device_id": entry.id, "kind": DeviceClass.TAP_CHANGER, "low": control.tap_low, "high": control.tap_high}
        for entry, control in ((entry, plant.circuit.regulators[entry.id]) for entry in overlay.tap_changers)
        if entry.remote and entry.id not in left_out
    ]
    devices += [
        {"device_id": entry.id, "kind": DeviceClass.CAPACITOR, "low": 0, "high": entry.steps}
        for entry in overlay.capacitors
        if entry.remote and entry.id not in left_out
    ]
    return {
        "type": "setup",
        "time_s": plant.time_s,
        "endpoint": endpoint,
        "supervision_lapse_s": scenario.supervision_lapse_s,
        # What no DER reports itself: the gateway's points, and what the interval meters' head end collects.
        "sources": [
            _source(meters, owner) for owner in meters.owners if owner not in plant.ders and owner not in left_out
        ],
        "controllers": [{"controller_id": GATEWAY, "devices": devices}],
    }


def ders_setup(
    plant: Plant, meters: Meters, *, scenario: Scenario, endpoint: str, left_out: Collection[str] = ()
) -> Message:
    """One controller and one source per DER, but for those left out, which are reached in another way."""
    controllers = []
    for name, unit in plant.ders.items():
        if name in left_out:
            continue
        entry = unit.entry
        capability = Capability(
            s_max_va=entry.s_max_va,
            p_max_w=entry.p_max_w,
            p_min_w=entry.p_min_w,
            q_max_var=entry.q_max_var,
            energy_wh=entry.energy_wh,
            ramp_w_per_s=entry.ramp_w_per_s,
        )
        default = PowerSetpoint(
            p_injection_w=entry.default_p_injection_w, q_injection_var=entry.default_q_injection_var
        )
        device = {
            "device_id": name,
            "kind": DeviceClass.DER,
            "capability": asdict(capability),
            "stored_default": asdict(default),
        }
        controllers.append({"controller_id": name, "devices": [device]})
    return {
        "type": "setup",
        "time_s": plant.time_s,
        "endpoint": endpoint,
        "supervision_lapse_s": scenario.supervision_lapse_s,
        "sources": [_source(meters, name) for name in plant.ders if name not in left_out],
        "controllers": controllers,
    }
