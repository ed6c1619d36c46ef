"""A feeder whose DER follow their setpoints with a delay and a ramp, and whose head meter is noisy."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from adms.apps.dispatch import DispatchPolicy, DispatchState, decide
from adms.apps.view import Decision, InterfaceLimit, RoundView
from adms.core.commands import PowerSetpoint
from adms.core.ids import ElementId
from adms.core.plans import PlanStatus
from adms.core.telemetry import PointKey, PointKind
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState, normal_state
from tests.unit.apps.dispatch.policies import POLICY
from tests.unit.apps.voltvar.feeder import BATTERY, EV, PV, START, later, loads, view_of

ROUND_S = 2.0
LEASE_S = 30.0


@dataclass
class Play:
    """DER move `ramp_w_per_s` towards their setpoint, seen one round later; they fall back when nobody asks."""

    net: NetworkArrays
    load_factor: Callable[[float], float] = lambda _: 1.0
    limits: tuple[InterfaceLimit, ...] = ()
    policy: DispatchPolicy = POLICY
    noise_frac: float = 0.0
    ramp_w_per_s: float = 10e3
    delivered_frac: float = 1.0
    """What the battery gives of what it is told."""
    soc: dict[ElementId, float | None] = field(default_factory=lambda: {BATTERY: 0.6})
    ev_request_w: float = -30e3
    pv_available_w: float = 40e3
    grid: GridState | None = None
    state: DispatchState = field(default_factory=DispatchState.initial)
    import_w: list[tuple[float, float]] = field(default_factory=list)
    """(seconds, true import) each round."""
    setpoints: list[dict[ElementId, float]] = field(default_factory=list)
    statuses: list[PlanStatus] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.elapsed_s = 0.0
        self.chance = np.random.default_rng(7)
        self.power_w: dict[ElementId, float] = {BATTERY: 0.0, EV: self.ev_request_w, PV: self.pv_available_w}
        self.seen_w = dict(self.power_w)
        self.told: dict[ElementId, tuple[float, float]] = {}
        """(setpoint, told at)."""
        self.grid = self.grid or normal_state(self.net.model)

    @property
    def now(self) -> datetime:
        return later(self.elapsed_s)

    def view(self) -> RoundView:
        points = {PointKey(kind=PointKind.SOC, element=d): s for d, s in self.soc.items() if s is not None}
        points[PointKey(kind=PointKind.P_AVAILABLE, element=PV)] = self.pv_available_w
        der_va = {d: complex(p) for d, p in self.power_w.items()}
        view = view_of(
            self.net,
            grid=self.grid,
            s_nominal_va=loads(self.net, factor=self.load_factor(self.elapsed_s), der_va=der_va),
            points=points,
            now=self.now,
            limits=self.limits,
        )
        picture = view.picture()
        assert picture is not None
        self.import_w.append((self.elapsed_s, float(picture.s_source_va[0].real)))
        noisy = picture.s_source_va * (1.0 + self.noise_frac * self.chance.standard_normal())
        return replace(view, estimate=replace(picture, s_source_va=noisy))

    def round(self, **changes: object) -> Decision[DispatchState]:
        """One round of 2 s; `changes` replace fields of its view."""
        view = replace(self.view(), **changes)  # type: ignore[arg-type]
        decision = decide(view, state=self.state, policy=self.policy)
        self.state = decision.state
        self.statuses += [progress.status for progress in decision.plans]
        self.notes += decision.notes
        asked: dict[ElementId, float] = {}
        for proposal in decision.proposals:
            assert isinstance(proposal.setpoint, PowerSetpoint)
            assert proposal.setpoint.p_injection_w is not None
            asked[proposal.device] = proposal.setpoint.p_injection_w
            self.told[proposal.device] = (proposal.setpoint.p_injection_w, self.elapsed_s)
        self.setpoints.append(asked)
        self._move()
        self.elapsed_s += ROUND_S
        return decision

    def run(self, seconds: float) -> None:
        """Rounds for a while."""
        for _ in range(int(seconds / ROUND_S)):
            self.round()

    def minute_means_w(self, *, start_s: float) -> list[float]:
        """One-minute means of the true import from a time on."""
        values = np.array([value for second, value in self.import_w if second >= start_s])
        whole = len(values) // int(60 / ROUND_S) * int(60 / ROUND_S)
        return [float(part.mean()) for part in values[:whole].reshape(-1, int(60 / ROUND_S))]

    def _move(self) -> None:
        defaults = {BATTERY: 0.0, EV: self.ev_request_w, PV: self.pv_available_w}
        for device, default in defaults.items():
            setpoint, at = self.told.get(device, (default, -np.inf))
            goal = setpoint if self.elapsed_s - at <= LEASE_S else default
            if device == BATTERY:
                goal *= self.delivered_frac
            if device == PV:
                goal = min(goal, self.pv_available_w)
            if device == EV:
                goal = max(goal, self.ev_request_w)
            step = self.ramp_w_per_s * ROUND_S
            self.power_w[device] += min(step, max(-step, goal - self.power_w[device]))


def limit(
    *,
    import_max_w: float | None = None,
    export_max_w: float | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
) -> InterfaceLimit:
    return InterfaceLimit(
        interface=ElementId("source.head"),
        import_max_w=import_max_w,
        export_max_w=export_max_w,
        start=later(start_s),
        end=None if end_s is None else later(end_s),
    )


__all__ = ["START", "Play", "limit"]
