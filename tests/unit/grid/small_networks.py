"""Hand-made networks for the grid's tests: buses on 2,400 V, lines of 1 ohm, switches of 1e-6 ohm."""

import math

from adms.core.ids import BusId, ElementId
from adms.grid.model import (
    CONSTANT_POWER,
    Branch,
    BranchKind,
    Bus,
    ComplexMatrix,
    Load,
    NetworkModel,
    NodeRef,
    Source,
    SwitchGear,
    SwitchKind,
)

ABC = (1, 2, 3)


def matrix(rows: list[list[float]]) -> ComplexMatrix:
    """A real matrix as the model writes it."""
    return ComplexMatrix(re=tuple(map(tuple, rows)), im=tuple(tuple(0.0 for _ in row) for row in rows))


def bus(name: str, phases: tuple[int, ...] = ABC) -> Bus:
    """A bus with test-feeder limits."""
    return Bus(
        id=BusId(name),
        phases=phases,
        v_base_v=2400.0,
        v_min_pu=0.95,
        v_max_pu=1.05,
        v_emergency_min_pu=0.9,
        v_emergency_max_pu=1.08,
    )


def nodes(name: str, phases: tuple[int, ...] = ABC) -> tuple[NodeRef, ...]:
    """Nodes of a bus."""
    return tuple(NodeRef(BusId(name), phase) for phase in phases)


def two_ends(siemens: float, *, count: int) -> ComplexMatrix:
    """Primitive of uncoupled conductors between two ends."""
    size = 2 * count
    rows = [[0.0] * size for _ in range(size)]
    for k in range(count):
        rows[k][k] = rows[k + count][k + count] = siemens
        rows[k][k + count] = rows[k + count][k] = -siemens
    return matrix(rows)


def line(name: str, fr: str, to: str, phases: tuple[int, ...] = ABC, kind: BranchKind = BranchKind.LINE) -> Branch:
    """A line, or anything else of the same primitive."""
    return Branch(
        id=ElementId(name),
        kind=kind,
        terminals=(nodes(fr, phases), nodes(to, phases)),
        y_primitive_siemens=two_ends(1.0, count=len(phases)),
    )


def switch(name: str, fr: str, to: str, phases: tuple[int, ...] = ABC, *, closed: bool = True) -> Branch:
    """A remote load-break switch."""
    return Branch(
        id=ElementId(name),
        kind=BranchKind.SWITCH,
        terminals=(nodes(fr, phases), nodes(to, phases)),
        y_primitive_siemens=two_ends(1e6, count=len(phases)),
        switch=SwitchGear(kind=SwitchKind.LOAD_BREAK, normally_closed=closed, remote=True),
    )


def source(name: str, at: str, phases: tuple[int, ...] = ABC) -> Source:
    """A stiff source."""
    count = len(phases)
    return Source(
        id=ElementId(name),
        nodes=nodes(at, phases),
        v_magnitude_pu=(1.0,) * count,
        v_angle_rad=tuple(-2.0 * math.pi / 3.0 * (phase - 1) for phase in phases),
        y_primitive_siemens=matrix([[1e3 if i == j else 0.0 for j in range(count)] for i in range(count)]),
    )


def load(name: str, at: str, phase: int = 1, *, customers: int = 10) -> Load:
    """40 kW of constant power."""
    return Load(
        id=ElementId(name),
        pairs=((NodeRef(BusId(at), phase), None),),
        p_w=40e3,
        q_var=20e3,
        v_nominal_v=2400.0,
        law=CONSTANT_POWER,
        customers=customers,
    )


def network(
    *,
    buses: tuple[Bus, ...],
    sources: tuple[Source, ...],
    branches: tuple[Branch, ...],
    loads: tuple[Load, ...] = (),
) -> NetworkModel:
    """A model of these parts."""
    return NetworkModel(
        name="small",
        frequency_hz=60.0,
        buses=buses,
        sources=sources,
        branches=branches,
        capacitors=(),
        loads=loads,
        ders=(),
    )


def two_feeders() -> NetworkModel:
    """s1 - a |x1| b - c |x2| d - s2's side: two sources, x1 closed, tie x2 open, x3 a one-phase lateral off b."""
    return network(
        buses=(bus("a"), bus("b"), bus("c"), bus("d"), bus("e", (1,))),
        sources=(source("source.s1", "a"), source("source.s2", "d")),
        branches=(
            switch("switch.x1", "a", "b"),
            line("line.bc", "b", "c"),
            switch("switch.x2", "c", "d", closed=False),
            switch("switch.x3", "b", "e", (1,)),
        ),
        loads=(load("load.b", "b"), load("load.c", "c", 2), load("load.e", "e")),
    )
