"""A field behind an RTU that shows what it was last given: for a bench that steps its plant and then tells its RTUs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from dnp3.core.enums import CommandStatus

from adms.client import OutcomeCode, Point, Quality, Setpoint
from hil.endpoints.dnp3.controls import STATUS_OF
from hil.endpoints.dnp3.points import Flag, Reading

Act = Callable[[str, Setpoint], OutcomeCode]
"""Device and setpoint to outcome."""
_FLAGS = {
    Quality.GOOD: Flag.ONLINE,
    Quality.SUSPECT: Flag.ONLINE | Flag.LOCAL_FORCED,
    Quality.STALE: Flag.ONLINE | Flag.COMM_LOST,
    Quality.INVALID: Flag(0),
}


def reading_of(value: float, *, quality: Quality = Quality.GOOD, time_s: float | None = None) -> Reading:
    """What a meter shows, with the flags that a gateway takes for this quality again. `time_s`: feeder seconds of the
    measurement, None for now."""
    if quality is Quality.MISSING:
        return Reading(value=None)
    return Reading(value=value, flags=_FLAGS[quality], time_s=time_s)


class ScannedField:
    """Readings as last shown; a point that was never shown is not known.

    Args:
        check: whether a device could do it now; moves nothing.
        operate: does it, or says why not.
    """

    def __init__(self, *, check: Act, operate: Act) -> None:
        self._check = check
        self._operate = operate
        self._readings: dict[Point, Reading] = {}

    def show(self, readings: Mapping[Point, Reading]) -> None:
        """From the next scan on; points that are left out stay as they were."""
        self._readings.update(readings)

    def read(self, points: Collection[Point], *, now_s: float) -> Mapping[Point, Reading]:
        """What was shown."""
        return {point: self._readings[point] for point in points if point in self._readings}

    def check(self, device_id: str, setpoint: Setpoint, *, now_s: float) -> CommandStatus:
        """For a SELECT."""
        return STATUS_OF[self._check(device_id, setpoint)]

    def operate(self, device_id: str, setpoint: Setpoint, *, now_s: float) -> CommandStatus:
        """For an OPERATE."""
        return STATUS_OF[self._operate(device_id, setpoint)]
