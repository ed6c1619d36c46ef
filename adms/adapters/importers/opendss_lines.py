"""OpenDSS lines, switches and reactors as branches."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adms.adapters.importers.opendss_elements import (
    CircuitReader,
    Conductors,
    element_id,
    element_name,
    number,
    positive,
)
from adms.core.ids import BusId, ElementId
from adms.grid.admittance import as_matrix
from adms.grid.model import Branch, BranchKind, Bus, NodeRef, SwitchGear, SwitchKind

_METRES = {1: 1609.344, 2: 304.8, 3: 1000.0, 4: 1.0, 5: 0.3048, 6: 0.0254, 7: 0.01, 8: 0.001}
"""Length units of the engine: mi, kft, km, m, ft, in, cm, mm; 0 is "not said"."""
_SAID_NOTHING = {"line": (0.1, 20.0, 3.0), "transformer": (0.007, 100.0, 36.0), "autotrans": (0.007, 100.0, 36.0)}
"""The engine's fault rate, percentage of permanent faults and hours of repair of an element that does not say."""
_CLOSED_SIEMENS = 1e6
_NO_CHARGING_VA = 0.1


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """What a deck says of faults; None where it leaves the engine's own figures."""

    failure_rate_per_year: float | None
    repair_h: float | None


@dataclass(frozen=True, kw_only=True)
class LineParts:
    """A line as the model has it."""

    branches: tuple[Branch, ...]
    buses: tuple[Bus, ...] = ()
    """The open ends of a line that is open at one end only."""


def read_reliability(element: Any, kind: str, *, length: float = 1.0) -> Reliability:
    """Permanent faults per year and repair time of the active element.

    Args:
        element: the engine's element.
        kind: its class.
        length: of a line in its own unit, which its fault rate is per.
    """
    said = tuple(number(element, name) for name in ("faultrate", "pctperm", "repair"))
    if kind not in _SAID_NOTHING or all(
        abs(a - b) <= 1e-9 * abs(b) for a, b in zip(said, _SAID_NOTHING[kind], strict=True)
    ):
        return Reliability(failure_rate_per_year=None, repair_h=None)
    return Reliability(failure_rate_per_year=said[0] * said[1] / 100.0 * length, repair_h=said[2])


def read_line(reader: CircuitReader, name: str, *, gear: SwitchGear | None) -> LineParts:
    """A line, or a switch where the deck says so, has gear on it or leaves it open.

    A line that is open at one end only and has charging is carried as a line with an isolator at its open end, so that
    it is charged from the other one.

    Args:
        reader: the active element is the line.
        name: of the line.
        gear: what protection elements of the deck say about it.
    """
    lines = reader.circuit.Lines
    lines.Name = element_name(name)
    element = reader.circuit.ActiveCktElement
    conductors = reader.conductors()
    element_of = element_id(name)
    open_ends = reader.opened.terminals.get(element_of, frozenset())
    y = reader.primitive_siemens(conductors)
    metres = _METRES.get(int(lines.Units))
    switch = bool(lines.IsSwitch)
    length = float(lines.Length)
    reliability = read_reliability(element, "line", length=length)
    rating, emergency = positive(element.NormalAmps), positive(element.EmergAmps)
    whole = Branch(
        id=element_of,
        kind=BranchKind.LINE,
        terminals=conductors.kept,
        y_primitive_siemens=as_matrix(y),
        length_m=None if switch or metres is None else length * metres,
        rating_a=rating,
        rating_emergency_a=None if emergency and rating and emergency < rating else emergency,
        failure_rate_per_year=reliability.failure_rate_per_year,
        repair_h=reliability.repair_h,
    )
    if not conductors.kept:
        reader.note(name, "all its conductors are grounded: left out")
        return LineParts(branches=())
    if not (switch or open_ends or gear is not None):
        return LineParts(branches=(whole,))
    if not _can_be_a_switch(reader, conductors):
        if open_ends:
            reader.note(name, "open, and its ends are not of the same phases and voltage: left out")
            return LineParts(branches=())
        reader.note(name, "a switch whose ends are not of the same phases and voltage: carried as a line")
        return LineParts(branches=(whole,))
    if gear is None:
        kind = SwitchKind.LOAD_BREAK if switch else SwitchKind.ISOLATOR
        gear = SwitchGear(kind=kind, normally_closed=True, remote=False)
    gear = replace(gear, normally_closed=not open_ends)
    if len(open_ends) == 1 and not switch:
        (end,) = open_ends
        half = len(y) // 2
        far = slice(half, None) if end == 0 else slice(0, half)
        near = slice(0, half) if end == 0 else slice(half, None)
        left = y[far, far] - y[far, near] @ np.linalg.solve(y[near, near], y[near, far])
        base = reader.v_base_v[conductors.kept[0][0].bus]
        if np.abs(left).max() * base * base > _NO_CHARGING_VA:
            return _open_at_one_end(reader, whole, end=end, gear=gear)
    if open_ends and not switch:
        reader.note(name, "a line left open in the deck: carried as a switch")
    return LineParts(branches=(replace(whole, kind=BranchKind.SWITCH, switch=gear),))


def _can_be_a_switch(reader: CircuitReader, conductors: Conductors) -> bool:
    ends = conductors.kept
    return (
        len(ends) == 2
        and sorted(node.phase for node in ends[0]) == sorted(node.phase for node in ends[1])
        and ends[0][0].bus != ends[1][0].bus
        and reader.v_base_v[ends[0][0].bus] == reader.v_base_v[ends[1][0].bus]
    )


def _open_at_one_end(reader: CircuitReader, whole: Branch, *, end: int, gear: SwitchGear) -> LineParts:
    reader.note(whole.id, f"open at terminal {end + 1}: carried as a line with an isolator at that end")
    nodes = whole.terminals[end]
    at = BusId(f"{nodes[0].bus}~{whole.id}")
    between = tuple(NodeRef(at, node.phase) for node in nodes)
    settings = reader.circuit.Settings
    bus = Bus(
        id=at,
        phases=tuple(sorted(node.phase for node in nodes)),
        v_base_v=reader.v_base_v[nodes[0].bus],
        v_min_pu=settings.NormVminpu,
        v_max_pu=settings.NormVmaxpu,
        v_emergency_min_pu=settings.EmergVminpu,
        v_emergency_max_pu=settings.EmergVmaxpu,
    )
    terminals = list(whole.terminals)
    terminals[end] = between
    one = np.eye(len(nodes), dtype=np.complex128) * _CLOSED_SIEMENS
    isolator = Branch(
        id=ElementId(f"{whole.id}.open"),
        kind=BranchKind.SWITCH,
        terminals=(nodes, between),
        y_primitive_siemens=as_matrix(np.block([[one, -one], [-one, one]])),
        rating_a=whole.rating_a,
        rating_emergency_a=whole.rating_emergency_a,
        switch=gear,
    )
    return LineParts(branches=(replace(whole, terminals=tuple(terminals)), isolator), buses=(bus,))


def read_other_branch(reader: CircuitReader, name: str) -> tuple[Branch, ...]:
    """Anything else of fixed admittance: reactors, series capacitors, transformers for induced currents, faults."""
    conductors = reader.conductors()
    if not conductors.kept:
        reader.note(name, "all its conductors are grounded: left out")
        return ()
    kind = name.lower().partition(".")[0]
    if kind != "reactor":
        reader.note(name, "carried as a branch of fixed admittance")
    rating = positive(reader.circuit.ActiveCktElement.NormalAmps)
    emergency = positive(reader.circuit.ActiveCktElement.EmergAmps)
    return (
        Branch(
            id=element_id(name),
            kind=BranchKind.TRANSFORMER if kind == "gictransformer" else BranchKind.REACTOR,
            terminals=conductors.kept,
            y_primitive_siemens=as_matrix(reader.primitive_siemens(conductors)),
            rating_a=rating,
            rating_emergency_a=None if emergency and rating and emergency < rating else emergency,
        ),
    )
