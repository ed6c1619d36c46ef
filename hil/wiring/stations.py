"""An RTU of the plant as a DNP3 outstation, in another process than the plant: it shows what it was last told, and
keeps what it was told to do until the plant asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adms.client import (
    CapacitorSetpoint,
    DeviceClass,
    OutcomeCode,
    Point,
    PointKind,
    Quality,
    Setpoint,
    SwitchSetpoint,
    TapSetpoint,
)
from hil.endpoints.dnp3.layout import Manners, rtu_of
from hil.endpoints.dnp3.outstation import Outstation
from hil.endpoints.dnp3.points import Rtu
from hil.endpoints.dnp3.scanned import ScannedField, reading_of

MANNERS = Manners(select_timeout_s=5.0, direct_operate=False, unsolicited=True, dead_band_sigmas=1.0)


@dataclass(frozen=True, kw_only=True)
class Operated:
    """A device was told to move."""

    device_id: str
    kind: DeviceClass
    position: int
    """1 closed, 0 open; tap; capacitor steps."""
    time_s: float


def rtu_from(message: Mapping[str, Any]) -> Rtu:
    """The outstation of an RTU as `hil.wiring.told.rtu_setup` describes it."""
    return rtu_of(
        message["name"],
        points=points_from(message),
        devices={each["device_id"]: DeviceClass(each["kind"]) for each in message["devices"]},
        outstation_address=message["outstation_address"],
        master_address=message["master_address"],
        manners=MANNERS,
    )


def points_from(message: Mapping[str, Any]) -> tuple[Point, ...]:
    """Points of a message."""
    return tuple(Point(**{**point, "kind": PointKind(point["kind"])}) for point in message["points"])


class SimulatedRtu:
    """One RTU. `now_s` is the feeder's clock."""

    def __init__(self, message: Mapping[str, Any], *, now_s: Callable[[], float]) -> None:
        self.name = str(message["name"])
        self._now_s = now_s
        self._lapse_s = float(message["supervision_lapse_s"])
        self._points = points_from(message)
        self.devices = {
            each["device_id"]: (DeviceClass(each["kind"]), int(each["low"]), int(each["high"]))
            for each in message["devices"]
        }
        self._field = ScannedField(check=self._check, operate=self._operate)
        self.outstation = Outstation(rtu_from(message), field=self._field, now_s=now_s)
        self._operated: list[Operated] = []
        self._supervised = False
        self._contact_s = now_s()

    def show(
        self, *, measure_time_s: float, index: Sequence[int], value: Sequence[float], quality: Sequence[int] = ()
    ) -> None:
        """What its meters show; what they dropped stays as it was."""
        flags = [Quality(each) for each in quality] or [Quality.GOOD] * len(index)
        self._field.show(
            {
                self._points[place]: reading_of(shown, quality=flag, time_s=measure_time_s)
                for place, shown, flag in zip(index, value, flags, strict=True)
            }
        )

    def scan(self) -> None:
        """Tells its master what has changed."""
        self.outstation.scan()

    def operated(self) -> list[Operated]:
        """What it was told to do since it was asked."""
        done, self._operated = self._operated, []
        return done

    def supervised(self) -> bool:
        """Whether somebody minds voltage through it: from the first tap or capacitor command until its master was away
        for too long (VV11)."""
        now_s = self._now_s()
        if self.outstation.connected:
            self._contact_s = now_s
        elif now_s - self._contact_s > self._lapse_s:
            self._supervised = False
        return self._supervised

    def _check(self, device_id: str, setpoint: Setpoint) -> OutcomeCode:
        kind, low, high = self.devices[device_id]
        wanted = _position(setpoint)
        if wanted is None or wanted[0] is not kind:
            return OutcomeCode.NOT_SUPPORTED
        return OutcomeCode.SUCCESS if low <= wanted[1] <= high else OutcomeCode.OUT_OF_RANGE

    def _operate(self, device_id: str, setpoint: Setpoint) -> OutcomeCode:
        code, wanted = self._check(device_id, setpoint), _position(setpoint)
        if code is OutcomeCode.SUCCESS and wanted is not None:
            kind, position = wanted
            self._operated.append(
                Operated(device_id=device_id, kind=kind, position=position, time_s=self._now_s()),
            )
            self._supervised = self._supervised or kind is not DeviceClass.SWITCH
        return code


def _position(setpoint: Setpoint) -> tuple[DeviceClass, int] | None:
    match setpoint:
        case SwitchSetpoint(closed=closed):
            return DeviceClass.SWITCH, int(closed)
        case TapSetpoint(position=position):
            return DeviceClass.TAP_CHANGER, position
        case CapacitorSetpoint(steps=steps):
            return DeviceClass.CAPACITOR, steps
        case _:
            return None
