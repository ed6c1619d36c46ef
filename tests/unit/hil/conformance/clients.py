"""Clients for the kit to try, in this process: the reference client with some part replaced."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from adms.client import (
    DeviceController,
    TelemetrySource,
)
from hil.conformance.reference_client import Battery, Memory, ReferenceClient
from tests.unit.hil.conformance.broken_devices import Linked

Make = Callable[[str, Path], ReferenceClient]
NAMES = ("der.reference", "der.reference_2")


class InProcess:
    """A client in this process, started and ended as the kit asks."""

    def __init__(self, make: Make, *, folder: Path) -> None:
        self._make = make
        self._memory = folder / "memory.json"
        self._running: asyncio.Task[None] | None = None

    @property
    def exit_code(self) -> int | None:
        return 1 if self._running is not None and self._running.done() else None

    async def start(self, endpoint: str) -> None:
        self._running = asyncio.create_task(self._make(endpoint, self._memory).run())

    async def stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await running


def client(
    *,
    battery: Callable[[], Battery] = Battery,
    controller: Callable[..., DeviceController] = DeviceController,
    source: Callable[..., TelemetrySource] = TelemetrySource,
    kind: type[ReferenceClient] = ReferenceClient,
) -> Make:
    """The reference client with some part replaced."""

    def make(endpoint: str, memory: Path) -> ReferenceClient:
        made = kind(
            endpoint,
            batteries={name: battery() for name in NAMES},
            memory=Memory(path=memory),
            controller=controller,
            source=source,
        )
        for each in made.batteries.values():
            if isinstance(each, Linked):
                each.controller = made.controller
        return made

    return make
