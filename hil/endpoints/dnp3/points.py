"""What an outstation has: its points, its controls, and the field behind them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import IntFlag, StrEnum
from typing import Protocol

from dnp3.core.enums import CommandStatus

from adms.client import InputError, Point, Problem, Setpoint

ADDRESS_MAX = 65519
"""Addresses above are reserved (IEEE 1815-2012 clause 9.2.4.1.3)."""
INDEX_MAX = 65535
CLASSES = (0, 1, 2, 3)
"""Event classes; 0 is none, so that only an integrity poll tells the point."""


class Flag(IntFlag):
    """Quality of a point, the flag octet of IEEE 1815-2012 clause 11.6."""

    ONLINE = 0x01
    RESTART = 0x02
    """Not updated since the device started."""
    COMM_LOST = 0x04
    """The value is the last one before contact with its source was lost."""
    REMOTE_FORCED = 0x08
    LOCAL_FORCED = 0x10
    """Set by hand at the device."""
    OVER_RANGE = 0x20
    """An analog beyond what can be measured or coded; of a binary: it chatters."""
    REFERENCE_ERR = 0x40
    """An analog whose reference is off."""


class Encoding(StrEnum):
    """How an analog stands on the wire."""

    FLOAT32 = "float32"
    INT32 = "int32"
    INT16 = "int16"


class Control(StrEnum):
    """What operates a switch (control code of IEEE 1815-2012 clause A.8.1)."""

    TRIP_CLOSE = "trip_close"
    """Pulse on with TRIP opens, pulse on with CLOSE closes."""
    LATCH = "latch"
    """Latch off opens, latch on closes."""


class Quantity(StrEnum):
    """What an analog output sets."""

    TAP = "tap"
    """Steps from neutral, signed."""
    STEPS = "steps"
    """Capacitor steps in."""
    P_INJECTION_W = "p_injection_w"
    Q_INJECTION_VAR = "q_injection_var"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the field shows of one point."""

    value: float | None
    """SI; 0 or 1 of a binary. None where there is none: the outstation keeps the last one with COMM_LOST."""
    flags: Flag = Flag.ONLINE
    time_s: float | None = None
    """When it was measured, feeder seconds; None is now."""


@dataclass(frozen=True, kw_only=True)
class BinaryInput:
    """One binary input."""

    index: int
    point: Point
    event_class: int = 1


@dataclass(frozen=True, kw_only=True)
class AnalogInput:
    """One analog input."""

    index: int
    point: Point
    dead_band: float
    """A change by more than this since the last event is one; SI."""
    event_class: int = 2
    scale: float = 1.0
    """SI per unit on the wire."""
    encoding: Encoding = Encoding.FLOAT32


@dataclass(frozen=True, kw_only=True)
class BinaryOutput:
    """One switch that can be operated."""

    index: int
    device_id: str
    point: Point
    """Whose reading is the output's status."""
    control: Control = Control.TRIP_CLOSE
    event_class: int = 0


@dataclass(frozen=True, kw_only=True)
class AnalogOutput:
    """One setpoint."""

    index: int
    device_id: str
    quantity: Quantity
    point: Point
    """Whose reading is the output's status."""
    scale: float = 1.0
    encoding: Encoding = Encoding.INT16
    event_class: int = 0


AnyPoint = BinaryInput | AnalogInput | BinaryOutput | AnalogOutput


@dataclass(frozen=True, kw_only=True)
class Rtu:
    """One outstation. Raises InputError with everything that is wrong."""

    name: str
    outstation_address: int
    master_address: int
    binary_inputs: tuple[BinaryInput, ...] = ()
    analog_inputs: tuple[AnalogInput, ...] = ()
    binary_outputs: tuple[BinaryOutput, ...] = ()
    analog_outputs: tuple[AnalogOutput, ...] = ()
    select_timeout_s: float
    """An OPERATE later than this after its SELECT is answered TIMEOUT."""
    direct_operate: bool
    """False refuses operation without a selection."""
    unsolicited: bool
    """True reports events unasked once the master has enabled it."""
    controls_max: int = 4
    """Objects that one control request may carry; those beyond are answered TOO_MANY_OBJS."""
    events_max: int = 200
    """Events kept per class; the oldest is lost first, and the loss is shown."""
    confirm_timeout_s: float = 5.0
    """After so long without a confirmation an unsolicited response is sent again."""
    fragment_max: int = 2048
    """Octets of an application fragment."""
    need_time: bool = True
    """Asks the master for the time until it has been told."""

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise InputError(problems)

    @property
    def points(self) -> tuple[AnyPoint, ...]:
        """Every point, in the order of an integrity poll."""
        return (*self.binary_inputs, *self.binary_outputs, *self.analog_inputs, *self.analog_outputs)


class Field(Protocol):
    """The plant as one RTU sees it. Called in the thread of the outstation; must not wait."""

    def read(self, points: Collection[Point], *, now_s: float) -> Mapping[Point, Reading]:
        """What the points show now; one that is left out is not known."""
        ...

    def check(self, device_id: str, setpoint: Setpoint, *, now_s: float) -> CommandStatus:
        """Whether the device could do this now (a SELECT): nothing is moved."""
        ...

    def operate(self, device_id: str, setpoint: Setpoint, *, now_s: float) -> CommandStatus:
        """Does it (an OPERATE), or says why not. Of a PowerSetpoint the part that is None stays as it is."""
        ...


def _problems(rtu: Rtu) -> Iterator[Problem]:
    def wrong(field: str, value: object, message: str, *, element: str = "") -> Problem:
        return Problem(element=element or rtu.name or "rtu", field=field, value=str(value), message=message)

    if not rtu.name:
        yield wrong("name", "", "must not be empty")
    for field in ("outstation_address", "master_address"):
        if not 0 <= getattr(rtu, field) <= ADDRESS_MAX:
            yield wrong(field, getattr(rtu, field), f"must be 0 to {ADDRESS_MAX}")
    if rtu.outstation_address == rtu.master_address:
        yield wrong("outstation_address", rtu.outstation_address, "is the master's address, too")
    for field in ("select_timeout_s", "confirm_timeout_s"):
        if not 0.0 < getattr(rtu, field) < float("inf"):
            yield wrong(field, getattr(rtu, field), "must be above 0")
    for field, least in (("controls_max", 1), ("events_max", 1), ("fragment_max", 249)):
        if getattr(rtu, field) < least:
            yield wrong(field, getattr(rtu, field), f"must be at least {least}")
    for kind in ("binary_inputs", "analog_inputs", "binary_outputs", "analog_outputs"):
        seen: set[int] = set()
        for point in getattr(rtu, kind):
            where = f"{rtu.name}.{kind}[{point.index}]"
            if not 0 <= point.index <= INDEX_MAX:
                yield wrong("index", point.index, f"must be 0 to {INDEX_MAX}", element=where)
            if point.index in seen:
                yield wrong("index", point.index, "is given twice", element=where)
            seen.add(point.index)
            if point.event_class not in CLASSES:
                yield wrong("event_class", point.event_class, "must be 0, 1, 2 or 3", element=where)
            if getattr(point, "scale", 1.0) == 0.0:
                yield wrong("scale", 0.0, "must not be 0", element=where)
            if not getattr(point, "dead_band", 0.0) >= 0.0:
                yield wrong("dead_band", point.dead_band, "must be at least 0", element=where)
