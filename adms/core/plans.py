"""What an app wants to do and why."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from adms.core.commands import App, Setpoint
from adms.core.ids import ElementId, ModelVersion, PlanId, SnapshotId


@dataclass(frozen=True, kw_only=True)
class PlanStep:
    """One change of one device, with the checks that held for it when it was planned."""

    device: ElementId
    setpoint: Setpoint
    reason: str
    checks: tuple[str, ...] = ()
    """Ids of invariants checked for the state after this step."""


@dataclass(frozen=True, kw_only=True)
class RejectedAlternative:
    """Something that was considered and not chosen."""

    summary: str
    reason: str


class PlanStatus(StrEnum):
    """Where a plan stands."""

    PROPOSED = "proposed"
    """Waits for an operator (ADVISE)."""
    APPROVED = "approved"
    EXECUTING = "executing"
    DONE = "done"
    ABORTED = "aborted"
    """Stopped in a state that can be left; the reason says why."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an app wants, why, what it expects, what it rejected and what limits it."""

    plan_id: PlanId
    app: App
    created: datetime
    snapshot_id: SnapshotId
    model_version: ModelVersion
    title: str
    reason: str
    steps: tuple[PlanStep, ...]
    predicted: tuple[tuple[str, float], ...]
    """Predicted effects by name with the unit in the name, e.g. ("restored_customers", 412.0)."""
    rejected: tuple[RejectedAlternative, ...] = ()
    binding_limit: str = ""


@dataclass(frozen=True, kw_only=True)
class PlanProgress:
    """A plan and how far it has come."""

    plan: Plan
    status: PlanStatus
    steps_done: int
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class NoPlan:
    """An app looked and asks for nothing; the reason is one that a person can act on."""

    app: App
    reason: str
