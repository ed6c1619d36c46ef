"""A small good client on `adms.client`: batteries, each with a lease and a ramp, which keeps every rule of the kit.

    python -m hil.conformance.reference_client --endpoint HOST:PORT [--device ID ...] [--memory FILE]

It is the pattern for a client of one's own in Python, and the proof that the rules can be kept.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import hypot, isfinite
from pathlib import Path

from adms.client import (
    Capability,
    Device,
    DeviceClass,
    DeviceController,
    Lease,
    OutcomeCode,
    Point,
    PointKind,
    PowerSetpoint,
    ReceivedCommand,
    TelemetrySource,
    utc_now,
)

CAPABILITY = Capability(s_max_va=100e3, p_max_w=100e3, p_min_w=-100e3, q_max_var=44e3, ramp_w_per_s=250e3)
"""q_max_var is 44 % of s_max_va: IEEE 1547-2018, category B."""
DEFAULT = PowerSetpoint(p_injection_w=0.0, q_injection_var=0.0)
STEP_S = 0.05
"""Between two steps of the output, each with a frame."""
WINDOW = 500
"""Frames that may wait for their acknowledgement."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What outlives the process: the highest epoch seen and the number of starts. Without a file, nothing does."""

    path: Path | None = None

    def read(self) -> tuple[int, int]:
        """(highest epoch, starts before this one)."""
        if self.path is None or not self.path.is_file():
            return 0, 0
        kept = json.loads(self.path.read_text(encoding="utf-8"))
        return int(kept["seen_epoch"]), int(kept["starts"])

    def write(self, *, seen_epoch: int, starts: int) -> None:
        """Keeps both, whole or not at all."""
        if self.path is not None:
            fresh = self.path.with_suffix(".new")
            fresh.write_text(json.dumps({"seen_epoch": seen_epoch, "starts": starts}), encoding="utf-8")
            fresh.replace(self.path)


@dataclass(kw_only=True)
class Battery:
    """A DER: a nameplate, a lease, and an output that follows with a ramp."""

    capability: Capability = CAPABILITY
    p_w: float = 0.0
    q_var: float = 0.0
    lease: Lease = field(default_factory=lambda: Lease(stored_default=DEFAULT))

    def take(self, command: ReceivedCommand) -> tuple[OutcomeCode, str]:
        """Takes a lease or says why not."""
        setpoint, can = command.setpoint, self.capability
        if not isinstance(setpoint, PowerSetpoint):
            return OutcomeCode.NOT_SUPPORTED, "a battery takes power setpoints only"
        p_w = DEFAULT.p_injection_w if setpoint.p_injection_w is None else setpoint.p_injection_w
        q_var = DEFAULT.q_injection_var if setpoint.q_injection_var is None else setpoint.q_injection_var
        assert p_w is not None
        assert q_var is not None
        inside = can.p_min_w <= p_w <= can.p_max_w and abs(q_var) <= can.q_max_var
        if not inside or not isfinite(p_w) or hypot(p_w, q_var) > can.s_max_va:
            return OutcomeCode.OUT_OF_RANGE, "outside the nameplate"
        if not self.lease.take(command):
            return OutcomeCode.EXPIRED, "the lease has ended, or there is a newer one"
        return OutcomeCode.SUCCESS, ""

    def wanted(self) -> tuple[float, float]:
        """(P in W, Q in var) to go to now."""
        due = self.lease.due().setpoint
        return due.p_injection_w or 0.0, due.q_injection_var or 0.0

    def step(self, elapsed_s: float) -> None:
        """The output follows, active power no faster than its ramp."""
        p_w, q_var = self.wanted()
        ramp_w_per_s = self.capability.ramp_w_per_s
        most_w = abs(p_w - self.p_w) if ramp_w_per_s is None else ramp_w_per_s * elapsed_s
        self.p_w += max(-most_w, min(most_w, p_w - self.p_w))
        self.q_var = q_var


class ReferenceClient:
    """Batteries under one controller, with their telemetry. `controller` and `source` make the ends of the API."""

    def __init__(
        self,
        endpoint: str,
        *,
        batteries: Mapping[str, Battery],
        memory: Memory,
        controller: Callable[..., DeviceController] = DeviceController,
        source: Callable[..., TelemetrySource] = TelemetrySource,
    ) -> None:
        self._memory = memory
        seen_epoch, starts = memory.read()
        self._starts = starts + 1
        self.batteries = dict(batteries)
        devices = [
            Device(
                device_id=device_id,
                device_class=DeviceClass.DER,
                capability=battery.capability,
                stored_default=DEFAULT,
                seen_epoch=seen_epoch,
            )
            for device_id, battery in batteries.items()
        ]
        points = [
            Point(kind=kind, element=device_id, sigma=10.0)
            for device_id in batteries
            for kind in (PointKind.P_INJECTION, PointKind.Q_INJECTION)
        ]
        name = next(iter(batteries))
        self.controller = controller(endpoint, controller_id=f"{name}-controller", devices=devices)
        self.source = source(
            endpoint, source_id=f"{name}-meter", instance_epoch=self._starts, points=points, window=WINDOW
        )

    async def run(self) -> None:
        """Until cancelled."""
        self._remember()
        async with self.controller, self.source, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._obey())
            tasks.create_task(self._live())

    async def _obey(self) -> None:
        async for command in self.controller.commands():
            code, text = self.batteries[command.device_id].take(command)
            # Stored before it is answered: a restart must not forget whom it obeyed.
            self._remember()
            await self.controller.report(command, code, text=text)

    async def _live(self) -> None:
        """The outputs move whether or not anybody listens: telemetry that waits must not hold them up."""
        last_s = time.monotonic()
        while True:
            await asyncio.sleep(STEP_S)
            now_s = time.monotonic()
            for battery in self.batteries.values():
                battery.step(now_s - last_s)
            last_s = now_s
            if self.source.waiting < WINDOW:
                outputs = [value for battery in self.batteries.values() for value in (battery.p_w, battery.q_var)]
                await self.tell(outputs)

    async def tell(self, outputs: Sequence[float]) -> None:
        """One frame: P in W and Q in var of each battery in turn."""
        await self.source.send(measure_time=utc_now(), values=dict(enumerate(outputs)))

    def _remember(self) -> None:
        self._memory.write(seen_epoch=self.controller.seen_epoch, starts=self._starts)


def main() -> int:
    """Runs the client until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m hil.conformance.reference_client", description="A good client.")
    parser.add_argument("--endpoint", required=True, help="HOST:PORT of the service, or of the conformance kit")
    parser.add_argument("--device", action="append", metavar="ID", help="a battery; again for one more")
    parser.add_argument("--memory", type=Path, default=None, help="file that keeps the highest epoch across restarts")
    arguments = parser.parse_args()
    devices = arguments.device or ["der.reference", "der.reference_2"]
    client = ReferenceClient(
        arguments.endpoint,
        batteries={device: Battery() for device in devices},
        memory=Memory(path=arguments.memory),
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(client.run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
