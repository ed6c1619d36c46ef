"""What Volt/VAR remembers: its own targets and plan, never the plant (positions come from the snapshot)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from adms.core.commands import Priority, Setpoint
from adms.core.ids import ElementId, PlanId
from adms.core.plans import Plan, PlanStatus


class DeviceClass(StrEnum):
    """One class moves at a time (VV2)."""

    REACTIVE = "inverter Q"
    CAPACITOR = "capacitors"
    TAP = "taps"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A level that is proposed every round until something supersedes it."""

    setpoint: Setpoint
    plan_id: PlanId
    step: int
    reason: str
    priority: Priority
    """LIMITS for a latched device that cures a violation: it may go over the daily budget (VV4)."""
    reached: bool = False
    """Latched devices: the reported position has equalled it once. A later difference is somebody else's move."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Devices of one class that move together."""

    device_class: DeviceClass
    targets: Mapping[ElementId, Target]


@dataclass(frozen=True, kw_only=True)
class ActivePlan:
    """The plan that waits for approval or is being carried out."""

    plan: Plan
    stages: tuple[Stage, ...]
    status: PlanStatus
    """PROPOSED or EXECUTING."""
    stage: int
    since: datetime
    """When it was proposed, or when its present stage began."""
    reached: datetime | None
    """When the present stage was confirmed."""


@dataclass(frozen=True, kw_only=True)
class VoltVarState:
    """Standing targets, the plan under way, and when to look again."""

    standing: Mapping[ElementId, Target]
    active: ActivePlan | None
    next_fast: datetime | None
    """No search for a cure before this; None is at once."""
    next_slow: datetime | None

    @staticmethod
    def initial() -> "VoltVarState":
        """Nothing wanted, nothing under way."""
        return VoltVarState(standing=MappingProxyType({}), active=None, next_fast=None, next_slow=None)
