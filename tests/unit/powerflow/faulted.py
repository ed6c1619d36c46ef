"""Networks with faults, and the law that must hold in them, for the tests of short circuits."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId
from adms.grid.arrays import S_BASE_VA
from adms.grid.model import NetworkModel
from adms.grid.state import normal_state
from adms.powerflow import Factor, PowerFlow, factorise, solve_power_flow
from adms.powerflow.short_circuit import (
    Fault,
    FaultKind,
    ShortCircuit,
    short_circuit,
)
from adms.powerflow.short_circuit_network import Prefault
from tests.unit.powerflow.networks import (
    V_BASE_V,
    arrays_of,
    bus,
    four_buses,
    line,
    nodes,
    peak_va,
    source,
)

Z_SOURCE = 0.05 + 0.2j
Z_SELF, Z_MUTUAL = 0.3 + 0.6j, 0.1 + 0.25j
E_V = 1.02 * V_BASE_V


def factor_of(model: NetworkModel) -> Factor:
    """Of the normal state."""
    factor = factorise(arrays_of(model), normal_state(model))
    assert isinstance(factor, Factor)
    return factor


def solved(
    factor: Factor, fault: Fault, *, prefault: Prefault | None = None, der_off: Sequence[ElementId] = ()
) -> ShortCircuit:
    """One fault that must have a solution."""
    short = short_circuit(factor, fault, prefault=prefault, der_off=der_off)
    assert isinstance(short, ShortCircuit)
    return short


def fault_at(kind: FaultKind, at: str = "2", phases: tuple[int, ...] = (), *, r_ohm: float = 0.0) -> Fault:
    """A fault, at bus 2 unless told otherwise."""
    return Fault(kind=kind, bus=BusId(at), phases=phases, r_fault_ohm=r_ohm)


def flow_before(factor: Factor) -> PowerFlow:
    """The power flow of `peak_va`."""
    arrays = factor.arrays
    flow = solve_power_flow(arrays, factor.grid, s_nominal_va=peak_va(arrays), factor=factor, tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    return flow


def source_and_line() -> NetworkModel:
    """A source at bus 1, a line to bus 2."""
    return NetworkModel(
        name="source and line",
        frequency_hz=60.0,
        buses=(bus("1"), bus("2")),
        sources=(source("source.main", "1"),),
        branches=(line("line.l12", ("1", "2")),),
        capacitors=(),
        loads=(),
        ders=(),
    )


def missing_current_pu(short: ShortCircuit, *, s_load_va: ComplexArray | None) -> ComplexArray:
    """Kirchhoff's current law at every node during the fault; zero where it holds."""
    arrays, v = short.factor.arrays, short.v_phasor_pu
    y_source, norton = arrays.source_norton_pu()
    left = (arrays.admittance_pu(short.factor.grid) + y_source) @ v - norton
    across_before = arrays.incidence.T @ short.v_prefault_pu
    injected = short.der_current_a * arrays.v_base_v[arrays.injector_fr] / S_BASE_VA
    if s_load_va is not None:
        load_y = -np.conj(s_load_va / S_BASE_VA) / np.abs(across_before) ** 2
        injected = injected - np.where(arrays.injector_is_der, 0.0, load_y) * (arrays.incidence.T @ v)
    left = left - arrays.incidence @ injected
    rows = [arrays.node_idx[node] for node in nodes(short.fault.bus, short.phases)]
    left[rows] += short.current_a * arrays.v_base_v[rows] / S_BASE_VA
    return np.asarray(left)


def machines_and_inverters(*, limit_pu: float | None = 1.2) -> NetworkModel:
    """`four_buses` with the PV as an inverter and a machine at bus 2."""
    model = four_buses()
    (pv,) = model.ders
    inverter = replace(pv, fault_current_pu=limit_pu)
    machine = replace(
        pv,
        id=ElementId("der.machine"),
        pairs=tuple((node, None) for node in nodes("2")),
        s_max_va=500e3,
        x_subtransient_pu=0.18,
    )
    return replace(model, ders=(inverter, machine))
