"""Whether an inverter delivers, has ceased or has tripped: IEEE Std 1547-2018 clauses 4.6.1, 4.10, 6.4 and 6.5."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from hil.plant.ieee1547 import FREQUENCY_TRIPS, VOLTAGE_TRIPS, Operation, Region, region_of

DEAD_PU = 0.02
"""Below this there is nothing that power could be given to."""
RESTORE_PER_S = 0.8 / 0.4
"""Clause 6.4.2.7: 80 % of the current before within 0.4 s after the voltage is back."""


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """What a unit sees. Clause 6.4.1: each phase for trips; clause 4.3: the mean for voltage control."""

    v_low_pu: float
    v_high_pu: float
    v_mean_pu: float
    f_hz: float | None = None
    """None: the frequency is not modelled."""


@dataclass(frozen=True, kw_only=True)
class RidePlan:
    """How a class behaves at abnormal voltage and frequency."""

    category: str
    """Abnormal operating performance category: I, II or III."""
    trips_at: str
    """`clearing`: as late as the shall-trip tables allow; `ride_through`: as early as the ride-through tables do."""
    permissive: str
    """In the permissive region: `deliver` or `cease`."""
    return_v_min_pu: float
    return_v_max_pu: float
    return_f_min_hz: float
    return_f_max_hz: float
    return_delay_s: float
    """Clause 4.10.3: good for so long."""
    return_random_s: float
    """On top of it a time drawn anew at each trip, uniform from 0 to this."""
    return_ramp_s: float
    """From nothing to rated power."""


class State(StrEnum):
    """What a unit does as a whole."""

    RUNNING = "running"
    CEASED = "ceased"
    """Connected, delivers nothing, resumes by itself at once."""
    TRIPPED = "tripped"
    """Returns to service after its delay."""


class RideThrough1547:
    """The protection of one unit. Time is told; chance comes from its own stream."""

    def __init__(self, plan: RidePlan, *, rng: np.random.Generator) -> None:
        self._plan = plan
        self._rng = rng
        self.state = State.RUNNING
        self.why = ""
        """Element or rule that tripped it last."""
        self.permit_service = True
        """Clause 4.6.1: the operator's permission; without it the unit ceases and stays off."""
        self._trips = (*VOLTAGE_TRIPS[plan.category], *FREQUENCY_TRIPS)
        self._beyond_s = dict.fromkeys((trip.name for trip in self._trips), 0.0)
        self._outside_s = 0.0
        self._ceasing_s = 0.0
        self._good_s = 0.0
        self._wait_s = 0.0
        self._restored = 1.0
        self._ramped = 1.0

    @property
    def share_frac(self) -> float:
        """Of its power that it may deliver: after a cessation, and on the ramp of a return to service."""
        return min(self._restored, self._ramped) if self.state is State.RUNNING else 0.0

    @property
    def return_in_s(self) -> float:
        """Delay of this return to service with its random part, from when voltage is good."""
        return self._plan.return_delay_s + self._wait_s

    def step(self, dt_s: float, *, terminal: Terminal) -> bool:
        """Advance by `dt_s` at what the terminal showed meanwhile; whether the unit delivers at the end of it."""
        regions = [
            region
            for v_pu in (terminal.v_low_pu, terminal.v_high_pu)
            if (region := region_of(v_pu, category=self._plan.category)).operation is not Operation.CONTINUOUS
        ]
        self._outside_s = self._outside_s + dt_s if regions else 0.0
        cause = self._cause(dt_s, terminal=terminal, regions=regions)
        if self.state is State.TRIPPED:
            return self._return(dt_s, terminal=terminal)
        if cause:
            self._trip(cause)
            return False
        if self._ceases(dt_s, regions=regions) or terminal.v_low_pu < DEAD_PU:
            self.state, self._restored = State.CEASED, 0.0
            return False
        self.state = State.RUNNING
        self._go_on(dt_s)
        return True

    def _go_on(self, dt_s: float) -> None:
        ramp_s = self._plan.return_ramp_s
        self._restored = min(1.0, self._restored + dt_s * RESTORE_PER_S)
        self._ramped = min(1.0, self._ramped + dt_s / ramp_s) if ramp_s > 0.0 else 1.0

    def _cause(self, dt_s: float, *, terminal: Terminal, regions: list[Region]) -> str:
        """What trips the unit now; empty for nothing."""
        found = "" if self.permit_service else "permit service withdrawn"
        for trip in self._trips:
            if trip.name[1] == "F":
                beyond = terminal.f_hz is not None and trip.beyond(terminal.f_hz)
            else:
                beyond = trip.beyond(terminal.v_high_pu if trip.over else terminal.v_low_pu)
            timer = self._beyond_s[trip.name] = self._beyond_s[trip.name] + dt_s if beyond else 0.0
            if not found and timer >= trip.clearing_s - 1e-9 and beyond:
                found = trip.name
        if not found and self._plan.trips_at == "ride_through":
            for region in regions:
                v_pu = terminal.v_high_pu if region.low_pu >= 1.10 else terminal.v_low_pu
                if self._outside_s > region.ride_through_s(v_pu) + 1e-9:
                    return "ride-through time over"
        return found

    def _ceases(self, dt_s: float, *, regions: list[Region]) -> bool:
        must = [r for r in regions if r.operation in (Operation.MOMENTARY_CESSATION, Operation.CEASE)]
        self._ceasing_s = self._ceasing_s + dt_s if must else 0.0
        if any(self._ceasing_s >= region.response_s - 1e-9 for region in must):
            return True
        return self._plan.permissive == "cease" and any(r.operation is Operation.PERMISSIVE for r in regions)

    def _trip(self, cause: str) -> None:
        self.state, self.why = State.TRIPPED, cause
        self._good_s = self._ceasing_s = 0.0
        self._wait_s = float(self._rng.uniform(0.0, self._plan.return_random_s))

    def _return(self, dt_s: float, *, terminal: Terminal) -> bool:
        plan = self._plan
        good = (
            self.permit_service
            and plan.return_v_min_pu <= terminal.v_low_pu
            and terminal.v_high_pu <= plan.return_v_max_pu
            and (terminal.f_hz is None or plan.return_f_min_hz <= terminal.f_hz <= plan.return_f_max_hz)
        )
        self._good_s = self._good_s + dt_s if good else 0.0
        if self._good_s < self.return_in_s - 1e-9 or not good:
            return False
        self.state, self._restored, self._ramped = State.RUNNING, 1.0, 0.0
        self._go_on(dt_s)
        return True
