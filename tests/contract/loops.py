"""A whole service in this process over a real gRPC server, with scripted stages, for the contract tests."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from adms.adapters.live_store import NoLiveStore
from adms.adapters.metrics import PrometheusMetrics
from adms.client import Capability, Device, DeviceClass, Point, PointKind, PowerSetpoint
from adms.runtime.clock import Clock, VirtualClock
from adms.runtime.journal import Journal
from adms.runtime.recovery import Recovery
from adms.service.compose import Service, Settings, compose
from tests.unit.runtime.feeders import (
    BANK,
    BATTERY,
    GATE_POLICY,
    IMAGE_POLICY,
    MAX_AGE_S,
    PV,
    SWITCH,
    TIE,
    Script,
    small_arrays,
)

SETTINGS = Settings(
    period_s=2.0,
    early_gap_s=0.1,
    good_rounds_before_control=2,
    telemetry_max_age_s=MAX_AGE_S,
    arrival_timeout_s=0.5,
    image=IMAGE_POLICY,
    gate=GATE_POLICY,
)
CLIENT_POINTS = (
    Point(kind=PointKind.V_MAGNITUDE, element="b", phase=1, sigma=5.0),
    Point(kind=PointKind.SWITCH_CLOSED, element=SWITCH),
    Point(kind=PointKind.SWITCH_CLOSED, element=TIE),
    Point(kind=PointKind.CAPACITOR_STEPS, element=BANK),
)
CAN = Capability(s_max_va=10e3, p_max_w=10e3, p_min_w=-10e3, q_max_var=4.4e3)
DEFAULT = PowerSetpoint(p_injection_w=0.0, q_injection_var=0.0)


def der(name: str) -> Device:
    """A DER of the small model."""
    return Device(device_id=name, device_class=DeviceClass.DER, capability=CAN, stored_default=DEFAULT)


ALL_DEVICES = (
    Device(device_id=SWITCH, device_class=DeviceClass.SWITCH),
    Device(device_id=TIE, device_class=DeviceClass.SWITCH),
    Device(device_id=BANK, device_class=DeviceClass.CAPACITOR),
    der(PV),
    der(BATTERY),
)


@dataclass(kw_only=True)
class Loop:
    """A running service."""

    endpoint: str
    service: Service
    script: Script
    journal: Journal


@asynccontextmanager
async def running(
    folder: Path, *, listen: str = "127.0.0.1:0", script: Script | None = None, clock: Clock | None = None
) -> AsyncIterator[Loop]:
    """A service on a journal in the folder, until the block ends: then its streams are cut, as by a kill."""
    script = script or Script(arrays=small_arrays())
    recovery = Recovery()
    journal = Journal(folder / "journal.sqlite", replay=recovery.take)
    with ThreadPoolExecutor(max_workers=1) as executor:
        service = compose(
            small_arrays(),
            settings=SETTINGS,
            stages=script.stages(),
            clock=clock or VirtualClock(),
            journal=journal,
            recovery=recovery,
            live=NoLiveStore("none in tests"),
            metrics=PrometheusMetrics(),
            executor=executor,
        )
        port = await service.server.start(listen)
        rounds = asyncio.create_task(service.scheduler.run(service.round_once))
        try:
            yield Loop(endpoint=f"127.0.0.1:{port}", service=service, script=script, journal=journal)
        finally:
            rounds.cancel()
            await asyncio.gather(rounds, return_exceptions=True)
            await service.server.stop(grace_s=0.0)
            journal.close()
