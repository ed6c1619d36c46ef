"""What `adms shortcircuit` does: read, check everything at once, solve, print."""

import json
from cmath import phase as angle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adms.adapters.model_file import load_model
from adms.cli.exits import ExitCode
from adms.cli.names import moved
from adms.core.errors import InputError, Problem
from adms.core.ids import BusId
from adms.core.near import NotFound, find_name
from adms.grid.arrays import NetworkArrays
from adms.grid.faults import Fault, FaultKind
from adms.grid.model import NetworkModel
from adms.grid.state import GridState, normal_state
from adms.powerflow.factor import Factor, NotSolved, factorise
from adms.powerflow.protective_devices import (
    DeviceCurrent,
    DeviceReach,
    clearing,
    device_currents,
    protection_reach,
)
from adms.powerflow.short_circuit import ShortCircuit, short_circuits
from adms.powerflow.short_circuit_faults import every_fault, fault_paths
from adms.powerflow.short_circuit_levels import BusLevels, short_circuit_levels
from adms.powerflow.short_circuit_network import EquivalentVoltage, OpenCircuit, Prefault, ders_unknown, iec_c_factor
from adms.powerflow.solve import solve_power_flow

KINDS = {
    "3ph": FaultKind.THREE_PHASE,
    "3phg": FaultKind.THREE_PHASE_GROUND,
    "ll": FaultKind.LINE_LINE,
    "llg": FaultKind.LINE_LINE_GROUND,
    "lg": FaultKind.LINE_GROUND,
}
_SHORT = {kind: word for word, kind in KINDS.items()}


@dataclass(frozen=True, kw_only=True)
class FaultStudy:
    """The command line as given."""

    model: Path
    bus: str = ""
    fault: str = ""
    phases: str = ""
    r_fault_ohm: float = 0.0
    r_ground_ohm: float = 0.0
    loads: bool = False
    iec: str = ""
    reach: bool = False
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    as_json: bool = False


def run(study: FaultStudy) -> ExitCode:
    """Exit code 1 where the network or none of the faults can be solved."""
    model, version = load_model(study.model)
    study, grid, kinds, phases = _checked(study, model)
    arrays = NetworkArrays(model, version=version)
    faults = _faults_at_bus(study, arrays, kinds=kinds, phases=phases) if study.bus else []
    factor = factorise(arrays, grid)
    if isinstance(factor, NotSolved):
        return _fail(study, factor.reason)
    if study.bus:
        return _one_bus(study, factor, faults)
    if study.reach:
        return _reach(study, factor, kinds=kinds)
    return _table(study, factor, kinds=kinds, phases=phases)


def _checked(study: FaultStudy, model: NetworkModel) -> tuple[FaultStudy, GridState, list[FaultKind], tuple[int, ...]]:
    problems: list[Problem] = []

    def refuse(field: str, value: object, message: str) -> None:
        problems.append(Problem(element="command line", field=field, value=str(value), message=message))

    grid, unknown = moved(model, normal_state(model), opened=study.opened, closed=study.closed)
    problems += unknown
    if study.bus:
        found = find_name(study.bus, known=[bus.id for bus in model.buses], what="bus")
        if isinstance(found, NotFound):
            refuse("--bus", study.bus, found.message)
        else:
            study = replace(study, bus=found)
    if study.fault and study.fault not in KINDS:
        refuse("--fault", study.fault, f"must be one of {', '.join(KINDS)}")
    for field, ohm in (("--r-fault-ohm", study.r_fault_ohm), ("--r-ground-ohm", study.r_ground_ohm)):
        if not 0.0 <= ohm < float("inf"):
            refuse(field, ohm, "must be a number of at least 0")
    if study.iec not in ("", "max", "min"):
        refuse("--iec", study.iec, "must be max or min")
    if study.iec and study.loads:
        refuse("--iec", study.iec, "IEC 60909 knows no loads: leave --loads out")
    for field, value in (("--bus", study.bus), ("--phases", study.phases), ("--iec", study.iec)):
        if study.reach and value:
            refuse(field, value, "does not go with --reach: that is every bus, every choice of phases, no IEC")
    parts = [part.strip() for part in study.phases.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        refuse("--phases", study.phases, "must be numbers with commas between them")
    if problems:
        raise InputError(problems)
    kinds = [KINDS[study.fault]] if study.fault else list(FaultKind)
    return study, grid, kinds, tuple(int(part) for part in parts)


def _faults_at_bus(
    study: FaultStudy, arrays: NetworkArrays, *, kinds: Sequence[FaultKind], phases: tuple[int, ...]
) -> list[Fault]:
    bus = BusId(study.bus)
    every = every_fault(arrays, [bus], kinds=kinds, r_fault_ohm=study.r_fault_ohm, r_ground_ohm=study.r_ground_ohm)
    chosen = [fault for fault in every if not phases or set(phases) == set(fault.phases)]
    if not chosen:
        # Nothing fits: the reasons come from the first kind that was asked for.
        fault_paths(arrays, [Fault(kind=kinds[0], bus=bus, phases=phases)])
        message = "no fault of this kind joins these phases"
        raise InputError([Problem(element="command line", field="--phases", value=study.phases, message=message)])
    return chosen


def _prefault(study: FaultStudy, factor: Factor, *, v_base_v: float | None = None) -> Prefault | NotSolved:
    if study.iec and v_base_v is not None:
        return EquivalentVoltage(c_factor=iec_c_factor(v_base_v, largest=study.iec == "max"))
    if not study.loads:
        return OpenCircuit()
    arrays = factor.arrays
    return solve_power_flow(arrays, factor.grid, s_nominal_va=arrays.injector_s_nominal_va, factor=factor)


def _table(study: FaultStudy, factor: Factor, *, kinds: Sequence[FaultKind], phases: tuple[int, ...]) -> ExitCode:
    # IEC 60909 has a voltage factor for low voltage and another above.
    classes: dict[float, list[BusId]] = {}
    for bus in factor.arrays.model.buses:
        factor_c = iec_c_factor(bus.v_base_v, largest=study.iec == "max") if study.iec else 1.0
        classes.setdefault(factor_c, []).append(bus.id)
    base = {bus.id: bus.v_base_v for bus in factor.arrays.model.buses}
    rows: dict[BusId, BusLevels] = {}
    for buses in classes.values():
        prefault = _prefault(study, factor, v_base_v=base[buses[0]])
        if isinstance(prefault, NotSolved):
            return _fail(study, prefault.reason)
        levels = short_circuit_levels(
            factor,
            kinds=kinds,
            buses=frozenset(buses),
            r_fault_ohm=study.r_fault_ohm,
            r_ground_ohm=study.r_ground_ohm,
            prefault=prefault,
        )
        if isinstance(levels, NotSolved):
            return _fail(study, levels.reason)
        rows.update({level.bus: level for level in levels})
    table = [_row(rows[bus.id], phases=phases) for bus in factor.arrays.model.buses]
    if study.as_json:
        print(json.dumps({"solved": True, "buses": table, "ders_unknown": list(ders_unknown(factor))}))
        return ExitCode.OK
    for row in table:
        if not row["faults"]:
            print(f"{row['bus']}: {'not energised' if not row['energised'] else 'no such fault'}")
        for fault in row["faults"]:
            amperes = " ".join(f"{current:.1f}" for current in fault["current_a"])
            print(f"{row['bus']} {fault['fault']} {','.join(map(str, fault['phases']))}: {amperes} A")
    _print_unknown(factor)
    return ExitCode.OK


def _row(levels: BusLevels, *, phases: tuple[int, ...]) -> dict[str, Any]:
    faults = [
        {
            "fault": _SHORT[level.fault.kind],
            "phases": list(level.fault.phases),
            "current_a": level.current_a.tolist(),
            "ground_a": level.ground_a,
        }
        for level in levels.levels
        if not phases or set(phases) == set(level.fault.phases)
    ]
    return {
        "bus": levels.bus,
        "energised": bool(levels.levels),
        "largest_a": levels.largest_a,
        "smallest_a": levels.smallest_a,
        "faults": faults,
    }


def _one_bus(study: FaultStudy, factor: Factor, faults: Sequence[Fault]) -> ExitCode:
    base = {bus.id: bus.v_base_v for bus in factor.arrays.model.buses}
    prefault = _prefault(study, factor, v_base_v=base[BusId(study.bus)])
    if isinstance(prefault, NotSolved):
        return _fail(study, prefault.reason)
    outcomes = short_circuits(factor, faults, prefault=prefault)
    solved = [outcome for outcome in outcomes if isinstance(outcome, ShortCircuit)]
    if not solved:
        return _fail(study, next(outcome.reason for outcome in outcomes if isinstance(outcome, NotSolved)))
    entries = [
        {"fault": _SHORT[fault.kind], "phases": list(fault.phases), "solved": False, "reason": outcome.reason}
        if isinstance(outcome, NotSolved)
        else _detail(outcome)
        for fault, outcome in zip(faults, outcomes, strict=True)
    ]
    if study.as_json:
        unknown = list(ders_unknown(factor))
        print(json.dumps({"solved": True, "bus": study.bus, "faults": entries, "ders_unknown": unknown}))
    else:
        for entry in entries:
            _print_fault(study.bus, entry)
        _print_unknown(factor)
    return ExitCode.OK


def _reach(study: FaultStudy, factor: Factor, *, kinds: Sequence[FaultKind]) -> ExitCode:
    prefault = _prefault(study, factor)
    if isinstance(prefault, NotSolved):
        return _fail(study, prefault.reason)
    reaches = protection_reach(
        factor, kinds=kinds, r_fault_ohm=study.r_fault_ohm, r_ground_ohm=study.r_ground_ohm, prefault=prefault
    )
    if isinstance(reaches, NotSolved):
        return _fail(study, reaches.reason)
    if study.as_json:
        rows = [_weakest(reach) for reach in reaches]
        print(json.dumps({"solved": True, "devices": rows, "ders_unknown": list(ders_unknown(factor))}))
        return ExitCode.OK
    for reach in reaches:
        weakest = f"{reach.weakest.bus} {_SHORT[reach.weakest.kind]} {','.join(map(str, reach.weakest.phases))}"
        print(f"{reach.device.name}: zone of {len(reach.zone_buses)} buses, weakest fault {weakest}")
        _print_seen(_device(reach.seen))
    if not reaches:
        print("no device that clears feeds a zone of its own")
    _print_unknown(factor)
    return ExitCode.OK


def _weakest(reach: DeviceReach) -> dict[str, Any]:
    return {
        **_device(reach.seen),
        "zone_buses": list(reach.zone_buses),
        "smallest_a": reach.smallest_a,
        "weakest": {
            "bus": reach.weakest.bus,
            "fault": _SHORT[reach.weakest.kind],
            "phases": list(reach.weakest.phases),
        },
    }


def _phasor(current: complex) -> dict[str, float]:
    return {"current_a": abs(current), "angle_rad": angle(current)}


def _detail(short: ShortCircuit) -> dict[str, Any]:
    arrays = short.factor.arrays
    to_clear = clearing(short)
    return {
        "fault": _SHORT[short.fault.kind],
        "phases": list(short.phases),
        "solved": True,
        "current_a": [abs(complex(current)) for current in short.current_a],
        "angle_rad": [angle(complex(current)) for current in short.current_a],
        "ground_a": abs(short.ground_current_a),
        "sources": [
            {
                "source": source.id,
                "nodes": [
                    {"bus": node.bus, "phase": str(node.phase), **_phasor(complex(i))}
                    for node, i in zip(source.nodes, current, strict=True)
                ],
            }
            for source, current in zip(arrays.model.sources, short.source_current_a, strict=True)
        ],
        "ders": [
            {"der": injector.element, "bus": arrays.nodes[injector.fr].bus, **_phasor(complex(current))}
            for injector, current in zip(arrays.injectors, short.der_current_a, strict=True)
            if current != 0.0
        ],
        "devices": [_device(seen) for seen in device_currents(short)],
        "must_clear": [{"device": c.device.name, "fed_by": list(c.fed_by)} for c in to_clear.devices],
        "fed_inside": list(to_clear.fed_inside),
        "nodes": [
            {"bus": node.bus, "phase": str(node.phase), "v_pu": abs(v), "angle_rad": angle(v) if v else None}
            for node, v in zip(arrays.nodes, short.v_phasor_pu.tolist(), strict=True)
        ],
    }


def _device(seen: DeviceCurrent) -> dict[str, Any]:
    return {
        "device": seen.device.name,
        "kind": seen.device.kind.value,
        "phases": list(seen.phases),
        "current_a": seen.current_a.tolist(),
        "ground_a": seen.ground_a,
        "phase_ratio": seen.phase_ratio,
        "ground_ratio": seen.ground_ratio,
        "picks_up": seen.picks_up,
    }


def _print_fault(bus: str, entry: dict[str, Any]) -> None:
    place = f"{bus} {entry['fault']} {','.join(map(str, entry['phases']))}"
    if not entry["solved"]:
        print(f"{place}: not solved: {entry['reason']}")
        return
    amperes = " ".join(f"{current:.1f}" for current in entry["current_a"])
    print(f"{place}: {amperes} A, to ground {entry['ground_a']:.1f} A")
    for seen in entry["devices"]:
        if max(seen["current_a"]) > 0.0:
            _print_seen(seen)
    names = ", ".join(clear["device"] for clear in entry["must_clear"]) or "no device"
    print(f"  must clear: {names}")


def _print_seen(seen: dict[str, Any]) -> None:
    state = {True: "picks up", False: "does not pick up", None: "pickup unknown"}[seen["picks_up"]]
    print(f"  {seen['device']} sees {max(seen['current_a']):.1f} A, 3I0 {seen['ground_a']:.1f} A: {state}")


def _print_unknown(factor: Factor) -> None:
    unknown = ders_unknown(factor)
    if unknown:
        print(f"taken as disconnected, neither fault current nor reactance known: {', '.join(unknown)}")


def _fail(study: FaultStudy, reason: str) -> ExitCode:
    print(json.dumps({"solved": False, "reason": reason}) if study.as_json else f"not solved: {reason}")
    return ExitCode.FAILED
