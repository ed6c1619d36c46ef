"""What every OpenDSS element has: conductors, a primitive admittance, and a place for notes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId
from adms.core.telemetry import FloatArray
from adms.grid.model import NodeRef

DER_CLASSES = frozenset(("generator", "pvsystem", "storage"))
FROZEN_CLASSES = frozenset(
    ("isource", "vccs", "indmach012", "upfc", "vsconverter", "gicsource", "gicline", "generic5", "windgen")
)
"""Carried over as the power that they have at the engine's solution."""


@dataclass(frozen=True, kw_only=True)
class Conductors:
    """The active element's conductors, terminal by terminal."""

    terminals: tuple[tuple[NodeRef | None, ...], ...]
    """None is a grounded or an opened conductor."""

    @cached_property
    def _grouped(self) -> tuple[tuple[tuple[NodeRef, ...], ...], tuple[int, ...]]:
        """(terminals, column of each conductor that is not grounded)."""
        several_buses = any(len({node.bus for node in t if node is not None}) > 1 for t in self.terminals)
        groups: dict[object, dict[NodeRef, None]] = {}
        places: list[tuple[object, NodeRef]] = []
        for index, terminal in enumerate(self.terminals):
            for node in terminal:
                if node is not None:
                    key = node.bus if several_buses else index
                    groups.setdefault(key, {})[node] = None
                    places.append((key, node))
        column = {place: i for i, place in enumerate((key, node) for key, nodes in groups.items() for node in nodes)}
        return tuple(tuple(nodes) for nodes in groups.values()), tuple(column[place] for place in places)

    @property
    def kept(self) -> tuple[tuple[NodeRef, ...], ...]:
        """Without the grounded ones, each node once; a terminal that is wholly grounded is left out. Where a terminal
        reaches several buses (an autotransformer's), there is one for each bus instead."""
        return self._grouped[0]

    @cached_property
    def to_kept(self) -> FloatArray:
        """[conductor, kept node]: 1 where a conductor is at a node."""
        terminals, columns = self._grouped
        flat = [node for terminal in self.terminals for node in terminal]
        matrix = np.zeros((len(flat), sum(map(len, terminals))))
        matrix[[row for row, node in enumerate(flat) if node is not None], columns] = 1.0
        return matrix


@dataclass(frozen=True, kw_only=True)
class Solved:
    """The engine's solution with its controls at rest."""

    v_phasor_v: Mapping[NodeRef, complex]
    currents_a: Mapping[ElementId, ComplexArray]
    """[conductor] into each load, generator and the like."""
    held: frozenset[NodeRef]
    """Nodes that a source, branch or capacitor stands on."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What the deck leaves open, element by element."""

    terminals: Mapping[ElementId, frozenset[int]]
    """Lines and capacitors open at whole terminals (counted from 0), closed again while they are read."""
    conductors: Mapping[ElementId, frozenset[tuple[int, int]]]
    """(terminal, conductor) of elements that stay as they are."""


@dataclass(kw_only=True)
class CircuitReader:
    """A solved circuit of the engine, and what could not be carried over."""

    circuit: Any
    node_of_ref: tuple[NodeRef, ...]
    """By the engine's node number less 1."""
    notes: list[str] = field(default_factory=list)
    opened: Opened = field(default_factory=lambda: Opened(terminals={}, conductors={}))
    solved: Solved = field(default_factory=lambda: Solved(v_phasor_v={}, currents_a={}, held=frozenset()))
    v_base_v: dict[BusId, float] = field(default_factory=dict)

    def note(self, name: str, text: str) -> None:
        """Remembers something about an element."""
        self.notes.append(f"{name.lower()}: {text}")

    def conductors(self) -> Conductors:
        """Of the active element."""
        element = self.circuit.ActiveCktElement
        refs = [int(ref) for ref in element.NodeRef]
        width = int(element.NumConductors)
        opened = self.opened.conductors.get(element_id(str(element.Name)), frozenset())
        terminals = [
            tuple(
                None if ref <= 0 or (start // width, index) in opened else self.node_of_ref[ref - 1]
                for index, ref in enumerate(refs[start : start + width])
            )
            for start in range(0, len(refs), width)
        ]
        return Conductors(terminals=tuple(terminals))

    def primitive_siemens(self, conductors: Conductors) -> ComplexArray:
        """Of the active element, over the nodes that are kept."""
        full = packed_matrix(self.circuit.ActiveCktElement.Yprim)
        kept = conductors.to_kept
        return np.asarray(kept.T @ full @ kept, dtype=np.complex128)


def packed_matrix(packed: Any) -> ComplexArray:
    """A square matrix as the engine hands it over."""
    flat = np.asarray(packed, dtype=np.float64)
    size = round((len(flat) / 2) ** 0.5)
    return np.asarray((flat[0::2] + 1j * flat[1::2]).reshape((size, size), order="F"))


def packed_vector(packed: Any) -> ComplexArray:
    """A vector as the engine hands it over."""
    flat = np.asarray(packed, dtype=np.float64)
    return np.asarray(flat[0::2] + 1j * flat[1::2])


def element_id(name: str) -> ElementId:
    """Id of an element of the engine."""
    return ElementId(name.lower())


def element_name(name: str) -> str:
    """Without the class."""
    return name.partition(".")[2]


def number(element: Any, name: str) -> float:
    """A property of an element that is a number."""
    return float(element.Properties(name).Val)


def numbers(text: str) -> list[float]:
    """An array as the engine writes it."""
    return [float(part) for part in str(text).strip("[]() ").replace(",", " ").split()]


def positive(value: float) -> float | None:
    """None where it says nothing."""
    return float(value) if value > 0.0 else None
