"""The gateway's configuration: TOML, the unit in every key, nothing that protects has a default.

`reference.toml` beside this module holds a complete one.
"""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from adms.client import DeviceClass, InputError, Point, PointKind, Problem

REFERENCE = Path(__file__).with_name("reference.toml")
NOTHING_ELSE = ConfigDict(extra="forbid", strict=True)
Text = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Address = Annotated[int, Field(ge=0, le=65519)]
"""Those above are reserved (IEEE 1815-2012 clause 9.2.4.1.3)."""
Index = Annotated[int, Field(ge=0, le=65535)]
PHASES = (0, 1, 2, 3, 12, 23, 31)


class Object(StrEnum):
    """Kinds of points of an outstation."""

    BINARY_INPUT = "binary_input"
    DOUBLE_BIT_INPUT = "double_bit_input"
    ANALOG_INPUT = "analog_input"
    BINARY_OUTPUT = "binary_output"
    ANALOG_OUTPUT = "analog_output"


BINARY = (Object.BINARY_INPUT, Object.DOUBLE_BIT_INPUT, Object.BINARY_OUTPUT)
ANALOG = (Object.ANALOG_INPUT, Object.ANALOG_OUTPUT)


class Control(StrEnum):
    """Control codes that operate a switch (IEEE 1815-2012 clause A.8.1)."""

    TRIP_CLOSE = "trip_close"
    LATCH = "latch"


class Encoding(StrEnum):
    """How a setpoint stands on the wire (IEEE 1815-2012 clause A.20)."""

    INT32 = "int32"
    INT16 = "int16"
    FLOAT32 = "float32"


@dataclass(frozen=True, kw_only=True)
class GatewayTable:
    """[gateway]: the service, and the manners towards every RTU."""

    __pydantic_config__: ClassVar[ConfigDict] = NOTHING_ELSE

    endpoint: Text
    """HOST:PORT of the service."""
    source_id: Text
    controller_id: Text
    state_file: Text
    """Remembers the highest epoch of the service that was obeyed; relative to this file, made where missing."""
    response_timeout_s: Seconds
    """An RTU that is silent for so long after a request is taken for lost."""
    integrity_poll_s: Seconds
    """Everything is read so often: below the service's maximum age of telemetry, or what does not change is stale."""
    event_poll_s: Seconds
    """Changes are read so often; from an RTU with `unsolicited` they come by themselves and this only makes sure."""
    reconnect_first_s: Seconds
    """Wait before a lost RTU is called again; doubled with each failure."""
    reconnect_longest_s: Seconds
    event_time_ahead_max_s: Seconds
    """An event dated further ahead than this is taken for read just now: the RTU's clock is wrong."""
    clock_offset_s: Number = 0.0
    """The service's time less this machine's UTC: other than 0 only where a bench grants the service its time."""


@dataclass(frozen=True, kw_only=True)
class PointTable:
    """One point of the service and where it stands in the RTU."""

    __pydantic_config__: ClassVar[ConfigDict] = NOTHING_ELSE

    kind: PointKind
    element: Text
    side: Annotated[int, Field(ge=0, le=1)] = 0
    phase: int = 0
    sigma: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    """Standard deviation of the meter in the unit of the kind; none for positions and flags."""
    object: Object
    index: Index
    scale: Number | None = None
    """Unit of the kind per unit on the wire; of an analog, where it must be given."""
    offset: Number = 0.0
    """Added after scaling."""
    invert: bool = False
    """Of a binary: 0 on the wire means 1."""

    @property
    def point(self) -> Point:
        """As the service knows it."""
        return Point(kind=self.kind, element=self.element, side=self.side, phase=self.phase, sigma=self.sigma)

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.kind.value} of {self.element}" + (f" phase {self.phase}" if self.phase else "")


@dataclass(frozen=True, kw_only=True)
class DeviceTable:
    """One device of the service and what operates it."""

    __pydantic_config__: ClassVar[ConfigDict] = NOTHING_ELSE

    id: Text
    device_class: DeviceClass
    object: Object
    index: Index
    control: Control | None = None
    """Of a binary output."""
    pulse_on_ms: Annotated[int, Field(ge=0, le=2**32 - 1)] = 100
    """On-time of a trip or close pulse; most RTUs have their own and ignore it."""
    scale: Number | None = None
    """Steps per unit on the wire; of an analog output."""
    encoding: Encoding | None = None
    """Of an analog output."""


@dataclass(frozen=True, kw_only=True)
class RtuTable:
    """[[rtu]]: one outstation."""

    __pydantic_config__: ClassVar[ConfigDict] = NOTHING_ELSE

    name: Text
    address: Text
    """HOST:PORT."""
    outstation_address: Address
    master_address: Address
    unsolicited: bool
    """True asks the RTU to report changes by itself."""
    time_sync: bool
    """True sets the RTU's clock where it asks for that (LAN procedure, IEEE 1815-2012 clause 10.3.3.2)."""
    points: tuple[PointTable, ...] = ()
    devices: tuple[DeviceTable, ...] = ()

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Of the address."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The whole file."""

    __pydantic_config__: ClassVar[ConfigDict] = NOTHING_ELSE

    gateway: GatewayTable
    rtu: tuple[RtuTable, ...]


_FORM = TypeAdapter(Configuration)


def read_configuration(path: Path) -> Configuration:
    """Read and check a configuration. Raises InputError with every problem; of a file whose form is wrong, those of the
    form."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError([_problem(str(path), "", "", f"cannot be read: {error}")]) from error
    try:
        # As JSON, so that words become enumerations while numbers in quotes stay refused.
        configuration = _FORM.validate_json(json.dumps(found, default=str), strict=True)
    except ValidationError as error:
        raise InputError(_form_problem(each["loc"], each["input"], each["msg"]) for each in error.errors()) from error
    problems = list(_problems(configuration))
    if problems:
        raise InputError(problems)
    return configuration


def _form_problem(where: tuple[int | str, ...], given: object, message: str) -> Problem:
    *path, field = where or ("file",)
    element = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path).lstrip(".")
    value = "" if isinstance(given, dict | list) else str(given)
    return _problem(element or "file", str(field), value, message[:1].lower() + message[1:])


def _problem(element: str, field: str, value: object, message: str) -> Problem:
    return Problem(element=element, field=field, value=str(value), message=message)


def _problems(configuration: Configuration) -> Iterator[Problem]:
    gateway = configuration.gateway
    if not configuration.rtu:
        yield _problem("file", "rtu", "", "there must be at least one")
    if not _is_address(gateway.endpoint):
        yield _problem("gateway", "endpoint", gateway.endpoint, "must be HOST:PORT")
    for field, other in (("event_poll_s", "integrity_poll_s"), ("reconnect_first_s", "reconnect_longest_s")):
        if getattr(gateway, field) > getattr(gateway, other):
            yield _problem("gateway", field, getattr(gateway, field), f"must be at most {other}")
    names: set[str] = set()
    addresses: set[tuple[str, int]] = set()
    points: dict[Point, str] = {}
    devices: dict[str, str] = {}
    for rtu in configuration.rtu:
        where = f"rtu {rtu.name}"
        if rtu.name in names:
            yield _problem(where, "name", rtu.name, "is given twice")
        names.add(rtu.name)
        if not _is_address(rtu.address):
            yield _problem(where, "address", rtu.address, "must be HOST:PORT")
        if (rtu.address, rtu.outstation_address) in addresses:
            yield _problem(where, "outstation_address", rtu.outstation_address, f"another RTU has it at {rtu.address}")
        addresses.add((rtu.address, rtu.outstation_address))
        if rtu.outstation_address == rtu.master_address:
            yield _problem(where, "outstation_address", rtu.outstation_address, "is the master's address, too")
        for number, table in enumerate(rtu.points):
            at = f"{where}.points[{number}]"
            key = Point(kind=table.kind, element=table.element, side=table.side, phase=table.phase)
            if key in points:
                yield _problem(at, "element", table.element, f"{table.name} is given by {points[key]} already")
            points.setdefault(key, at)
            yield from _point_problems(table, at)
        for number, device in enumerate(rtu.devices):
            at = f"{where}.devices[{number}]"
            if device.id in devices:
                yield _problem(at, "id", device.id, f"is given by {devices[device.id]} already")
            devices.setdefault(device.id, at)
            yield from _device_problems(device, at)


def _point_problems(table: PointTable, at: str) -> Iterator[Problem]:
    if table.phase not in PHASES:
        yield _problem(at, "phase", table.phase, f"must be one of {', '.join(map(str, PHASES))}")
    if table.object in ANALOG:
        if table.scale is None:
            yield _problem(at, "scale", "", "must be given for an analog")
        elif table.scale == 0.0:
            yield _problem(at, "scale", table.scale, "must not be 0")
        if table.invert:
            yield _problem(at, "invert", "true", "has no meaning for an analog")
    else:
        if table.scale is not None:
            yield _problem(at, "scale", table.scale, "has no meaning for a binary")
        if table.offset:
            yield _problem(at, "offset", table.offset, "has no meaning for a binary")


def _device_problems(device: DeviceTable, at: str) -> Iterator[Problem]:
    allowed = {
        DeviceClass.SWITCH: (Object.BINARY_OUTPUT,),
        DeviceClass.TAP_CHANGER: (Object.ANALOG_OUTPUT,),
        DeviceClass.CAPACITOR: (Object.BINARY_OUTPUT, Object.ANALOG_OUTPUT),
    }.get(device.device_class)
    if allowed is None:
        yield _problem(at, "device_class", device.device_class, "is not operated over DNP3 here")
    elif device.object not in allowed:
        message = f"a {device.device_class} is operated by {' or '.join(allowed)}"
        yield _problem(at, "object", device.object, message)
    analog = device.object in ANALOG
    for field, wanted in (("control", not analog), ("scale", analog), ("encoding", analog)):
        given = getattr(device, field) is not None
        if given != wanted:
            message = f"must be given for {device.object}" if wanted else f"has no meaning for {device.object}"
            yield _problem(at, field, getattr(device, field) if given else "", message)
    if device.scale == 0.0:
        yield _problem(at, "scale", device.scale, "must not be 0")


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) <= 65535
