"""What FLISR remembers between rounds: pre-fault loads and the plan in hand. Never the plant: positions come from the
view, so a restarted service (state lost) plans again from what is measured (X7)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId, PlanId, SectionId
from adms.core.plans import Plan, PlanStatus
from adms.core.telemetry import FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadRecord:
    """Loads and voltages of one good round without an outage."""

    time: datetime
    s_nominal_va: ComplexArray
    """[injector] at nominal voltage."""
    v_magnitude_pu: FloatArray
    """[node]; NaN where dead or unobservable."""


@dataclass(frozen=True, kw_only=True)
class ActivePlan:
    """The plan in hand."""

    plan: Plan
    zone: frozenset[SectionId]
    """Suspected zone that it was made for. Another one ends it."""
    status: PlanStatus
    step: int
    """Index of the step in hand; all earlier ones are confirmed."""
    step_start: datetime


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The last search that found no plan, so that it is not repeated while nothing changes."""

    key: str
    time: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class Exclusion:
    """A device that failed a step, how and when."""

    reason: str
    time: datetime


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A close after which protection acted again, or which nothing confirmed."""

    time: datetime
    """When the close was commanded."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class FlisrState:
    """State of the app."""

    loads: LoadRecord | None
    """Old enough to be trusted as pre-fault."""
    newer_loads: LoadRecord | None
    """Waiting to become `loads`."""
    outage_start: datetime | None
    active: ActivePlan | None
    excluded: Mapping[ElementId, Exclusion] = field(default_factory=dict)
    """Devices that failed a step in this outage, while they are left alone for it."""
    trials: Mapping[ElementId, Trial] = field(default_factory=dict)
    """While there is one in this outage, FLISR only proposes."""
    refused: Mapping[ElementId, datetime] = field(default_factory=dict)
    """Devices that refused their last order to close, and when it was given: no trial."""
    attempt: Attempt | None = None
    stopped: tuple[PlanId, frozenset[SectionId]] | None = None
    """A plan that an operator aborted and its zone: no new plan by itself for that zone."""

    @staticmethod
    def initial() -> "FlisrState":
        """Nothing known."""
        return FlisrState(loads=None, newer_loads=None, outage_start=None, active=None)
