"""Faults prepared in a compiled deck: lines split where they will fail, and OpenDSS Fault elements that wait there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adms.client import InputError, Problem
from hil.engine import Engine
from hil.overlay import Overlay
from hil.plant.fault_plan import Fault, FaultStage

FAULT_BUS = "hil_fault"
"""Every bus that exists only for a fault begins so."""


@dataclass(frozen=True, kw_only=True)
class FaultPlace:
    """Where one fault waits."""

    bus: str
    elements: tuple[tuple[str, ...], ...]
    """OpenDSS Fault elements of each stage."""
    nodes: tuple[tuple[tuple[str, int], ...], ...]
    """(bus, phase) that each stage touches."""


def _problems(engine: Engine, overlay: Overlay, faults: Sequence[Fault]) -> list[Problem]:
    found = []
    cannot = {*overlay.removed, *(switch.id for switch in overlay.switches)}
    for fault in faults:
        said = f"fault {fault.name}"
        if fault.line in cannot or not fault.line.startswith("line.") or not engine.has(fault.line):
            message = "the feeder has no line of that name that can fail"
            found.append(Problem(element=said, field="line", value=fault.line, message=message))
            continue
        _, phases = engine.element(fault.line).terminals[1]
        for stage in fault.stages:
            if not set(stage.phases) <= set(phases):
                message = f"the line has phases {', '.join(map(str, phases))}"
                found.append(Problem(element=said, field="phases", value=str(stage.phases), message=message))
    return found


def _dotted(bus: str, phases: tuple[int, ...]) -> str:
    return ".".join([bus, *map(str, phases)])


def _split(engine: Engine, line: str, *, buses: Mapping[float, str], first: int) -> None:
    """Put a bus at each share of a line's length. The line itself stays as the part before the first of them."""
    length = float(engine.property_of(line, name="length"))
    far, phases = engine.element(line).terminals[1]
    shares = sorted(buses)
    for k, share in enumerate(shares):
        end = shares[k + 1] if k + 1 < len(shares) else 1.0
        to = buses[end] if k + 1 < len(shares) else far
        part = f"line.hil_part_{first + k}"
        engine.command(f"new {part} like={line.split('.', 1)[1]}")
        engine.command(
            f"{part}.length={length * (end - share)!r} bus1={_dotted(buses[share], phases)} bus2={_dotted(to, phases)}"
        )
    engine.command(f"{line}.length={length * shares[0]!r} bus2={_dotted(buses[shares[0]], phases)}")


def _stage(engine: Engine, name: str, *, bus: str, stage: FaultStage) -> tuple[str, ...]:
    """The Fault elements of one stage, disabled."""
    if stage.grounded:
        engine.command(
            f"new fault.{name} phases={len(stage.phases)} bus1={_dotted(bus, stage.phases)} r={stage.r_fault_ohm!r}"
        )
        names = [f"fault.{name}"]
    else:
        pairs = [(p, q) for k, p in enumerate(stage.phases) for q in stage.phases[k + 1 :]]
        for p, q in pairs:
            engine.command(f"new fault.{name}_{p}{q} phases=1 bus1={bus}.{p} bus2={bus}.{q} r={stage.r_fault_ohm!r}")
        names = [f"fault.{name}_{p}{q}" for p, q in pairs]
    for element in names:
        engine.command(f"{element}.enabled=no")
    return tuple(names)


def prepare_faults(engine: Engine, overlay: Overlay, faults: Sequence[Fault]) -> dict[str, FaultPlace]:
    """Split the lines and put the faults there, all of them off; places by the fault's name. Several faults at one
    share of a line have one bus. Raises InputError with every fault that has no place."""
    problems = _problems(engine, overlay, faults)
    if problems:
        raise InputError(tuple(problems))
    shares: dict[str, dict[float, str]] = {}
    count = 0
    for fault in faults:
        buses = shares.setdefault(fault.line, {})
        if fault.at_frac not in buses:
            count += 1
            buses[fault.at_frac] = FAULT_BUS if count == 1 else f"{FAULT_BUS}_{count}"
    first = 1
    for line, buses in shares.items():
        _split(engine, line, buses=buses, first=first)
        first += len(buses)
    places = {}
    for k, fault in enumerate(faults, start=1):
        bus = shares[fault.line][fault.at_frac]
        places[fault.name] = FaultPlace(
            bus=bus,
            elements=tuple(
                _stage(engine, f"hil_{k}_{s}", bus=bus, stage=stage) for s, stage in enumerate(fault.stages, start=1)
            ),
            nodes=tuple(tuple((bus, phase) for phase in stage.phases) for stage in fault.stages),
        )
    return places
