"""What every OpenDSS element has: conductors, a primitive admittance, and a place for notes."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId
from adms.grid.model import ComplexMatrix, NodeRef


@dataclass(frozen=True, kw_only=True)
class Conductors:
    """The active element's conductors, terminal by terminal."""

    terminals: tuple[tuple[NodeRef | None, ...], ...]
    """None is a grounded conductor."""

    @property
    def kept(self) -> tuple[tuple[NodeRef, ...], ...]:
        """Without the grounded ones; a terminal that is wholly grounded is left out."""
        nodes = (tuple(node for node in terminal if node is not None) for terminal in self.terminals)
        return tuple(terminal for terminal in nodes if terminal)

    @property
    def kept_rows(self) -> list[int]:
        """Rows of the engine's primitive that stay."""
        flat = [node for terminal in self.terminals for node in terminal]
        return [row for row, node in enumerate(flat) if node is not None]


@dataclass
class CircuitReader:
    """A solved circuit of the engine, and what could not be carried over."""

    circuit: Any
    notes: list[str] = field(default_factory=list)

    def note(self, name: str, text: str) -> None:
        """Remembers something about an element."""
        self.notes.append(f"{name.lower()}: {text}")

    def conductors(self) -> Conductors:
        """Of the active element."""
        element = self.circuit.ActiveCktElement
        order = [int(node) for node in element.NodeOrder]
        width = int(element.NumConductors)
        terminals = []
        for index, name in enumerate(element.BusNames):
            bus = BusId(name.partition(".")[0].lower())
            phases = order[index * width : (index + 1) * width]
            terminals.append(tuple(NodeRef(bus, phase) if phase else None for phase in phases))
        return Conductors(terminals=tuple(terminals))

    def primitive_siemens(self, conductors: Conductors) -> ComplexArray:
        """Of the active element, over the conductors that are not grounded."""
        packed = np.asarray(self.circuit.ActiveCktElement.Yprim, dtype=np.float64)
        size = round((len(packed) / 2) ** 0.5)
        full = (packed[0::2] + 1j * packed[1::2]).reshape((size, size), order="F")
        rows = conductors.kept_rows
        return np.asarray(full[np.ix_(rows, rows)], dtype=np.complex128)


def as_matrix(y: ComplexArray) -> ComplexMatrix:
    """The matrix as the model writes it."""
    return ComplexMatrix(
        re=tuple(map(tuple, y.real.tolist())),
        im=tuple(map(tuple, y.imag.tolist())),
    )


def element_id(name: str) -> ElementId:
    """Id of an element of the engine."""
    return ElementId(name.lower())


def element_name(name: str) -> str:
    """Without the class."""
    return name.partition(".")[2]


def pairs(terminal: tuple[NodeRef | None, ...], *, delta: bool) -> tuple[tuple[NodeRef, NodeRef | None], ...]:
    """Single-phase parts of a shunt device. Wye: each phase to the last conductor (its neutral); delta: each phase to
    the next one, closed in a ring where there are three."""
    found: list[tuple[NodeRef, NodeRef | None]] = []
    if delta:
        ends = list(zip(terminal, (*terminal[1:], terminal[0]), strict=True))
        couples = ends if len(terminal) > 2 else ends[:1]
    else:
        couples = [(phase, terminal[-1]) for phase in terminal[:-1]]
    for fr, to in couples:
        if fr is not None:
            found.append((fr, to))
        elif to is not None:
            found.append((to, None))
    return tuple(found)
