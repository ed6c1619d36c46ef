"""The bench file: how each device is reached, and which are real. TOML, every problem at once.

    [[sunspec]]
    devices = ["der.pv_48", "der.battery_7"]

    [[sunspec]]                      # a real inverter: the address puts it in the simulated one's place
    devices = ["der.pv_65"]
    address = "192.0.2.17:502"
    unit_id = 1

    [[dnp3]]
    name = "rtu-67"
    devices = ["switch.s_l67"]
    buses = ["67"]

Devices that are not named stay with the bench's gRPC controllers.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adms.client import InputError, Problem
from hil.overlay import Overlay
from hil.plant.reading import Table, raise_problems, tables_of

UNITS = (1, 247)
"""Unit ids of Modbus over TCP that mean one device."""
STATIONS = (0, 65519)
"""Addresses of DNP3 stations (IEEE 1815-2012 clause 9.2.4.1.3)."""
MASTER, FIRST_STATION = 1, 10
"""Of simulated RTUs, where the file does not say."""


@dataclass(frozen=True, kw_only=True)
class Polls:
    """How often the gateways ask. Part of the latency that is measured."""

    sunspec_poll_s: float = 0.5
    sunspec_frame_s: float = 0.1
    """Readings of so long leave in one telemetry frame."""
    sunspec_answer_s: float = 1.0
    """A device that does not answer in this time is silent."""
    dnp3_events_s: float = 1.0
    """Reports come unasked; this only makes sure."""
    dnp3_everything_s: float = 4.0
    dnp3_answer_s: float = 2.0


@dataclass(frozen=True, kw_only=True)
class RealInverter:
    """A device that stands on the bench, and how the plant learns what it delivers."""

    address: str
    """HOST:PORT of Modbus TCP."""
    unit_id: int
    read_period_s: float
    """The bench reads its active and reactive power so often, beside the gateway."""
    hold_s: float
    """What was read last is taken for so long; then it is taken to deliver nothing."""
    without_reversion: str
    """refuse or accept a device that does not count down to its default by itself."""


@dataclass(frozen=True, kw_only=True)
class SunSpecEntry:
    """[[sunspec]]: DER that are reached by Modbus."""

    devices: tuple[str, ...]
    real: RealInverter | None
    """None: the bench simulates them."""


@dataclass(frozen=True, kw_only=True)
class RtuEntry:
    """[[dnp3]]: line devices that are reached through one RTU."""

    name: str
    devices: tuple[str, ...]
    """Remote switches, tap changers and capacitors."""
    buses: tuple[str, ...]
    """Whose voltages it measures, besides what belongs to its devices."""
    outstation_address: int
    master_address: int
    address: str | None
    """HOST:PORT of a real one."""


@dataclass(frozen=True, kw_only=True)
class BenchFile:
    """The whole file, checked against a feeder."""

    sunspec: tuple[SunSpecEntry, ...]
    rtus: tuple[RtuEntry, ...]
    polls: Polls

    @property
    def ders(self) -> tuple[str, ...]:
        """DER that are not reached by gRPC."""
        return tuple(name for entry in self.sunspec for name in entry.devices)

    @property
    def line_devices(self) -> tuple[str, ...]:
        """Line devices that are not reached by gRPC."""
        return tuple(name for rtu in self.rtus for name in rtu.devices)

    @property
    def real(self) -> tuple[str, ...]:
        """What stands on the bench: DER and RTUs."""
        inverters = tuple(name for entry in self.sunspec if entry.real is not None for name in entry.devices)
        return inverters + tuple(rtu.name for rtu in self.rtus if rtu.address is not None)


def read_bench_file(path: Path, *, overlay: Overlay, real_time: bool) -> BenchFile:
    """Reads and checks a bench file against the feeder. Raises InputError with every problem found."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problem = Problem(element=str(path), field="", value="", message=f"cannot be read: {error}")
        raise InputError([problem]) from error
    return check_bench_file(content, overlay=overlay, real_time=real_time, name=path.name)


def check_bench_file(
    content: Mapping[str, Any], *, overlay: Overlay, real_time: bool, name: str = "bench file"
) -> BenchFile:
    """Checks what was read. Raises InputError with every problem found."""
    problems: list[Problem] = []
    file = Table(content, name=name, problems=problems)
    polls = _polls(file)
    sunspec = tuple(
        _sunspec(table, overlay=overlay)
        for table in tables_of(file.take("sunspec", default=()), name="[[sunspec]]", problems=problems)
    )
    tables = tables_of(file.take("dnp3", default=()), name="[[dnp3]]", problems=problems)
    rtus = tuple(_rtu(table, number=number, overlay=overlay) for number, table in enumerate(tables))
    file.end()
    bench = BenchFile(sunspec=sunspec, rtus=rtus, polls=polls)
    problems += _together(bench, name=name)
    if not real_time and (sunspec or rtus):
        devices = f"the real device {', '.join(bench.real)} and " if bench.real else ""
        message = (
            f"needs --real-time: {devices}the gateways live on wall time, and lockstep does not; leave the bench file "
            "out to run in lockstep, where every device is reached by gRPC"
        )
        problems.append(Problem(element=name, field="", value="", message=message))
    raise_problems(problems)
    return bench


def _polls(file: Table) -> Polls:
    table = file.table("polls")
    if table is None:
        return Polls()
    polls = Polls(**{key: table.positive(key, default=value) for key, value in vars(Polls()).items()})
    table.end()
    return polls


def _sunspec(table: Table, *, overlay: Overlay) -> SunSpecEntry:
    devices = _names(table, "devices")
    known = {der.id for der in overlay.ders}
    for device in devices:
        if device not in known:
            table.wrong("devices", device, f"the feeder has no DER of this name; it has {_some(sorted(known))}")
    real = None
    if "address" in table:
        real = RealInverter(
            address=_address(table),
            unit_id=table.whole("unit_id", low=UNITS[0], high=UNITS[1]),
            read_period_s=table.positive("read_period_s", default=1.0),
            hold_s=table.positive("hold_s", default=5.0),
            without_reversion=table.text("without_reversion", among=("refuse", "accept"), default="refuse"),
        )
        if len(devices) > 1:
            table.wrong("devices", list(devices), "an address stands for one device: give each its own [[sunspec]]")
        if real.hold_s < real.read_period_s:
            table.wrong("hold_s", real.hold_s, f"is less than read_period_s, {real.read_period_s:g}")
    table.end()
    return SunSpecEntry(devices=devices, real=real)


def _rtu(table: Table, *, number: int, overlay: Overlay) -> RtuEntry:
    name = table.text("name")
    devices = _names(table, "devices")
    remote = {switch.id: switch.remote for switch in overlay.switches}
    remote |= {entry.id: entry.remote for entry in overlay.tap_changers}
    remote |= {entry.id: entry.remote for entry in overlay.capacitors}
    for device in devices:
        if device not in remote:
            able = sorted(one for one, is_remote in remote.items() if is_remote)
            table.wrong("devices", device, f"the feeder has no line device of this name; it has {_some(able)}")
        elif not remote[device]:
            table.wrong("devices", device, "is worked by hand: it is not remote in the overlay")
    real = "address" in table
    entry = RtuEntry(
        name=name,
        devices=devices,
        buses=tuple(bus.lower() for bus in table.texts("buses", default=())),
        outstation_address=_station(table, "outstation_address", default=None if real else FIRST_STATION + number),
        master_address=_station(table, "master_address", default=None if real else MASTER),
        address=_address(table) if real else None,
    )
    if entry.outstation_address == entry.master_address:
        table.wrong("outstation_address", entry.outstation_address, "is the master's address, too")
    table.end()
    return entry


def _station(table: Table, key: str, *, default: int | None) -> int:
    low, high = STATIONS
    if default is None:
        return table.whole(key, low=low, high=high)
    return table.whole(key, low=low, high=high, default=default)


def _names(table: Table, key: str) -> tuple[str, ...]:
    names = tuple(name.lower() for name in table.texts(key))
    if not names and key in table:
        table.wrong(key, "[]", "names no device")
    return names


def _address(table: Table) -> str:
    address = table.text("address")
    host, _, port = address.rpartition(":")
    if address and not (host and port.isdecimal() and 0 < int(port) <= 65535):
        table.wrong("address", address, "must be HOST:PORT")
    return address


def _together(bench: BenchFile, *, name: str) -> Iterator[Problem]:
    """What single tables do not show."""
    found: Sequence[tuple[str, Sequence[object]]] = (
        ("devices", (*bench.ders, *bench.line_devices)),
        ("name", [rtu.name for rtu in bench.rtus]),
        ("buses", [bus for rtu in bench.rtus for bus in rtu.buses]),
        ("unit_id", [f"{e.real.address} unit {e.real.unit_id}" for e in bench.sunspec if e.real is not None]),
        ("outstation_address", [f"{r.address} station {r.outstation_address}" for r in bench.rtus if r.address]),
    )
    for field, values in found:
        for value, count in Counter(values).items():
            if count > 1 and value:
                yield Problem(element=name, field=field, value=str(value), message=f"is listed {count} times")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
