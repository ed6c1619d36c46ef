"""A gateway over real loopback TCP with simulated devices, and stand-ins for the service's streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from adms.client import OutcomeCode, Point, PointKind, PowerSetpoint, Quality, ReceivedCommand
from adms.gateway.sunspec import Board, Counts, Gateway, check_config

GATEWAY: dict[str, Any] = {
    "endpoint": "127.0.0.1:1",
    "source_id": "sunspec",
    "controller_id": "sunspec",
    "poll_period_s": 0.03,
    "frame_period_s": 0.01,
    "answer_timeout_s": 0.2,
    "back_off_first_s": 0.05,
    "back_off_max_s": 0.2,
    "connections": "per_device",
}
PV: dict[str, Any] = {
    "device_id": "der.pv",
    "address": "127.0.0.1:1",
    "unit_id": 1,
    "bus": "b7",
    "phases": [1, 2, 3],
    "p_control": "limit",
    "s_max_va": 50_000.0,
    "p_max_w": 50_000.0,
    "p_min_w": 0.0,
    "q_max_var": 22_000.0,
    "default_q_injection_var": 0.0,
    "sigma_p_w": 250.0,
    "sigma_q_var": 250.0,
    "sigma_v_v": 1.0,
    "without_reversion": "refuse",
}
BATTERY: dict[str, Any] = {
    **PV,
    "device_id": "der.battery",
    "unit_id": 2,
    "p_control": "setpoint",
    "s_max_va": 60_000.0,
    "p_min_w": -40_000.0,
    "q_max_var": 26_400.0,
    "default_p_injection_w": 0.0,
    "energy_wh": 100_000.0,
}


@dataclass
class Streams:
    """What the service would hear, and what it would say."""

    points: Sequence[Point] = ()
    frames: list[tuple[datetime, dict[int, float], dict[int, Quality]]] = field(default_factory=list)
    outcomes: list[tuple[str, OutcomeCode, str]] = field(default_factory=list)
    queue: asyncio.Queue[ReceivedCommand] = field(default_factory=asyncio.Queue)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def send(
        self, *, measure_time: datetime, values: Mapping[int, float], quality: Mapping[int, Quality] | None = None
    ) -> int:
        async with self.news:
            self.frames.append((measure_time, dict(values), dict(quality or {})))
            self.news.notify_all()
        return len(self.frames)

    async def commands(self) -> AsyncIterator[ReceivedCommand]:
        while True:
            yield await self.queue.get()

    async def report(
        self, command: ReceivedCommand, code: OutcomeCode, *, text: str = "", time: datetime | None = None
    ) -> None:
        async with self.news:
            self.outcomes.append((command.command_id, code, text))
            self.news.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5.0), self.news:
            await self.news.wait_for(holds)

    def place(self, kind: PointKind, element: str, phase: int = 0) -> int:
        return next(i for i, p in enumerate(self.points) if (p.kind, p.element, p.phase) == (kind, element, phase))

    def last(self, kind: PointKind, element: str, phase: int = 0) -> tuple[float, Quality] | None:
        """Newest value and quality of a point."""
        place = self.place(kind, element, phase)
        for _, values, quality in reversed(self.frames):
            if place in values:
                return values[place], quality.get(place, Quality.GOOD)
        return None


@dataclass
class Rig:
    streams: Streams
    gateway: Gateway
    counts: Counts
    now: datetime
    task: asyncio.Task[None]
    sequence: int = 0

    async def command(
        self,
        *,
        p_w: float | None = None,
        q_var: float | None = None,
        lease_s: float = 60.0,
        device_id: str = "der.pv",
        issue_time: datetime | None = None,
    ) -> tuple[OutcomeCode, str]:
        """Send one and wait for its outcome."""
        name = self.send(p_w=p_w, q_var=q_var, lease_s=lease_s, device_id=device_id, issue_time=issue_time)
        await self.streams.until(lambda: any(told[0] == name for told in self.streams.outcomes))
        return next((code, text) for told, code, text in self.streams.outcomes if told == name)

    def send(
        self,
        *,
        p_w: float | None,
        q_var: float | None,
        lease_s: float,
        device_id: str,
        issue_time: datetime | None = None,
    ) -> str:
        self.sequence += 1
        name = f"c1-{self.sequence}"
        self.streams.queue.put_nowait(
            ReceivedCommand(
                command_id=name,
                device_id=device_id,
                setpoint=PowerSetpoint(p_injection_w=p_w, q_injection_var=q_var),
                epoch=1,
                sequence=self.sequence,
                issue_time=issue_time or self.now,
                expiry=(issue_time or self.now) + timedelta(seconds=lease_s),
                app="dispatch",
                plan_id="",
                reason="",
                snapshot_id="",
                stream_sequence=self.sequence,
            )
        )
        return name

    async def kill(self) -> None:
        """The gateway is gone from one moment to the next."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


@asynccontextmanager
async def rig(*devices: dict[str, Any], streams: Streams | None = None, **gateway: Any) -> AsyncIterator[Rig]:
    """A running gateway. Its clock stands until `Rig.now` is moved."""
    config = check_config({"gateway": {**GATEWAY, **gateway}, "device": list(devices)})
    board, counts, streams = Board(config.device), Counts(), streams or Streams()
    streams.points = board.points
    made: list[Rig] = []
    working = Gateway(config, board=board, telemetry=streams, commands=streams, counts=counts, now=lambda: made[0].now)
    made.append(
        Rig(streams=streams, gateway=working, counts=counts, now=datetime(2026, 6, 1, 12, tzinfo=UTC), task=None)  # type: ignore[arg-type]
    )
    made[0].task = asyncio.get_running_loop().create_task(working.run())
    try:
        yield made[0]
    finally:
        await made[0].kill()
