"""Small feeders made by hand: one bus a section, a series line behind every switch, one or three phases a bus."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from adms.core.ids import BusId, ElementId, ModelVersion
from adms.grid.arrays import NetworkArrays
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

V_BASE_V = 2400.0


@dataclass(frozen=True, kw_only=True)
class Link:
    """A switch `switch.<name>` from section `fr` to section `to`, and behind it the line `line.<name>` in `to`."""

    name: str
    fr: str
    to: str
    kind: SwitchKind = SwitchKind.LOAD_BREAK
    normally_closed: bool = True
    remote: bool = True
    indicator: bool = True
    ohm: float = 0.05
    rating_a: float | None = None
    emergency_a: float | None = None
    reclose_shots: int = 0
    phases: tuple[int, ...] | None = None
    """None is all phases of the feeder."""


@dataclass(frozen=True, kw_only=True)
class Feeder:
    """What to build."""

    links: tuple[Link, ...]
    sources: tuple[str, ...]
    """Sections with a source."""
    loads_w: Mapping[str, float]
    """Drawn per section at nominal voltage, all phases."""
    phases: tuple[int, ...] = (1,)
    p_max_w: Mapping[str, float] = field(default_factory=dict)
    critical: frozenset[str] = frozenset()
    section_phases: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def switch(name: str) -> ElementId:
    """Id of the switch of a link."""
    return ElementId(f"switch.{name}")


def diagonal(count: int, value: complex) -> ComplexMatrix:
    """value times the identity."""
    zero = [[0.0] * count for _ in range(count)]
    re, im = [list(row) for row in zero], [list(row) for row in zero]
    for i in range(count):
        re[i][i], im[i][i] = value.real, value.imag
    return ComplexMatrix(re=tuple(map(tuple, re)), im=tuple(map(tuple, im)))


def series(count: int, y: complex) -> ComplexMatrix:
    """Primitive of `count` uncoupled series admittances."""
    block = np.kron(np.array([[1, -1], [-1, 1]]), np.eye(count)) * y
    return ComplexMatrix(
        re=tuple(tuple(float(x) for x in row) for row in block.real),
        im=tuple(tuple(float(x) for x in row) for row in block.imag),
    )


def nodes(bus: str, phases: Iterable[int]) -> tuple[NodeRef, ...]:
    """Nodes of a bus."""
    return tuple(NodeRef(BusId(bus), phase) for phase in phases)


def build(feeder: Feeder) -> NetworkArrays:
    """The model of a feeder, with limits 0.95 to 1.05 pu (emergency 0.90 to 1.08)."""
    names = list(dict.fromkeys([*feeder.sources, *(s for link in feeder.links for s in (link.fr, link.to))]))

    def phases_of(section: str) -> tuple[int, ...]:
        return feeder.section_phases.get(section, feeder.phases)

    def bus(name: str, phases: tuple[int, ...]) -> Bus:
        return Bus(
            id=BusId(name), phases=phases, v_base_v=V_BASE_V, v_min_pu=0.95, v_max_pu=1.05,
            v_emergency_min_pu=0.90, v_emergency_max_pu=1.08,
        )  # fmt: skip

    buses = [bus(name, phases_of(name)) for name in names]
    branches = []
    for link in feeder.links:
        phases = link.phases or phases_of(link.to)
        middle = f"{link.to}.{link.name}"
        buses.append(bus(middle, phases))
        branches.append(
            Branch(
                id=switch(link.name), kind=BranchKind.SWITCH,
                terminals=(nodes(link.fr, phases), nodes(middle, phases)),
                y_primitive_siemens=series(len(phases), 1e4),
                switch=SwitchGear(
                    kind=link.kind, normally_closed=link.normally_closed, remote=link.remote,
                    fault_indicator=link.indicator, reclose_shots=link.reclose_shots,
                    pickup_a=600.0 if link.kind in (SwitchKind.BREAKER, SwitchKind.RECLOSER) else None,
                ),
            )
        )  # fmt: skip
        branches.append(
            Branch(
                id=ElementId(f"line.{link.name}"), kind=BranchKind.LINE,
                terminals=(nodes(middle, phases), nodes(link.to, phases)),
                y_primitive_siemens=series(len(phases), 1.0 / complex(link.ohm, link.ohm)),
                rating_a=link.rating_a, rating_emergency_a=link.emergency_a or link.rating_a,
            )
        )  # fmt: skip
    angle = {0: 0.0, 1: 0.0, 2: -2 * np.pi / 3, 3: 2 * np.pi / 3}
    sources = tuple(
        Source(
            id=ElementId(f"source.{name}"), nodes=nodes(name, phases_of(name)),
            v_magnitude_pu=(1.0,) * len(phases_of(name)),
            v_angle_rad=tuple(angle[phase] for phase in phases_of(name)),
            y_primitive_siemens=diagonal(len(phases_of(name)), 1.0 / complex(0.01, 0.05)),
            p_max_w=feeder.p_max_w.get(name),
        )
        for name in feeder.sources
    )  # fmt: skip
    loads = tuple(
        Load(
            id=ElementId(f"load.{name}"),
            pairs=tuple((node, None) for node in nodes(name, phases_of(name))),
            p_w=p_w, q_var=p_w * 0.2, v_nominal_v=V_BASE_V, law=CONSTANT_POWER, v_low_pu=0.8,
            v_high_pu=1.2, customers=max(1, round(p_w / 5000.0)),
            critical_customers=max(1, round(p_w / 5000.0)) if name in feeder.critical else 0,
        )
        for name, p_w in feeder.loads_w.items()
    )  # fmt: skip
    model = NetworkModel(
        name="by hand", frequency_hz=60.0, buses=tuple(buses), sources=sources, branches=tuple(branches),
        capacitors=(), loads=loads, ders=(),
    )  # fmt: skip
    return NetworkArrays(model, version=ModelVersion("by-hand"))


def line_of_four(*, phases: tuple[int, ...] = (1,), tie_rating_a: float | None = None, **recloser: object) -> Feeder:
    """s0 =R= a =1= b =2= c =3= d, tie t from d to s1, each section 100 kW; R is a recloser with two shots."""
    return Feeder(
        links=(
            Link(name="r", fr="s0", to="a", kind=SwitchKind.RECLOSER, reclose_shots=2),
            Link(name="1", fr="a", to="b"),
            Link(name="2", fr="b", to="c"),
            Link(name="3", fr="c", to="d"),
            Link(name="t", fr="s1", to="d", normally_closed=False, rating_a=tie_rating_a),
        ),
        sources=("s0", "s1"),
        loads_w=dict.fromkeys("abcd", 100e3),
        phases=phases,
    )
