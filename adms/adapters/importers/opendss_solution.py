"""The engine's solution of a deck: solved once with controls, then to the last digit with controls held."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from adms.adapters.importers.opendss_elements import (
    DER_CLASSES,
    FROZEN_CLASSES,
    CircuitReader,
    Opened,
    Solved,
    element_id,
    packed_matrix,
    packed_vector,
)
from adms.core.errors import InputError, Problem
from adms.core.estimate import ComplexArray
from adms.core.ids import BusId
from adms.grid.model import NodeRef

_SOLVES = 3
_TIGHT = 1e-10
_SNAPSHOT = 0
_BUILD_ALL_PRIMITIVES = 1
_SHUNT_CLASSES = frozenset(("load",)) | DER_CLASSES | FROZEN_CLASSES
_HOLDING_CLASSES = frozenset(
    ["vsource", "line", "transformer", "autotrans", "reactor", "capacitor", "gictransformer", "fault"]
)


def solve(dss: Any, deck: Path) -> list[str]:
    """Solves a compiled deck as a snapshot: up to three times until its controls rest, then with controls held to a
    tolerance that leaves no doubt about what each element draws. Returns notes; raises InputError."""
    from dss import DSSException

    solution = dss.ActiveCircuit.Solution
    notes = []
    if int(solution.Mode) != _SNAPSHOT:
        notes.append(f"circuit: its mode is {solution.ModeID}: carried as the snapshot")
    dss.Text.Command = "set mode=snapshot maxiterations=200 maxcontroliter=200"
    message = ""
    for _ in range(_SOLVES):
        try:
            solution.Solve()
        except DSSException as error:  # also raised where controls do not settle
            message = " ".join(str(error).split())
        if solution.Converged and solution.ControlActionsDone:
            break
    # After controls that hunt the engine calls the voltages wrong too; with these held it may well find them.
    if not solution.ControlActionsDone:
        notes.append("circuit: the controls of the deck do not come to rest: carried where they stood")
    tolerance = float(solution.Tolerance)
    dss.Text.Command = f"set controlmode=off tolerance={_TIGHT}"
    with contextlib.suppress(DSSException):
        solution.Solve()
    if solution.Converged:
        return notes
    dss.Text.Command = f"set tolerance={tolerance}"
    with contextlib.suppress(DSSException):
        solution.Solve()
    if not solution.Converged:
        text = f"the engine does not solve this deck: {message or 'not converged'}"
        raise InputError([Problem(element=str(deck), field="", value="", message=text)])
    notes.append(f"circuit: the engine reaches {tolerance:g} and not {_TIGHT:g}: what is frozen is that exact only")
    return notes


def node_names(circuit: Any) -> tuple[NodeRef, ...]:
    """Of the engine's nodes, by their number less 1."""
    found = []
    for name in circuit.YNodeOrder:
        bus, _, phase = str(name).rpartition(".")
        found.append(NodeRef(BusId(bus.lower()), int(phase)))
    return tuple(found)


def read_solution(reader: CircuitReader) -> Solved:
    """Node voltages, and the currents of what is not a branch."""
    circuit = reader.circuit
    volts = packed_vector(circuit.YNodeVarray).tolist()
    currents = {}
    held: set[int] = set()
    for name in circuit.AllElementNames:
        kind = name.lower().partition(".")[0]
        if kind in _SHUNT_CLASSES or kind in _HOLDING_CLASSES:
            circuit.SetActiveElement(name)
            if not circuit.ActiveCktElement.Enabled:
                continue
            if kind in _HOLDING_CLASSES:
                held.update(circuit.ActiveCktElement.NodeRef)
            else:
                currents[element_id(name)] = _current_a(reader, name, circuit.ActiveCktElement, volts)
    return Solved(
        v_phasor_v=dict(zip(reader.node_of_ref, volts, strict=True)),
        currents_a=currents,
        held=frozenset(reader.node_of_ref[int(ref) - 1] for ref in held if ref > 0),
    )


def _current_a(reader: CircuitReader, name: str, element: Any, volts: list[complex]) -> ComplexArray:
    """[conductor] into an element. One with an open conductor is its primitive admittance to the engine's network,
    whatever current the engine reports of it."""
    if not any(element.IsOpen(end + 1, 0) for end in range(int(element.NumTerminals))):
        return packed_vector(element.Currents)
    reader.note(name, "open in the deck, altogether or in part: carried with what it still draws, and cannot be closed")
    across = np.array([volts[int(ref) - 1] if ref > 0 else 0.0 for ref in element.NodeRef])
    return np.asarray(packed_matrix(element.Yprim) @ across)


def close_what_is_open(dss: Any, reader: CircuitReader) -> Opened:
    """Closes lines and capacitors that are open at whole terminals, so that primitives are those of the whole element.
    What is open in part stays so, and is noted."""
    circuit = reader.circuit
    terminals: dict[Any, frozenset[int]] = {}
    conductors: dict[Any, frozenset[tuple[int, int]]] = {}
    for name in circuit.AllElementNames:
        circuit.SetActiveElement(name)
        element = circuit.ActiveCktElement
        kind = name.lower().partition(".")[0]
        ends = int(element.NumTerminals)
        if not element.Enabled or not any(element.IsOpen(end + 1, 0) for end in range(ends)):
            continue
        width = int(element.NumConductors)
        opened = {(end, c) for end in range(ends) for c in range(width) if element.IsOpen(end + 1, c + 1)}
        whole = {end for end in range(ends) if all((end, c) in opened for c in range(width))}
        if kind in ("line", "capacitor") and opened == {(end, c) for end in whole for c in range(width)}:
            terminals[element_id(name)] = frozenset(whole)
            for end in whole:
                element.Close(end + 1, 0)
        elif kind not in _SHUNT_CLASSES:
            conductors[element_id(name)] = frozenset(opened)
            text = ", ".join(f"conductor {c + 1} of terminal {end + 1}" for end, c in sorted(opened))
            reader.note(name, f"open in the deck at {text}: carried so, and cannot be closed")
    dss.YMatrix.BuildYMatrixD(_BUILD_ALL_PRIMITIVES, 0)
    return Opened(terminals=terminals, conductors=conductors)
