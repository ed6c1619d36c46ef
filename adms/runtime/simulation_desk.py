"""Grants time, in simulation only (`adms.ports.inward.SimulationClock`)."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from adms.core.errors import InputError, Problem
from adms.ports.outward import CommandSink
from adms.ports.records import Advanced, Expected, NotArrived
from adms.runtime.clock import VirtualClock
from adms.runtime.devices import DeviceRegister
from adms.runtime.feed import Signal
from adms.runtime.image import TelemetryImage

GRANT_MAX = timedelta(days=1)
FIRST_MAX = datetime(2200, 1, 1, tzinfo=UTC)
"""Latest time that a first grant may name: what runs for years after it still has dates."""


class TimeGrant:
    """One grant at a time, each after what it expects has arrived."""

    def __init__(
        self,
        clock: VirtualClock,
        *,
        image: TelemetryImage,
        devices: DeviceRegister,
        commands: CommandSink,
        arrivals: Signal,
        rounds: Callable[[], int],
        arrival_timeout_s: float,
    ) -> None:
        self._clock = clock
        self._image = image
        self._devices = devices
        self._commands = commands
        self._arrivals = arrivals
        self._rounds = rounds
        self._timeout_s = arrival_timeout_s
        self._one_at_a_time = asyncio.Lock()

    async def advance_to(self, time: datetime, *, expected: Expected) -> Advanced | NotArrived:
        """Waits (bounded, in real time) for what is expected, then does everything due up to and including `time`. A
        grant whose caller gives up ends with the round in hand."""
        async with self._one_at_a_time:
            message = self._problem(time)
            if message:
                raise InputError([Problem(element="advance_to", field="time", value=time.isoformat(), message=message)])
            missing = await self._arrived(expected)
            if missing:
                return NotArrived(missing=missing)
            before = self._rounds()
            await self._clock.advance_to(time)
            streams = tuple(sorted(self._commands.progress().items()))
            return Advanced(time=time, rounds=self._rounds() - before, streams=streams)

    def _problem(self, time: datetime) -> str:
        """Why a grant cannot be given; empty where it can."""
        horizon = self._clock.horizon()
        if time < horizon:
            return f"time never goes back; it is {horizon.isoformat()}"
        latest = horizon + GRANT_MAX if self._clock.started else FIRST_MAX
        if time > latest:
            hours = GRANT_MAX / timedelta(hours=1)
            return f"too far ahead: at most {latest.isoformat()}; later grants at most {hours:g} h after the last grant"
        return ""

    async def _arrived(self, expected: Expected) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(self._timeout_s):
                while self._missing(expected):
                    await self._arrivals.wait()
        except TimeoutError:
            return self._missing(expected)
        return ()

    def _missing(self, expected: Expected) -> tuple[str, ...]:
        frames = [
            f"frame {sequence} of source {source} (have {have})"
            for source, sequence in expected.frames
            if (have := self._image.received(source)) < sequence
        ]
        outcomes = [
            f"outcomes {sequence} of controller {controller} (have {have})"
            for controller, sequence in expected.outcomes
            if (have := self._devices.outcomes_received(controller)) < sequence
        ]
        return (*frames, *outcomes)
