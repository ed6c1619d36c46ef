"""What every app of a round sees: one frozen view. Apps are `(view, state, policy) -> (state', proposals)`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from adms.core.commands import App, Command, Proposal, Setpoint
from adms.core.devices import TagKind as TagKind
from adms.core.estimate import ComplexArray, Estimate, NotEstimated
from adms.core.ids import ElementId, PlanId
from adms.core.modes import Mode, effective_mode
from adms.core.plans import PlanProgress
from adms.core.telemetry import FloatArray, TelemetrySnapshot
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState

S = TypeVar("S")
"""State that an app keeps between rounds."""


@dataclass(frozen=True, kw_only=True)
class Tag:
    """An operator's tag on a device. Only its holder removes it (SW4)."""

    tag_id: str
    device: ElementId
    kind: TagKind
    holder: str
    reason: str
    placed: datetime


@dataclass(frozen=True, kw_only=True)
class InterfaceLimit:
    """What the transmission operator allows at an interface; None is unlimited."""

    interface: ElementId
    """Id of the interface `Source`."""
    import_max_w: float | None
    export_max_w: float | None
    start: datetime
    end: datetime | None


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A latched operation that was issued to a device."""

    time: datetime
    setpoint: Setpoint
    previous: Setpoint | None
    """Position when it was issued; None where unknown."""
    app: App | None = None
    """Who asked for it; None where that is not recorded."""


@dataclass(frozen=True, kw_only=True)
class RoundView:
    """One instant, one model version, one picture: the same for every app of the round and for the gate."""

    now: datetime
    """Equal to `snapshot.cut_time`."""
    arrays: NetworkArrays
    snapshot: TelemetrySnapshot
    grid: GridState
    """Positions as reported; where a position is unknown, the last known or normal one."""
    unknown_positions: frozenset[ElementId]
    """Devices with telemetered position that is now missing, stale or flagged. Never operated (SW16)."""
    estimate: Estimate | NotEstimated
    system_mode: Mode
    device_modes: Mapping[ElementId, Mode]
    """Only where an operator set one."""
    controllable: frozenset[ElementId]
    """Devices that a connected controller holds and that report remote mode."""
    outstanding: Mapping[ElementId, Command]
    """Latched commands that telemetry has not confirmed yet (SW17)."""
    history: Mapping[ElementId, tuple[Operation, ...]]
    """Latched operations of the last 24 h, oldest first."""
    tags: tuple[Tag, ...]
    interface_limits: tuple[InterfaceLimit, ...]
    approved_plans: frozenset[PlanId]
    aborted_plans: frozenset[PlanId]
    failed_devices: Mapping[ElementId, str]
    """Devices whose last command was refused or not confirmed in time, and why; cleared by an operator or by a
    later success."""

    def mode_of(self, device: ElementId) -> Mode:
        """Effective mode of a device (SW22)."""
        return effective_mode(self.system_mode, self.device_modes.get(device, Mode.CONTROL))

    def permits(self, device: ElementId, *, plan_id: PlanId | None) -> bool:
        """True where automation may act on a device for a plan (SW22): its mode is CONTROL, or ADVISE with the plan
        approved by an operator; never for an aborted plan."""
        if plan_id is not None and plan_id in self.aborted_plans:
            return False
        mode = self.mode_of(device)
        return mode is Mode.CONTROL or (mode is Mode.ADVISE and plan_id is not None and plan_id in self.approved_plans)

    def picture(self) -> Estimate | None:
        """The estimate if there is one."""
        return self.estimate if isinstance(self.estimate, Estimate) else None


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpectedState:
    """What the network is expected to carry once dead parts are picked up, and how it was before: the same numbers for
    the planner and for the gate."""

    s_nominal_va: ComplexArray
    """[injector] at nominal voltage: live ones as estimated now, dead ones as before the outage."""
    cold_load_factor: float
    """What dead load draws at pick-up over what it drew before (SW12)."""
    v_before_pu: FloatArray | None
    """[node] magnitudes before the outage, NaN where not known; None where nothing is known."""


@dataclass(frozen=True, kw_only=True)
class Decision(Generic[S]):
    """What an app returns."""

    state: S
    proposals: tuple[Proposal, ...] = ()
    plans: tuple[PlanProgress, ...] = ()
    """Plans that are new or whose progress changed in this round."""
    notes: tuple[str, ...] = ()
    """Reasons, for people: why nothing was proposed, what limits, what was found."""
    expected: ExpectedState | None = None
    """What the proposals rest on. Without it the gate permits no close."""
