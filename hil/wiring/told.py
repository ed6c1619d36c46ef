"""What the endpoints' process and the gateways are told: from the plant, its meters and the bench file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from adms.client import DeviceClass, InputError, PointKind, Problem
from hil.endpoints.dnp3.layout import Polling, gateway_toml
from hil.fieldbus import Message
from hil.meters import AMI, GATEWAY, Meters
from hil.plant.plant import Plant
from hil.wiring.bench_file import BenchFile, Polls, RealInverter, RtuEntry
from hil.wiring.stations import rtu_from

SUNSPEC, DNP3 = "sunspec", "dnp3"
"""Sources and controllers of the two gateways."""
F_NOMINAL_HZ = 60.0
EVENT_AHEAD_MAX_S = 0.5
"""The service's clock_skew_max_s."""


def owners_of(bench: BenchFile) -> dict[str, str]:
    """Telemetry source by device and bus, for `hil.meters.Meters`: an RTU reports what belongs to it."""
    return {element: rtu.name for rtu in bench.rtus for element in (*rtu.devices, *rtu.buses)}


def left_out_of(bench: BenchFile) -> frozenset[str]:
    """Devices and sources that the gRPC field processes do not have, for `hil.setup` and for scans."""
    return frozenset((*bench.ders, *bench.line_devices, *(rtu.name for rtu in bench.rtus)))


def check_sources(bench: BenchFile, *, meters: Meters, plant: Plant) -> None:
    """Raises InputError with every RTU whose name is a source's already, and every bus that is none or has no meter."""
    problems = []
    buses = {bus for bus, _ in plant.circuit.nodes}
    taken = {GATEWAY, AMI, SUNSPEC, DNP3, *plant.ders}
    for rtu in bench.rtus:
        where = f"[[dnp3]] {rtu.name}"
        if rtu.name in taken:
            problems.append(Problem(element=where, field="name", value=rtu.name, message="is the name of a source"))
        metered = {point.element for point in meters.points_of(rtu.name)}
        for bus in rtu.buses:
            if bus not in buses:
                problems.append(Problem(element=where, field="buses", value=bus, message="the feeder has no such bus"))
            elif bus not in metered:
                message = "has no meter that this RTU could report (see [meters] of the scenario)"
                problems.append(Problem(element=where, field="buses", value=bus, message=message))
    if problems:
        raise InputError(problems)


def inverter_setup(name: str, *, plant: Plant, meters: Meters) -> Message:
    """A simulated inverter."""
    entry = plant.ders[name].entry
    return {
        "entry": asdict(entry),
        "v_nominal_v": _v_nominal_v(plant, name),
        "f_hz": F_NOMINAL_HZ if plant.f_hz is None else plant.f_hz,
        "points": [asdict(point) for point in meters.points_of(name)],
    }


def unit_now(name: str, *, plant: Plant) -> Message:
    """How a unit of the plant stands."""
    unit = plant.ders[name]
    return {
        "p_w": unit.p_w,
        "q_var": unit.q_var,
        "soc_frac": unit.soc_frac,
        "available_w": unit.available_w,
        "tripped": unit.tripped,
        "v_v": [plant.node_v(unit.entry.bus, phase=phase) for phase in unit.entry.phases],
        "f_hz": F_NOMINAL_HZ if plant.f_hz is None else plant.f_hz,
    }


def rtu_setup(rtu: RtuEntry, *, plant: Plant, meters: Meters, supervision_lapse_s: float) -> Message:
    """An RTU with what its meters report."""
    return {
        "name": rtu.name,
        "outstation_address": rtu.outstation_address,
        "master_address": rtu.master_address,
        "points": [asdict(point) for point in meters.points_of(rtu.name)],
        "devices": [_line_device(name, plant=plant) for name in rtu.devices],
        "supervision_lapse_s": supervision_lapse_s,
    }


def sunspec_toml(
    places: Mapping[str, tuple[str, int]],
    *,
    plant: Plant,
    meters: Meters,
    real: Mapping[str, RealInverter],
    endpoint: str,
    polls: Polls,
    clock_offset_s: float,
) -> str:
    """The SunSpec gateway's configuration for DER by (address, unit id)."""
    lines = [
        "[gateway]",
        f"endpoint = {json.dumps(endpoint)}",
        f"source_id = {json.dumps(SUNSPEC)}",
        f"controller_id = {json.dumps(SUNSPEC)}",
        f"poll_period_s = {polls.sunspec_poll_s!r}",
        f"frame_period_s = {polls.sunspec_frame_s!r}",
        f"answer_timeout_s = {polls.sunspec_answer_s!r}",
        "back_off_first_s = 0.5",
        "back_off_max_s = 5.0",
        'connections = "per_device"',
        "status_period_s = 5.0",
        f"clock_offset_s = {clock_offset_s!r}",
    ]
    for name, (address, unit_id) in places.items():
        entry = plant.ders[name].entry
        sigma = {point.kind: point.sigma for point in meters.points_of(name) if point.sigma is not None}
        v_sigma_v = sigma.get(PointKind.V_MAGNITUDE, meters.v_sigma_frac * _v_nominal_v(plant, name))
        without = real[name].without_reversion if name in real else "refuse"
        control = "limit" if entry.p_min_w >= 0.0 else "setpoint"
        numbers: dict[str, float | None] = {
            "s_max_va": entry.s_max_va,
            "p_max_w": entry.p_max_w,
            "p_min_w": entry.p_min_w,
            "q_max_var": entry.q_max_var,
            "default_p_injection_w": entry.default_p_injection_w,
            "default_q_injection_var": entry.default_q_injection_var,
            "energy_wh": entry.energy_wh,
            "ramp_w_per_s": entry.ramp_w_per_s,
            "sigma_p_w": sigma[PointKind.P_INJECTION],
            "sigma_q_var": sigma[PointKind.Q_INJECTION],
            "sigma_v_v": v_sigma_v,
        }
        lines += ["", "[[device]]", f"device_id = {json.dumps(name)}", f"address = {json.dumps(address)}"]
        lines += [f"unit_id = {unit_id}", f"bus = {json.dumps(entry.bus)}", f"phases = {list(entry.phases)}"]
        lines += [f'p_control = "{control}"', f'without_reversion = "{without}"']
        lines += [f"{key} = {float(value)!r}" for key, value in numbers.items() if value is not None]
    return "\n".join(lines) + "\n"


def dnp3_toml(
    setups: Mapping[str, Message], *, endpoint: str, polls: Polls, state_file: str, clock_offset_s: float
) -> str:
    """The DNP3 gateway's configuration for RTUs by address."""
    return gateway_toml(
        {address: rtu_from(message) for address, message in setups.items()},
        endpoint=endpoint,
        source_id=DNP3,
        controller_id=DNP3,
        state_file=state_file,
        polling=Polling(
            response_timeout_s=polls.dnp3_answer_s,
            integrity_poll_s=polls.dnp3_everything_s,
            event_poll_s=polls.dnp3_events_s,
            event_time_ahead_max_s=EVENT_AHEAD_MAX_S,
            clock_offset_s=clock_offset_s,
        ),
    )


def _v_nominal_v(plant: Plant, name: str) -> float:
    """Phase to neutral."""
    entry = plant.ders[name].entry
    return float(plant.v_base_v[plant.circuit.nodes.index((entry.bus, entry.phases[0]))])


def _line_device(name: str, *, plant: Plant) -> Message:
    overlay = plant.circuit.overlay
    if name in plant.closed:
        return {"device_id": name, "kind": DeviceClass.SWITCH, "low": 0, "high": 1}
    if name in plant.taps:
        control = plant.circuit.regulators[name]
        return {"device_id": name, "kind": DeviceClass.TAP_CHANGER, "low": control.tap_low, "high": control.tap_high}
    steps = next(entry.steps for entry in overlay.capacitors if entry.id == name)
    return {"device_id": name, "kind": DeviceClass.CAPACITOR, "low": 0, "high": steps}
