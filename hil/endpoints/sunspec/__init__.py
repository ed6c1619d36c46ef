"""Simulated SunSpec Modbus TCP inverters and batteries: models 1, 701 to 715, with reversion timers that run on the
bench's time.

A unit of the plant implements `Physics`; `SunSpecDevice` puts registers in front of it; `SunSpecServer` serves any
number of them on one address by unit id.
"""

from hil.endpoints.sunspec.device import SunSpecDevice
from hil.endpoints.sunspec.faults import Cut, Fault, Garbled, Ignores, Raises, Silent, Slow
from hil.endpoints.sunspec.physics import (
    ActiveCurve,
    Droop,
    Measured,
    Nameplate,
    OperatingState,
    Physics,
    PowerFactor,
    Wanted,
)
from hil.endpoints.sunspec.server import SunSpecServer
from hil.endpoints.sunspec.unit import LedUnit, UnitPhysics, nameplate_of

__all__ = [
    "ActiveCurve",
    "Cut",
    "Droop",
    "Fault",
    "Garbled",
    "Ignores",
    "LedUnit",
    "Measured",
    "Nameplate",
    "OperatingState",
    "Physics",
    "PowerFactor",
    "Raises",
    "Silent",
    "Slow",
    "SunSpecDevice",
    "SunSpecServer",
    "UnitPhysics",
    "Wanted",
    "nameplate_of",
]
