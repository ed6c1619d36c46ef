"""RTUs from what a bench has (points and devices), and the point map with which `adms gateway dnp3` finds them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adms.client import DeviceClass, Point, PointKind
from hil.endpoints.dnp3.points import (
    AnalogInput,
    AnalogOutput,
    BinaryInput,
    BinaryOutput,
    Encoding,
    Quantity,
    Rtu,
)

BINARY_KINDS = frozenset({PointKind.SWITCH_CLOSED, PointKind.FAULT_INDICATOR, PointKind.LOCKOUT, PointKind.REMOTE})
URGENT_CLASS, MEASURED_CLASS, POSITION_CLASS = 1, 3, 2
"""Event classes: binaries; measured values; tap and capacitor positions."""
_POSITION = {
    DeviceClass.TAP_CHANGER: (PointKind.TAP_POSITION, Quantity.TAP),
    DeviceClass.CAPACITOR: (PointKind.CAPACITOR_STEPS, Quantity.STEPS),
}


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How the RTUs of a bench behave; see `Rtu` for what each means."""

    select_timeout_s: float
    direct_operate: bool
    unsolicited: bool
    dead_band_sigmas: float
    """Dead band of a measured value in standard deviations of its meter."""


@dataclass(frozen=True, kw_only=True)
class Polling:
    """How the gateway asks. All in seconds."""

    response_timeout_s: float = 2.0
    integrity_poll_s: float = 4.0
    event_poll_s: float = 1.0
    reconnect_first_s: float = 0.1
    reconnect_longest_s: float = 2.0
    event_time_ahead_max_s: float = 0.5
    clock_offset_s: float = 0.0
    """Feeder time less the gateway's machine's UTC."""


def rtu_of(
    name: str,
    *,
    points: Sequence[Point],
    devices: Mapping[str, DeviceClass],
    outstation_address: int,
    master_address: int,
    manners: Manners,
) -> Rtu:
    """An RTU with the points and devices in the order given: binaries and analogs are each numbered from 0. A DER has
    no place in one; it speaks SunSpec or gRPC. Raises InputError."""
    binary = [point for point in points if point.kind in BINARY_KINDS]
    analog = [point for point in points if point.kind not in BINARY_KINDS]
    switches = [one for one, kind in devices.items() if kind is DeviceClass.SWITCH]
    setpoints = [(one, *_POSITION[kind]) for one, kind in devices.items() if kind in _POSITION]
    return Rtu(
        name=name,
        outstation_address=outstation_address,
        master_address=master_address,
        binary_inputs=tuple(
            BinaryInput(index=index, point=point, event_class=URGENT_CLASS) for index, point in enumerate(binary)
        ),
        analog_inputs=tuple(
            _analog(point, index=index, dead_band_sigmas=manners.dead_band_sigmas) for index, point in enumerate(analog)
        ),
        binary_outputs=tuple(
            BinaryOutput(index=index, device_id=one, point=Point(kind=PointKind.SWITCH_CLOSED, element=one))
            for index, one in enumerate(switches)
        ),
        analog_outputs=tuple(
            AnalogOutput(index=index, device_id=one, quantity=quantity, point=Point(kind=kind, element=one))
            for index, (one, kind, quantity) in enumerate(setpoints)
        ),
        select_timeout_s=manners.select_timeout_s,
        direct_operate=manners.direct_operate,
        unsolicited=manners.unsolicited,
    )


def _analog(point: Point, *, index: int, dead_band_sigmas: float) -> AnalogInput:
    if point.sigma is None:
        return AnalogInput(
            index=index, point=point, dead_band=0.0, event_class=POSITION_CLASS, encoding=_encoding(point)
        )
    return AnalogInput(index=index, point=point, dead_band=dead_band_sigmas * point.sigma, event_class=MEASURED_CLASS)


def _encoding(point: Point) -> Encoding:
    whole = point.kind in (PointKind.TAP_POSITION, PointKind.CAPACITOR_STEPS)
    return Encoding.INT16 if whole else Encoding.FLOAT32


def gateway_toml(
    rtus: Mapping[str, Rtu],
    *,
    endpoint: str,
    source_id: str,
    controller_id: str,
    state_file: str,
    polling: Polling,
) -> str:
    """The gateway's configuration for RTUs by their address (HOST:PORT). A real RTU is put in by its own address."""
    lines = [
        "[gateway]",
        f"endpoint = {_text(endpoint)}",
        f"source_id = {_text(source_id)}",
        f"controller_id = {_text(controller_id)}",
        f"state_file = {_text(state_file)}",
        *(f"{name} = {value!r}" for name, value in vars(polling).items()),
    ]
    for address, rtu in rtus.items():
        lines += ["", "[[rtu]]", f"name = {_text(rtu.name)}", f"address = {_text(address)}"]
        lines += [f"{name} = {getattr(rtu, name)}" for name in ("outstation_address", "master_address")]
        lines += [f"unsolicited = {_flag(rtu.unsolicited)}", "time_sync = true", "points = ["]
        lines += [f"  {_point(each.point, 'binary_input', each.index)}," for each in rtu.binary_inputs]
        lines += [f"  {_point(each.point, 'analog_input', each.index, each.scale)}," for each in rtu.analog_inputs]
        lines += ["]", "devices = ["]
        lines += [
            f'  {{ id = {_text(each.device_id)}, device_class = "switch", object = "binary_output", '
            f"index = {each.index}, control = {_text(each.control.value)} }},"
            for each in rtu.binary_outputs
        ]
        classes = {Quantity.TAP: DeviceClass.TAP_CHANGER, Quantity.STEPS: DeviceClass.CAPACITOR}
        lines += [
            f"  {{ id = {_text(each.device_id)}, device_class = {_text(classes[each.quantity].value)}, "
            f'object = "analog_output", index = {each.index}, scale = {each.scale!r}, '
            f"encoding = {_text(each.encoding.value)} }},"
            for each in rtu.analog_outputs
            if each.quantity in classes
        ]
        lines.append("]")
    return "\n".join(lines) + "\n"


def _point(point: Point, kind: str, index: int, scale: float | None = None) -> str:
    fields = [
        f"kind = {_text(point.kind.value)}",
        f"element = {_text(point.element)}",
        f"side = {point.side}",
        f"phase = {point.phase}",
        f"object = {_text(kind)}",
        f"index = {index}",
    ]
    if point.sigma is not None:
        fields.append(f"sigma = {point.sigma!r}")
    if scale is not None:
        fields.append(f"scale = {scale!r}")
    return "{ " + ", ".join(fields) + " }"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _text(text: str) -> str:
    """A basic string of TOML, which is written as one of JSON."""
    return json.dumps(text)
