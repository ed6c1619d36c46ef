"""What dispatch remembers: its own setpoints and its filter of the load, never the plant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from adms.core.ids import ElementId
from adms.core.plans import Plan, PlanStatus


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What the interface would import if no DER gave anything, filtered."""

    time: datetime
    topology_version: str
    level_w: float
    trend_w_per_s: float
    correction_w: float
    """Integral of the error while a limit binds; added to what the DER must give."""


@dataclass(frozen=True, kw_only=True)
class LimitPlan:
    """The plan that holds the limits of one interface."""

    plan: Plan
    key: str
    """Which limits it is for; other limits make another plan."""
    status: PlanStatus


@dataclass(frozen=True, kw_only=True)
class DispatchState:
    """Standing setpoints, the filter and the plan of each interface."""

    standing: Mapping[ElementId, float]
    """P injection of every DER that is led by a limit, W."""
    baselines: Mapping[ElementId, Baseline]
    """By interface."""
    plans: Mapping[ElementId, LimitPlan]
    """By interface."""

    @staticmethod
    def initial() -> "DispatchState":
        """Nothing wanted, nothing known."""
        empty: Mapping[ElementId, float] = MappingProxyType({})
        return DispatchState(standing=empty, baselines=MappingProxyType({}), plans=MappingProxyType({}))
