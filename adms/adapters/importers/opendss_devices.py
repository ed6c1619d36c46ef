"""OpenDSS voltage sources and shunt capacitors."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from adms.adapters.importers.opendss_elements import CircuitReader, element_id, element_name, number, numbers
from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.grid.admittance import as_matrix
from adms.grid.model import Capacitor, Source

_ALIKE = 1e-12
_ADDS_UP = 1e-9
_SAME_HZ = 1e-3
_DEGREES_PER_RADIAN = 57.29577951
"""The engine's own constant: with the exact one, angles would differ by 4e-10 rad."""


def read_source(reader: CircuitReader, name: str) -> tuple[Source, ...]:
    """A voltage source, to ground or between two buses (the second then has no voltage of its own)."""
    element = reader.circuit.ActiveCktElement
    conductors = reader.conductors()
    y = reader.primitive_siemens(conductors)
    sources = reader.circuit.Vsources
    sources.Name = element_name(name)
    phases = int(sources.Phases)
    # The engine's own rule for basekV: phase-to-phase of a polyphase system, across the winding of a single-phase one.
    v_phase_v = float(sources.BasekV) * 1e3 * float(sources.pu)
    if phases > 1:
        v_phase_v /= 2.0 * math.sin(math.pi / phases)
    if abs(number(element, "frequency") - float(reader.circuit.Solution.Frequency)) > _SAME_HZ:
        reader.note(name, "of another frequency than the circuit is solved at: it has no voltage there")
        v_phase_v = 0.0
    sequence = str(element.Properties("Sequence").Val).lower()
    step = {"pos": -360.0, "neg": 360.0, "zero": 0.0}.get(sequence[:3], -360.0) / phases
    nodes = tuple(node for terminal in conductors.kept for node in terminal)
    angle = [(float(sources.AngleDeg) + step * index) / _DEGREES_PER_RADIAN for index in range(phases)]
    volts = np.zeros(len(conductors.to_kept), dtype=np.complex128)
    volts[:phases] = v_phase_v * np.exp(1j * np.array(angle))
    at_node = conductors.to_kept.T @ volts
    if len(conductors.kept) > 1:
        reader.note(name, "a source between two buses: its second bus counts as fed by it")
    base = np.array([reader.v_base_v[node.bus] for node in nodes])
    return (
        Source(
            id=element_id(name),
            nodes=nodes,
            v_magnitude_pu=tuple((np.abs(at_node) / base).tolist()),
            v_angle_rad=tuple(np.angle(at_node).tolist()),
            y_primitive_siemens=as_matrix(y),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class StepControl:
    """A voltage control of a capacitor."""

    v_on_v: float
    v_off_v: float
    delay_s: float


def capacitor_controls(reader: CircuitReader) -> dict[ElementId, StepControl]:
    """By capacitor id, of controls by the voltage at the capacitor's own bus. The others go into the notes."""
    circuit = reader.circuit
    found: dict[ElementId, StepControl] = {}
    for name in circuit.AllElementNames:
        if not name.lower().startswith("capcontrol."):
            continue
        circuit.SetActiveElement(name)
        element = circuit.ActiveCktElement
        if not element.Enabled:
            reader.note(name, "disabled in the deck")
            continue
        capacitor = element_id(f"capacitor.{element.Properties('Capacitor').Val}")
        kind = str(element.Properties("Type").Val).lower()
        ratio, on, off = (number(element, field) for field in ("PTRatio", "ONSetting", "OFFSetting"))
        delay = number(element, "Delay")
        seen, terminal = str(element.Properties("Element").Val), int(number(element, "Terminal"))
        override = str(element.Properties("VoltOverride").Val).lower().startswith(("y", "t"))
        circuit.SetActiveElement(seen)
        seen_at = str(circuit.ActiveCktElement.BusNames[terminal - 1]).partition(".")[0].lower()
        circuit.SetActiveElement(capacitor)
        own = str(circuit.ActiveCktElement.BusNames[0]).partition(".")[0].lower()
        if not kind.startswith("v") or seen_at != own or not on < off or capacitor in found:
            text = f"switches {capacitor} by {kind} at {seen}, on {on:g} off {off:g}: not carried over"
            reader.note(name, text + (", nor its voltage override" if override else ""))
        else:
            found[capacitor] = StepControl(v_on_v=on * ratio, v_off_v=off * ratio, delay_s=delay)
    return found


def read_capacitor(dss: Any, reader: CircuitReader, name: str, *, control: StepControl | None) -> tuple[Capacitor, ...]:
    """A shunt capacitor with all its steps switched on; one for each step where they are not alike; none for a series
    capacitor or one that is open in part."""
    conductors = reader.conductors()
    element_of = element_id(name)
    buses = {node.bus for terminal in conductors.kept for node in terminal}
    if len(buses) != 1 or element_of in reader.opened.conductors:
        return ()
    capacitors = reader.circuit.Capacitors
    capacitors.Name = element_name(name)
    states = [int(state) for state in capacitors.States]
    if element_of in reader.opened.terminals:
        states = [0] * len(states)
    sizes = numbers(reader.circuit.ActiveCktElement.Properties("kvar").Val)
    of_step = [_of_state(dss, reader, name, [int(i == k) for i in range(len(states))]) for k in range(len(states))]
    size = float(np.abs(of_step[0]).max())
    together = _of_state(dss, reader, name, states)
    on = sum(states)
    if on and np.abs(together - sum(of_step[k] for k, state in enumerate(states) if state)).max() > _ADDS_UP * size:
        reader.note(name, "its steps are not the sum of each in the engine: carried as equal parts of what is on")
        return (
            _capacitor(reader, element_of, together / on, steps=len(states), on=on, kvar=sum(sizes), control=control),
        )
    if all(np.abs(y - of_step[0]).max() <= _ALIKE * size for y in of_step):
        return (
            _capacitor(
                reader, element_of, of_step[0], steps=len(states), on=sum(states), kvar=sum(sizes), control=control
            ),
        )
    reader.note(name, "steps that are not alike: carried as one capacitor each")
    kvar = sizes if len(sizes) == len(of_step) else [sum(sizes) / len(of_step)] * len(of_step)
    return tuple(
        _capacitor(
            reader, ElementId(f"{element_of}.step{k + 1}"), y, steps=1, on=states[k], kvar=kvar[k], control=control
        )
        for k, y in enumerate(of_step)
    )


def _of_state(dss: Any, reader: CircuitReader, name: str, states: list[int]) -> ComplexArray:
    """The primitive with some steps on."""
    capacitors = reader.circuit.Capacitors
    capacitors.Name = element_name(name)
    if [int(state) for state in capacitors.States] != states:
        capacitors.States = states
        dss.Text.Command = f"{name}.enabled=yes"
        reader.circuit.SetActiveElement(name)
        dss.YMatrix.BuildYMatrixD(1, 0)
    reader.circuit.SetActiveElement(name)
    return _merged(reader)


def _merged(reader: CircuitReader) -> ComplexArray:
    """Over each node of the bus once, whichever terminal it is at."""
    conductors = reader.conductors()
    y = reader.primitive_siemens(conductors)
    flat = [node for terminal in conductors.kept for node in terminal]
    unique = list(dict.fromkeys(flat))
    fold = np.zeros((len(flat), len(unique)))
    fold[np.arange(len(flat)), [unique.index(node) for node in flat]] = 1.0
    return np.asarray(fold.T @ y @ fold, dtype=np.complex128)


def _capacitor(
    reader: CircuitReader,
    element: ElementId,
    y: ComplexArray,
    *,
    steps: int,
    on: int,
    kvar: float,
    control: StepControl | None,
) -> Capacitor:
    conductors = reader.conductors()
    nodes = tuple(dict.fromkeys(node for terminal in conductors.kept for node in terminal))
    base = reader.v_base_v[nodes[0].bus]
    return Capacitor(
        id=element,
        nodes=nodes,
        y_step_siemens=as_matrix(y),
        steps=steps,
        normal_steps=on,
        rating_var=kvar * 1e3,
        v_on_pu=control.v_on_v / base if control is not None and base > 0.0 else None,
        v_off_pu=control.v_off_v / base if control is not None and base > 0.0 else None,
        delay_s=control.delay_s if control is not None and base > 0.0 else None,
    )
