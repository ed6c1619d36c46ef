"""The DNP3 path, outstation and gateway together over loopback TCP; the service is a list of frames and outcomes."""

import asyncio
from pathlib import Path

from dnp3.core.enums import CommandStatus

from adms.client import CapacitorSetpoint, OutcomeCode, Quality, SwitchSetpoint, TapSetpoint
from hil.endpoints.dnp3.points import Flag
from tests.unit.hil.dnp3_case import (
    BANK,
    CLOSED,
    NORMAL,
    POSITION,
    REMOTE,
    STEPS,
    SWITCH,
    TAP,
    V,
    both_ends,
)


async def test_everything_is_read_when_the_rtu_is_first_called(tmp_path: Path) -> None:
    async with both_ends(tmp_path) as (station, _, service):
        told = {point: service.newest(point) for point in service.points}
        assert {point: t.quality for point, t in told.items() if t} == dict.fromkeys(NORMAL, Quality.GOOD)
        # float32 holds 24 bits: 2401.8 is told within 2401.8 * 2**-24.
        assert all(abs(t.value - NORMAL[point]) <= abs(NORMAL[point]) * 2**-24 for point, t in told.items() if t)
        assert station.connected


async def test_a_trip_is_told_by_itself_with_its_own_time(tmp_path: Path) -> None:
    async with both_ends(tmp_path) as (station, field, service):
        field.show(CLOSED, 0.0, time_s=-3.0)
        station.scan()
        await service.until(lambda: service.shows(CLOSED, 0.0))
        told = service.newest(CLOSED)
        assert told is not None
        assert (station._start - told.time).total_seconds() == 3.0
