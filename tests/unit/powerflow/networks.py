"""Small networks made by hand for the numerics' tests. Values are round, so that a person can check them."""

import math

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId, ModelVersion
from adms.grid.admittance import as_matrix
from adms.grid.arrays import NetworkArrays
from adms.grid.model import (
    Branch,
    BranchKind,
    Bus,
    Der,
    DerKind,
    Load,
    NetworkModel,
    NodeRef,
    Source,
    SwitchGear,
    SwitchKind,
    VoltageLaw,
)

V_BASE_V = 2400.0


def bus(name: str, *, phases: tuple[int, ...] = (1, 2, 3), v_base_v: float = V_BASE_V) -> Bus:
    """A bus with the usual limits."""
    return Bus(
        id=BusId(name),
        phases=phases,
        v_base_v=v_base_v,
        v_min_pu=0.95,
        v_max_pu=1.05,
        v_emergency_min_pu=0.90,
        v_emergency_max_pu=1.08,
    )


def nodes(name: str, phases: tuple[int, ...] = (1, 2, 3)) -> tuple[NodeRef, ...]:
    """Nodes of a bus."""
    return tuple(NodeRef(BusId(name), phase) for phase in phases)


def line(
    name: str,
    ends: tuple[str, str],
    *,
    phases: tuple[int, ...] = (1, 2, 3),
    z_ohm: complex = 0.3 + 0.6j,
    z_mutual_ohm: complex = 0.1 + 0.25j,
    switch: SwitchGear | None = None,
) -> Branch:
    """A series impedance with equal mutual coupling between its phases."""
    n = len(phases)
    z = np.full((n, n), z_mutual_ohm) + np.eye(n) * (z_ohm - z_mutual_ohm)
    y = np.asarray(np.linalg.inv(z), dtype=np.complex128)
    return Branch(
        id=ElementId(name),
        kind=BranchKind.LINE if switch is None else BranchKind.SWITCH,
        terminals=(nodes(ends[0], phases), nodes(ends[1], phases)),
        y_primitive_siemens=as_matrix(np.block([[y, -y], [-y, y]])),
        switch=switch,
    )


def gear(*, closed: bool = True) -> SwitchGear:
    """A remote load-break switch."""
    return SwitchGear(kind=SwitchKind.LOAD_BREAK, normally_closed=closed, remote=True)


def source(name: str, at: str, *, phases: tuple[int, ...] = (1, 2, 3), z_ohm: complex = 0.05 + 0.2j) -> Source:
    """A balanced source of 1.02 pu."""
    return Source(
        id=ElementId(name),
        nodes=nodes(at, phases),
        v_magnitude_pu=(1.02,) * len(phases),
        v_angle_rad=tuple(-2.0 * math.pi / 3.0 * max(phase - 1, 0) for phase in phases),
        y_primitive_siemens=as_matrix(np.asarray(np.eye(len(phases)) / z_ohm, dtype=np.complex128)),
    )


def load(
    name: str,
    pairs: tuple[tuple[NodeRef, NodeRef | None], ...],
    *,
    s_va: complex,
    law: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> Load:
    """A load that draws `s_va` in all."""
    across = V_BASE_V if pairs[0][1] is None else V_BASE_V * math.sqrt(3.0)
    return Load(
        id=ElementId(name),
        pairs=pairs,
        p_w=s_va.real,
        q_var=s_va.imag,
        v_nominal_v=across,
        law=VoltageLaw(z_frac=law[0], i_frac=law[1], p_frac=law[2]),
    )


def four_buses(*, tie_closed: bool = False) -> NetworkModel:
    """Source - bus 1 - bus 2 (no load, lateral of phase 1 to bus 4) - switch - bus 3 (wye and delta loads,
    a DER); a second source behind an open tie at bus 3."""
    ground: NodeRef | None = None
    return NetworkModel(
        name="four buses",
        frequency_hz=60.0,
        buses=(bus("1"), bus("2"), bus("3"), bus("4", phases=(1,)), bus("5")),
        sources=(source("source.main", "1"), source("source.other", "5")),
        branches=(
            line("line.l12", ("1", "2")),
            line("line.s23", ("2", "3"), switch=gear()),
            line("line.l24", ("2", "4"), phases=(1,)),
            line("line.t35", ("3", "5"), switch=gear(closed=tie_closed)),
        ),
        capacitors=(),
        loads=(
            load("load.l1", tuple((n, ground) for n in nodes("1")), s_va=90e3 + 30e3j, law=(1.0, 0.0, 0.0)),
            load("load.l3a", ((nodes("3")[0], None),), s_va=60e3 + 20e3j, law=(0.3, 0.3, 0.4)),
            load("load.l3bc", ((nodes("3")[1], nodes("3")[2]),), s_va=90e3 + 40e3j, law=(0.0, 1.0, 0.0)),
            load("load.l4", ((nodes("4", (1,))[0], None),), s_va=40e3 + 10e3j),
        ),
        ders=(
            Der(
                id=ElementId("der.pv3"),
                kind=DerKind.PV,
                pairs=tuple((n, None) for n in nodes("3")),
                s_max_va=120e3,
                p_max_w=100e3,
                p_min_w=0.0,
                q_max_var=50e3,
                v_nominal_v=V_BASE_V,
            ),
        ),
    )


def arrays_of(model: NetworkModel) -> NetworkArrays:
    """In solver order."""
    return NetworkArrays(model, version=ModelVersion("test"))


def peak_va(arrays: NetworkArrays) -> ComplexArray:
    """Model loads at nominal power, the PV of `four_buses` at 60 kW in all."""
    s = arrays.injector_s_nominal_va.copy()
    s[arrays.injector_is_der] = 20e3 + 1e3j
    return s
