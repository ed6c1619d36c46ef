"""A one-phase feeder drawn by hand, and round views of it made from an exact power flow.

    source.head -- bus head -- transformer.reg -- r -- a -- b -- c -- switch.tie -- d -- source.other
    capacitor.b at b, capacitor.c at c; loads at a, b, c; DER: PV at c, battery at b, EV site at a.
2,400 V phase to ground. One phase: every figure can be checked by hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from adms.apps.view import InterfaceLimit, Operation, RoundView
from adms.core.estimate import ComplexArray, Estimate, Grade, SigmaSource, nothing_measured
from adms.core.ids import BusId, ElementId, ModelVersion, SnapshotId
from adms.core.modes import Mode
from adms.core.telemetry import PointKey, PointKind, PointTable, Quality, TelemetrySnapshot
from adms.grid.arrays import NetworkArrays
from adms.grid.model import (
    Branch,
    BranchKind,
    Bus,
    Capacitor,
    ComplexMatrix,
    Der,
    DerKind,
    Load,
    NetworkModel,
    NodeRef,
    Source,
    SwitchGear,
    SwitchKind,
    TapChanger,
    VoltageLaw,
)
from adms.grid.state import GridState, normal_state
from adms.powerflow.factor import NotSolved
from adms.powerflow.solve import solve_power_flow

V_BASE_V = 2400.0
START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
HEAD, OTHER = ElementId("source.head"), ElementId("source.other")
REG, TIE, MIDDLE = ElementId("transformer.reg"), ElementId("switch.tie"), ElementId("switch.middle")
CAP_B, CAP_C = ElementId("capacitor.b"), ElementId("capacitor.c")
PV, BATTERY, EV = ElementId("der.pv"), ElementId("der.battery"), ElementId("der.ev")
DEVICES = frozenset({REG, CAP_B, CAP_C, PV, BATTERY, EV})


def node(bus: str) -> NodeRef:
    return NodeRef(BusId(bus), 1)


def series(z_ohm: complex) -> ComplexMatrix:
    y = 1.0 / z_ohm
    return ComplexMatrix(re=((y.real, -y.real), (-y.real, y.real)), im=((y.imag, -y.imag), (-y.imag, y.imag)))


def shunt(y: complex) -> ComplexMatrix:
    return ComplexMatrix(re=((y.real,),), im=((y.imag,),))


def line(name: str, fr: str, to: str, z_ohm: complex) -> Branch:
    return Branch(
        id=ElementId(name),
        kind=BranchKind.LINE,
        terminals=((node(fr),), (node(to),)),
        y_primitive_siemens=series(z_ohm),
    )


def switch(name: ElementId, fr: str, to: str, *, closed: bool) -> Branch:
    gear = SwitchGear(kind=SwitchKind.LOAD_BREAK, normally_closed=closed, remote=True)
    return replace(line(name, fr, to, 1e-4), kind=BranchKind.SWITCH, switch=gear)


def load(bus: str, p_w: float, q_var: float, *, z_frac: float) -> Load:
    return Load(
        id=ElementId(f"load.{bus}"),
        pairs=((node(bus), None),),
        p_w=p_w,
        q_var=q_var,
        v_nominal_v=V_BASE_V,
        law=VoltageLaw(z_frac=z_frac, p_frac=1.0 - z_frac),
        v_low_pu=0.8,
        v_high_pu=1.2,
    )


def capacitor(name: ElementId, bus: str, rating_var: float, *, steps: int) -> Capacitor:
    return Capacitor(
        id=name,
        nodes=(node(bus),),
        y_step_siemens=shunt(1j * rating_var / steps / V_BASE_V**2),
        steps=steps,
        normal_steps=0,
        rating_var=rating_var,
        remote=True,
    )


def der(name: ElementId, kind: DerKind, bus: str, *, s_va: float, p_max_w: float, p_min_w: float) -> Der:
    return Der(
        id=name,
        kind=kind,
        pairs=((node(bus), None),),
        s_max_va=s_va,
        p_max_w=p_max_w,
        p_min_w=p_min_w,
        q_max_var=0.44 * s_va if kind is not DerKind.EV else 0.0,
        v_nominal_v=V_BASE_V,
        energy_wh=2.0 * s_va if kind is not DerKind.PV else None,
        efficiency_frac=0.95,
        default_p_injection_w={DerKind.PV: None, DerKind.BATTERY: 0.0}.get(kind, p_min_w),
    )


def model(*, z_frac: float = 0.0, extra_ders: Sequence[Der] = ()) -> NetworkModel:
    """The feeder of the module's heading. `z_frac` is the share of constant impedance in the loads."""
    buses = tuple(
        Bus(
            id=BusId(name),
            phases=(1,),
            v_base_v=V_BASE_V,
            v_min_pu=0.95,
            v_max_pu=1.05,
            v_emergency_min_pu=0.9,
            v_emergency_max_pu=1.08,
        )
        for name in ("head", "r", "a", "m", "b", "c", "d")
    )
    sources = tuple(
        Source(
            id=name,
            nodes=(node(bus),),
            v_magnitude_pu=(1.02,),
            v_angle_rad=(0.0,),
            y_primitive_siemens=shunt(1.0 / (0.02 + 0.1j)),
            interface=name == HEAD,
        )
        for name, bus in ((HEAD, "head"), (OTHER, "d"))
    )
    taps = TapChanger(
        terminal=1, step_pu=0.00625, min_position=-16, max_position=16, normal_position=0, group="", remote=True
    )
    regulator = replace(line(REG, "head", "r", 0.005 + 0.02j), kind=BranchKind.REGULATOR, taps=taps)
    return NetworkModel(
        name="one-phase",
        frequency_hz=60.0,
        buses=buses,
        sources=sources,
        branches=(
            regulator,
            line("line.ra", "r", "a", 0.15 + 0.30j),
            switch(MIDDLE, "a", "m", closed=True),
            line("line.mb", "m", "b", 0.20 + 0.35j),
            line("line.bc", "b", "c", 0.25 + 0.40j),
            switch(TIE, "c", "d", closed=False),
        ),
        capacitors=(capacitor(CAP_B, "b", 150e3, steps=1), capacitor(CAP_C, "c", 200e3, steps=2)),
        loads=(
            load("a", 250e3, 110e3, z_frac=z_frac),
            load("b", 300e3, 140e3, z_frac=z_frac),
            load("c", 250e3, 120e3, z_frac=z_frac),
        ),
        ders=(
            der(PV, DerKind.PV, "c", s_va=120e3, p_max_w=100e3, p_min_w=0.0),
            der(BATTERY, DerKind.BATTERY, "b", s_va=100e3, p_max_w=80e3, p_min_w=-80e3),
            der(EV, DerKind.EV, "a", s_va=60e3, p_max_w=0.0, p_min_w=-60e3),
            *extra_ders,
        ),
    )


def arrays(of: NetworkModel | None = None) -> NetworkArrays:
    return NetworkArrays(of or model(), version=ModelVersion("test"))


def loads(
    net: NetworkArrays, *, factor: float = 1.0, der_va: Mapping[ElementId, complex] | None = None
) -> ComplexArray:
    """[injector] nominal injections: model loads times a factor, DER as given and else 0."""
    s = net.injector_s_nominal_va * factor
    for element, power in (der_va or {}).items():
        rows = net.injector_rows[element]
        s[rows] = power / len(rows)
    return s


def estimate_of(
    net: NetworkArrays, grid: GridState, s_nominal_va: ComplexArray, *, sigma_v_pu: float, now: datetime
) -> Estimate:
    """A perfect picture: the exact power flow, said to be uncertain by `sigma_v_pu`."""
    flow = solve_power_flow(net, grid, s_nominal_va=s_nominal_va)
    assert not isinstance(flow, NotSolved), flow.reason
    source = np.where(flow.energised, SigmaSource.ESTIMATED, SigmaSource.DEAD).astype(np.int64)
    return Estimate(
        snapshot_id=SnapshotId(f"{now:%H:%M:%S}"),
        model_version=net.version,
        time=now,
        grade=Grade.SOLVED,
        reason="",
        topology_version=grid.topology_version,
        v_phasor_pu=flow.v_phasor_pu,
        sigma_v_pu=np.where(flow.energised, sigma_v_pu, 0.0),
        sigma_source=source,
        s_injection_va=flow.s_injection_va,
        s_source_va=flow.s_source_va,
        losses_w=flow.losses_w,
        innovations=nothing_measured(),
        chi2=0.0,
        degrees_of_freedom=0,
        iterations=flow.iterations,
        oldest_input_s=0.0,
    )


def snapshot_of(net: NetworkArrays, points: Mapping[PointKey, float], *, now: datetime) -> TelemetrySnapshot:
    keys = tuple(sorted(points))
    count = len(keys)
    return TelemetrySnapshot(
        snapshot_id=SnapshotId(f"{now:%H:%M:%S}"),
        cut_time=now,
        model_version=net.version,
        table=PointTable(keys=keys),
        value=np.array([points[key] for key in keys]),
        sigma=np.full(count, np.nan),
        age_s=np.zeros(count),
        quality=np.full(count, int(Quality.GOOD), dtype=np.int64),
    )


def positions(grid: GridState) -> dict[PointKey, float]:
    """Telemetry of every tap changer and capacitor."""
    taps = {PointKey(kind=PointKind.TAP_POSITION, element=e): float(p) for e, p in grid.tap_position.items()}
    steps = {PointKey(kind=PointKind.CAPACITOR_STEPS, element=e): float(p) for e, p in grid.capacitor_steps.items()}
    return taps | steps


def powers(net: NetworkArrays, s_nominal_va: ComplexArray) -> dict[PointKey, float]:
    """Telemetry of what each DER injects."""
    return {
        PointKey(kind=PointKind.P_INJECTION, element=der.id): float(s_nominal_va[net.injector_rows[der.id]].real.sum())
        for der in net.model.ders
    }


def view_of(
    net: NetworkArrays,
    *,
    grid: GridState | None = None,
    s_nominal_va: ComplexArray | None = None,
    points: Mapping[PointKey, float] | None = None,
    sigma_v_pu: float = 0.001,
    now: datetime = START,
    mode: Mode = Mode.CONTROL,
    controllable: frozenset[ElementId] = DEVICES,
    history: Mapping[ElementId, tuple[Operation, ...]] | None = None,
    limits: tuple[InterfaceLimit, ...] = (),
) -> RoundView:
    """A round in which everything is known. Change the rest with `dataclasses.replace`."""
    grid = grid or normal_state(net.model)
    given = {PointKey(kind=PointKind.SOC, element=BATTERY): 0.5} if points is None else points
    s = loads(net) if s_nominal_va is None else s_nominal_va
    return RoundView(
        now=now,
        arrays=net,
        snapshot=snapshot_of(net, {**positions(grid), **powers(net, s), **given}, now=now),
        grid=grid,
        unknown_positions=frozenset(),
        estimate=estimate_of(net, grid, s, sigma_v_pu=sigma_v_pu, now=now),
        system_mode=mode,
        device_modes={},
        controllable=controllable,
        outstanding={},
        history=history or {},
        tags=(),
        interface_limits=limits,
        approved_plans=frozenset(),
        aborted_plans=frozenset(),
        failed_devices={},
    )


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)
