"""The bench's ends of the gRPC API, on `adms.client`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

from adms.client import (
    AdapterError,
    Device,
    DeviceController,
    EntryKind,
    InputError,
    Insight,
    JournalVerdict,
    Mode,
    Operator,
    Point,
    Quality,
    ReceivedCommand,
    RoundReport,
    SimulationClock,
    TelemetrySource,
)
from hil.devices import Answer
from hil.feeder_time import moment, seconds
from hil.frames import FrameUse, account

WINDOW_FRAMES = 5000
ARRIVAL_TIMEOUT_S = 20.0
GRANT_TIMEOUT_S = 120.0


class TelemetryLink:
    """One telemetry source."""

    def __init__(self, *, endpoint: str, source_id: str, instance_epoch: int, points: Sequence[Point]) -> None:
        self._source = TelemetrySource(
            endpoint,
            source_id=source_id,
            instance_epoch=instance_epoch,
            points=points,
            window=WINDOW_FRAMES,
        )

    async def start(self) -> None:
        """Begin to connect."""
        await self._source.__aenter__()

    async def ready(self) -> None:
        """Wait until the service has welcomed the source."""
        await self._source.until_connected()

    @property
    def connected(self) -> bool:
        """Whether the stream stands."""
        return self._source.connected

    @property
    def counts(self) -> tuple[int, int]:
        """Frames sent, and those in the journal's account."""
        return self._source.sequence, self._source.acknowledged

    @property
    def problems(self) -> list[str]:
        """Points that the service does not take."""
        return [str(problem) for problem in self._source.point_problems]

    async def send(
        self, *, time_s: float, index: Sequence[int], value: Sequence[float], quality: Sequence[Quality] = ()
    ) -> int:
        """Queue a frame of values measured at a feeder second; its sequence. `quality` runs with the values; empty
        where all are GOOD."""
        return await self._source.send(
            measure_time=moment(time_s),
            values=dict(zip(index, value, strict=True)),
            quality=dict(zip(index, quality, strict=True)) if quality else None,
        )

    async def until_acknowledged(self) -> None:
        """Wait until every frame is in the journal's account."""
        await self._source.until_acknowledged(self._source.sequence)

    async def close(self) -> None:
        """End the stream."""
        await self._source.__aexit__(None, None, None)


class ControlLink:
    """One device controller. `on_command` decides; its answer goes back as the outcome."""

    def __init__(
        self,
        *,
        endpoint: str,
        controller_id: str,
        devices: Sequence[Device],
        on_command: Callable[[ReceivedCommand], Answer],
        now_s: Callable[[], float],
    ) -> None:
        self._controller = DeviceController(
            endpoint,
            controller_id=controller_id,
            devices=devices,
            now=lambda: moment(now_s()),
            instance_id=f"{controller_id}-1",
        )
        self._on_command = on_command
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to connect."""
        await self._controller.__aenter__()
        self._serving = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        async for command in self._controller.commands():
            answer = self._on_command(command)
            await self._controller.report(command, answer.code, text=answer.text)

    async def ready(self) -> None:
        """Wait until the service has registered the devices."""
        await self._controller.until_connected()

    @property
    def connected(self) -> bool:
        """Whether the stream stands."""
        return self._controller.connected

    @property
    def problems(self) -> list[str]:
        """Devices that the service does not take."""
        return [str(problem) for problem in self._controller.device_problems]

    @property
    def outcome_sequence(self) -> int:
        """Of the newest outcomes."""
        return self._controller.outcome_sequence

    async def reached(self, stream_sequence: int) -> None:
        """Wait until every command up to there has been answered. Raises TimeoutError."""
        async with asyncio.timeout(ARRIVAL_TIMEOUT_S):
            await self._controller.until_settled(stream_sequence)

    async def close(self) -> None:
        """End the stream."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)
        await self._controller.__aexit__(None, None, None)


class ServiceLink:
    """The bench's hand on the clock, its operators, and what it watches (`hil.picture.Service`)."""

    def __init__(self, *, run_id: str) -> None:
        self._run_id = run_id
        self._starts = 0
        self._stack = AsyncExitStack()
        self._rounds: dict[float, RoundReport] = {}
        self._arrived = asyncio.Event()

    async def connect(self, endpoint: str) -> None:
        """Speak with the service there from now on."""
        self._starts += 1
        self._stack = AsyncExitStack()
        run_id = f"{self._run_id}-{self._starts}"
        enter = self._stack.enter_async_context
        self._clock = await enter(SimulationClock(endpoint, timeout_s=GRANT_TIMEOUT_S))
        self._operator = await enter(Operator(endpoint, actor="operator", run_id=f"{run_id}-operator"))
        self._transmission = await enter(
            Operator(endpoint, actor="transmission-operator", run_id=f"{run_id}-transmission")
        )
        self._insight = await enter(Insight(endpoint))
        await self._insight.status()
        watching = asyncio.get_running_loop().create_task(self._watch(self._insight))
        self._stack.callback(watching.cancel)

    async def _watch(self, insight: Insight) -> None:
        with contextlib.suppress(AdapterError):
            async for report in insight.rounds(with_nodes=True):
                self._rounds[round(seconds(report.time), 3)] = report
                self._arrived.set()

    async def advance_to(
        self, time_s: float, *, frames: Mapping[str, int], outcomes: Mapping[str, int]
    ) -> Mapping[str, int]:
        """Grant time once the named frames and outcomes have arrived; the stream sequence of each controller."""
        advance = await self._clock.advance_to(moment(time_s), expect_frames=frames, expect_outcomes=outcomes)
        return advance.streams

    async def round_at(self, time_s: float) -> RoundReport | None:
        """The round of that time; None where there was none within a second."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while round(time_s, 3) not in self._rounds:
                    self._arrived.clear()
                    await self._arrived.wait()
        return self._rounds.pop(round(time_s, 3), None)

    async def release_to_control(self) -> str | None:
        """The operator asks for CONTROL; why it was refused, or None."""
        try:
            await self._operator.set_mode(Mode.CONTROL, reason="released by the shift")
        except InputError as refused:
            return str(refused)
        return None

    async def limit_import(self, import_max_w: float) -> None:
        """The transmission operator's notice."""
        await self._transmission.set_interface_limit(
            reason="congestion on the transmission side", import_max_w=import_max_w
        )

    async def frames_used(self) -> Mapping[str, FrameUse]:
        """By source, from the whole journal."""
        entries = self._insight.journal()
        return account([json.loads(entry.body) async for entry in entries if entry.kind is EntryKind.CUT])

    async def verify_journal(self) -> JournalVerdict:
        """The service's own check of its journal."""
        return await self._insight.verify_journal()

    async def close(self) -> None:
        """Let go of the service."""
        await self._stack.aclose()
