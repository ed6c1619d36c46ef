"""A feeder small enough to read, and stages that stand in for the estimator and the apps."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from adms.apps.interlock import Verdict, Violation, check
from adms.apps.view import Decision, ExpectedState, RoundView
from adms.core.commands import App, PowerSetpoint, Priority, Proposal, Setpoint, SwitchSetpoint
from adms.core.estimate import Estimate, Grade, NotEstimated, SigmaSource, nothing_measured
from adms.core.ids import BusId, ElementId, ModelVersion, PlanId
from adms.core.telemetry import PointKey, PointKind, Quality, TelemetrySnapshot
from adms.grid.arrays import NetworkArrays
from adms.grid.model import (
    CONSTANT_POWER,
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
)
from adms.grid.reported import ReportedGrid, reported_grid
from adms.grid.state import GridState
from adms.ports.records import DeclaredPoint, TelemetryFrame
from adms.runtime.gate_state import GatePolicy
from adms.runtime.image import ImagePolicy
from adms.runtime.stages import AppStage, Stages
from tests.unit.apps.interlock_policy import INTERLOCK

T0 = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
VERSION = ModelVersion("feeder-of-the-tests")
SWITCH, TIE, BANK = ElementId("switch.s1"), ElementId("switch.tie"), ElementId("capacitor.c1")
PV, BATTERY, SOURCE = ElementId("der.pv"), ElementId("der.battery"), ElementId("source.head")
MAX_AGE_S = 10.0
SCRIPTED_GUARDS = frozenset({"X1", "SW3", "SW16", "SW22", "DE2"})
"""Guards that the runtime's tests ask by themselves: picture, device, tags, modes, numbers."""

IMAGE_POLICY = ImagePolicy(max_age_s=MAX_AGE_S, clock_skew_max_s=0.5, waiting_frames_max=100, events_keep_s=900.0)
GATE_POLICY = GatePolicy(
    lease_s=60.0,
    renew_s=20.0,
    stagger_s=10.0,
    dead_band_w=100.0,
    dead_band_var=100.0,
    der_moves_per_round_max=10,
    unanswered_leases_max=3,
    latched_expiry_s=5.0,
    latched_travel_s=5.0,
    confirm_timeout_s=5.0,
    retry_s=30.0,
    failures_max=2,
)


def at(seconds: float) -> datetime:
    """Time of the tests."""
    return T0 + timedelta(seconds=seconds)


def _matrix(value: float, size: int) -> ComplexMatrix:
    zero = tuple((0.0,) * size for _ in range(size))
    rows = tuple(tuple(value * (1 if r == c else -1) for c in range(size)) for r in range(size))
    return ComplexMatrix(re=rows, im=zero)


def _node(bus: str) -> NodeRef:
    return NodeRef(BusId(bus), 1)


def _switch(name: ElementId, fr: str, to: str, *, closed: bool) -> Branch:
    return Branch(
        id=name,
        kind=BranchKind.SWITCH,
        terminals=((_node(fr),), (_node(to),)),
        y_primitive_siemens=_matrix(1e3, 2),
        switch=SwitchGear(kind=SwitchKind.LOAD_BREAK, normally_closed=closed, remote=True, travel_s=5.0),
    )


def _der(name: ElementId, kind: DerKind) -> Der:
    return Der(
        id=name,
        kind=kind,
        pairs=((_node("b"), None),),
        s_max_va=10e3,
        p_max_w=10e3,
        p_min_w=-10e3 if kind is DerKind.BATTERY else 0.0,
        q_max_var=4.4e3,
        v_nominal_v=2400.0,
    )


def small_model() -> NetworkModel:
    """Single phase: head a, closed switch to b with a load, a capacitor and two DER, open tie to c."""
    buses = tuple(
        Bus(
            id=BusId(name),
            phases=(1,),
            v_base_v=2400.0,
            v_min_pu=0.95,
            v_max_pu=1.05,
            v_emergency_min_pu=0.9,
            v_emergency_max_pu=1.1,
        )
        for name in "abc"
    )
    return NetworkModel(
        name="small",
        frequency_hz=60.0,
        buses=buses,
        sources=(
            Source(
                id=SOURCE,
                nodes=(_node("a"),),
                v_magnitude_pu=(1.0,),
                v_angle_rad=(0.0,),
                y_primitive_siemens=_matrix(10.0, 1),
                interface=True,
            ),
        ),
        branches=(_switch(SWITCH, "a", "b", closed=True), _switch(TIE, "b", "c", closed=False)),
        capacitors=(
            Capacitor(
                id=BANK,
                nodes=(_node("b"),),
                y_step_siemens=_matrix(1e-4, 1),
                steps=1,
                normal_steps=1,
                rating_var=1e3,
                remote=True,
            ),
        ),
        loads=(
            Load(
                id=ElementId("load.b"),
                pairs=((_node("b"), None),),
                p_w=20e3,
                q_var=5e3,
                v_nominal_v=2400.0,
                law=CONSTANT_POWER,
            ),
        ),
        ders=(_der(PV, DerKind.PV), _der(BATTERY, DerKind.BATTERY)),
    )


POINTS = (
    DeclaredPoint(key=PointKey(kind=PointKind.V_MAGNITUDE, element="b", phase=1), sigma=5.0),
    DeclaredPoint(key=PointKey(kind=PointKind.SWITCH_CLOSED, element=SWITCH), sigma=None),
    DeclaredPoint(key=PointKey(kind=PointKind.SWITCH_CLOSED, element=TIE), sigma=None),
    DeclaredPoint(key=PointKey(kind=PointKind.CAPACITOR_STEPS, element=BANK), sigma=None),
)
NORMAL = (2400.0, 1.0, 0.0, 1.0)
"""Values of POINTS when all is as in the model."""


def frame(
    sequence: int,
    *,
    time: datetime,
    values: tuple[float, ...] = NORMAL,
    quality: tuple[Quality, ...] = (),
) -> TelemetryFrame:
    """A frame with a value for each of the first points."""
    return TelemetryFrame(
        sequence=sequence,
        measure_time=time,
        point_index=tuple(range(len(values))),
        value=values,
        quality=quality,
    )


def flat_estimate(snapshot: TelemetrySnapshot, *, arrays: NetworkArrays, grade: Grade = Grade.SOLVED) -> Estimate:
    """1 pu everywhere: the runtime does not look into it."""
    count = arrays.node_count
    return Estimate(
        snapshot_id=snapshot.snapshot_id,
        model_version=arrays.version,
        time=snapshot.cut_time,
        grade=grade,
        reason="",
        topology_version="t",
        v_phasor_pu=np.ones(count, dtype=np.complex128),
        sigma_v_pu=np.full(count, 0.001),
        sigma_source=np.full(count, int(SigmaSource.ESTIMATED)),
        s_injection_va=np.zeros(len(arrays.injectors), dtype=np.complex128),
        s_source_va=np.full(1, 20e3 + 5e3j),
        losses_w=100.0,
        innovations=nothing_measured(),
        chi2=1.0,
        degrees_of_freedom=1,
        iterations=2,
        oldest_input_s=0.0,
    )


@dataclass(kw_only=True)
class Script:
    """What the stand-ins do; tests change it between rounds."""

    arrays: NetworkArrays
    proposals: Callable[[RoundView], tuple[Proposal, ...]] = field(default=lambda view: ())
    picture: Callable[[TelemetrySnapshot], Estimate | NotEstimated] | None = None
    objections: tuple[Violation, ...] = ()
    views: list[RoundView] = field(default_factory=list)
    expects: ExpectedState | None = None
    """What the app says that it expects."""
    expected: list[ExpectedState | None] = field(default_factory=list)
    """What the gate asked the interlock with."""

    def stages(self) -> Stages:
        """Stages that follow the script."""
        return Stages(
            read_positions=self._positions,
            estimate=self._estimate,
            apps=(AppStage(app=App.DISPATCH, decide=self._decide, initial=0),),
            check=self._check,
        )

    def _check(self, view: RoundView, proposal: Proposal, *, expected: ExpectedState | None) -> Verdict:
        """The interlock's own word on picture, device, tags and modes, then the script's objections."""
        found = check(view, proposal, policy=INTERLOCK)
        kept = tuple(violation for violation in found.violations if violation.guard in SCRIPTED_GUARDS)
        self.expected.append(expected)
        return replace(found, violations=(*kept, *self.objections))

    def _positions(self, snapshot: TelemetrySnapshot, *, previous: GridState) -> ReportedGrid:
        return reported_grid(snapshot, arrays=self.arrays, previous=previous, max_age_s=MAX_AGE_S)

    def _estimate(
        self, snapshot: TelemetrySnapshot, *, positions: ReportedGrid, state: Any
    ) -> tuple[Any, Estimate | NotEstimated]:
        if self.picture is not None:
            return state, self.picture(snapshot)
        return state, flat_estimate(snapshot, arrays=self.arrays)

    def _decide(self, view: RoundView, *, state: Any) -> Decision[Any]:
        self.views.append(view)
        return Decision(state=state + 1, proposals=self.proposals(view), notes=("looked",), expected=self.expects)


def small_arrays() -> NetworkArrays:
    """The small model in solver order."""
    return NetworkArrays(small_model(), version=VERSION)


def proposal(
    device: ElementId,
    setpoint: Setpoint,
    *,
    app: App = App.DISPATCH,
    priority: Priority = Priority.ECONOMICS,
    plan_id: str | None = None,
    reason: str = "because",
) -> Proposal:
    """A proposal with what the test does not care about filled in."""
    return Proposal(
        device=device,
        setpoint=setpoint,
        app=app,
        priority=priority,
        plan_id=None if plan_id is None else PlanId(plan_id),
        step=0,
        reason=reason,
    )


def power(p: float | None, q: float | None = None) -> PowerSetpoint:
    """A lapsing setpoint."""
    return PowerSetpoint(p_injection_w=p, q_injection_var=q)


def opened() -> SwitchSetpoint:
    """Open."""
    return SwitchSetpoint(closed=False)
