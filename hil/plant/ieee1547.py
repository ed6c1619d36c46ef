"""Tables of IEEE Std 1547-2018 that an inverter follows: regions, trips, curves. Voltages per unit of nominal, reactive
power per unit of rated apparent power (injection positive), active power per unit of rated active power."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

import numpy as np

Curve = tuple[tuple[float, float], ...]
"""Points (x, y) with growing x; linear between, constant outside."""


class Operation(StrEnum):
    """What a region asks of the unit (clause 6.4.2)."""

    CONTINUOUS = "continuous"
    MANDATORY = "mandatory"
    """Stay connected and deliver."""
    PERMISSIVE = "permissive"
    """Stay connected; deliver or cease."""
    MOMENTARY_CESSATION = "momentary_cessation"
    """Stay connected, deliver nothing, and return at once with the voltage."""
    CEASE = "cease_to_energize"
    """Cease; may trip."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """One row of a ride-through table."""

    low_pu: float
    high_pu: float
    operation: Operation
    ride_s: float
    """Minimum ride-through time at `low_pu`."""
    ride_s_per_pu: float = 0.0
    """Slope of that time over voltage."""
    response_s: float = inf
    """Maximum time until the unit has ceased."""

    def ride_through_s(self, v_pu: float) -> float:
        """Minimum ride-through time at a voltage."""
        return self.ride_s + (self.ride_s_per_pu * (v_pu - self.low_pu) if self.ride_s_per_pu else 0.0)


@dataclass(frozen=True, kw_only=True)
class Trip:
    """One row of a shall-trip table: default setting."""

    name: str
    threshold: float
    """Per unit of nominal voltage, or Hz."""
    clearing_s: float
    over: bool

    def beyond(self, value: float) -> bool:
        """Whether a value is on the wrong side."""
        return value > self.threshold if self.over else value < self.threshold


_OVER_II = (
    Region(low_pu=1.20, high_pu=inf, operation=Operation.CEASE, ride_s=0.0, response_s=0.16),
    Region(low_pu=1.175, high_pu=1.20, operation=Operation.PERMISSIVE, ride_s=0.2),
    Region(low_pu=1.15, high_pu=1.175, operation=Operation.PERMISSIVE, ride_s=0.5),
    Region(low_pu=1.10, high_pu=1.15, operation=Operation.PERMISSIVE, ride_s=1.0),
)
_OVER_III = (
    Region(low_pu=1.20, high_pu=inf, operation=Operation.CEASE, ride_s=0.0, response_s=0.16),
    Region(low_pu=1.10, high_pu=1.20, operation=Operation.MOMENTARY_CESSATION, ride_s=12.0, response_s=0.083),
)
_CONTINUOUS = Region(low_pu=0.88, high_pu=1.10, operation=Operation.CONTINUOUS, ride_s=inf)

RIDE_THROUGH = {
    "I": (
        *_OVER_II,
        _CONTINUOUS,
        Region(low_pu=0.70, high_pu=0.88, operation=Operation.MANDATORY, ride_s=0.7, ride_s_per_pu=4.0),
        Region(low_pu=0.50, high_pu=0.70, operation=Operation.PERMISSIVE, ride_s=0.16),
        Region(low_pu=0.0, high_pu=0.50, operation=Operation.CEASE, ride_s=0.0, response_s=0.16),
    ),
    "II": (
        *_OVER_II,
        _CONTINUOUS,
        Region(low_pu=0.65, high_pu=0.88, operation=Operation.MANDATORY, ride_s=3.0, ride_s_per_pu=8.7),
        Region(low_pu=0.45, high_pu=0.65, operation=Operation.PERMISSIVE, ride_s=0.32),
        Region(low_pu=0.30, high_pu=0.45, operation=Operation.PERMISSIVE, ride_s=0.16),
        Region(low_pu=0.0, high_pu=0.30, operation=Operation.CEASE, ride_s=0.0, response_s=0.16),
    ),
    "III": (
        *_OVER_III,
        _CONTINUOUS,
        Region(low_pu=0.70, high_pu=0.88, operation=Operation.MANDATORY, ride_s=20.0),
        Region(low_pu=0.50, high_pu=0.70, operation=Operation.MANDATORY, ride_s=10.0),
        Region(low_pu=0.0, high_pu=0.50, operation=Operation.MOMENTARY_CESSATION, ride_s=1.0, response_s=0.083),
    ),
}
"""Tables 14, 15 and 16 (clause 6.4.2) by abnormal operating performance category, highest voltage first."""

_OVER_2 = Trip(name="OV2", threshold=1.20, clearing_s=0.16, over=True)
VOLTAGE_TRIPS = {
    "I": (
        _OVER_2,
        Trip(name="OV1", threshold=1.10, clearing_s=2.0, over=True),
        Trip(name="UV1", threshold=0.70, clearing_s=2.0, over=False),
        Trip(name="UV2", threshold=0.45, clearing_s=0.16, over=False),
    ),
    "II": (
        _OVER_2,
        Trip(name="OV1", threshold=1.10, clearing_s=2.0, over=True),
        Trip(name="UV1", threshold=0.70, clearing_s=10.0, over=False),
        Trip(name="UV2", threshold=0.45, clearing_s=0.16, over=False),
    ),
    "III": (
        _OVER_2,
        Trip(name="OV1", threshold=1.10, clearing_s=13.0, over=True),
        Trip(name="UV1", threshold=0.88, clearing_s=21.0, over=False),
        Trip(name="UV2", threshold=0.50, clearing_s=2.0, over=False),
    ),
}
"""Tables 11, 12 and 13 (clause 6.4.1): default settings."""

FREQUENCY_TRIPS = (
    Trip(name="OF2", threshold=62.0, clearing_s=0.16, over=True),
    Trip(name="OF1", threshold=61.2, clearing_s=300.0, over=True),
    Trip(name="UF1", threshold=58.5, clearing_s=300.0, over=False),
    Trip(name="UF2", threshold=56.5, clearing_s=0.16, over=False),
)
"""Table 18 (clause 6.5.1): default settings, Hz. For 60 Hz systems."""

VOLT_VAR: dict[str, Curve] = {
    "A": ((0.90, 0.25), (1.00, 0.0), (1.10, -0.25)),
    "B": ((0.92, 0.44), (0.98, 0.0), (1.02, 0.0), (1.08, -0.44)),
}
"""Table 8 (clause 5.3.3): defaults by normal operating performance category, reference voltage 1."""

VOLT_VAR_RESPONSE_S = {"A": 10.0, "B": 5.0}
"""Table 8: open-loop response time."""

WATT_VAR: dict[str, Curve] = {
    "A": ((-1.0, 0.44), (-0.5, 0.0), (0.5, 0.0), (1.0, -0.25)),
    "B": ((-1.0, 0.44), (-0.5, 0.0), (0.5, 0.0), (1.0, -0.44)),
}
"""Table 9 (clause 5.3.4): defaults; x is active power, negative while it is absorbed."""

VOLT_WATT: Curve = ((1.06, 1.0), (1.10, 0.2))
"""Table 10 (clause 5.4.2): default for a unit that only injects and whose least power is at most 0.2 of the rated."""

VOLT_WATT_STORAGE: Curve = ((1.06, 1.0), (1.10, 0.0))
"""Table 10: default for a unit that can absorb too."""

VOLT_WATT_RESPONSE_S = 10.0

REACTIVE_ABSORPTION_PU = {"A": 0.25, "B": 0.44}
REACTIVE_INJECTION_PU = {"A": 0.44, "B": 0.44}
"""Table 7 (clause 5.2): reactive power that a unit must be able to give, of rated apparent power."""


@dataclass(frozen=True, kw_only=True)
class Droop:
    """Frequency-watt, Tables 23 and 24 (clause 6.5.2.7): defaults."""

    f_nominal_hz: float = 60.0
    dead_band_hz: float = 0.036
    droop_frac: float = 0.05
    """Frequency change, of nominal, that asks for a change by the rated power."""
    response_s: float = 5.0

    def change_pu(self, f_hz: float) -> float:
        """Change of active power asked for at a frequency, per unit of rated power."""
        excess = f_hz - self.f_nominal_hz
        beyond = max(abs(excess) - self.dead_band_hz, 0.0)
        change = beyond / (self.f_nominal_hz * self.droop_frac)
        return -change if excess > 0.0 else change


def region_of(v_pu: float, *, category: str) -> Region:
    """The row of the ride-through table for a voltage. The edges of the continuous region belong to it, those of the
    others to the row that is nearer to it, as the tables have it."""
    for region in RIDE_THROUGH[category]:
        over = region.low_pu >= 1.10
        if (over and region.low_pu < v_pu <= region.high_pu) or (not over and region.low_pu <= v_pu):
            return region
    return RIDE_THROUGH[category][-1]


def on_curve(curve: Sequence[tuple[float, float]], x: float) -> float:
    """Value of a curve."""
    xs, ys = zip(*curve, strict=True)
    return float(np.interp(x, xs, ys))
