"""One run of the kit: waits for the client, then tries rule after rule."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adms.wire.control.v1 import control_pb2
from hil.conformance.levels import DeviceUnderTest, device_under_test
from hil.conformance.rules import BrokenError, NotApplicableError, Rule, Standing, Verdict
from hil.conformance.seen import Sample
from hil.conformance.service import PlayedService
from hil.conformance.stage import POLL_S, Restartable, Stage
from hil.conformance.timing import Timing


@dataclass(frozen=True, kw_only=True)
class Conformance:
    """What came of a run."""

    endpoint: str
    device_id: str
    """Empty where no client came."""
    controller_id: str
    timing: Timing
    verdicts: tuple[Verdict, ...]
    samples: tuple[Sample, ...]
    """Outputs of the device over the run."""
    start_s: float
    """Of the run, seconds since 1970 UTC."""
    wall_s: float

    def count(self, standing: Standing) -> int:
        """Rules of one standing."""
        return sum(verdict.standing is standing for verdict in self.verdicts)

    @property
    def passed(self) -> bool:
        """Nothing failed, and something passed."""
        return self.count(Standing.FAILED) == 0 and self.count(Standing.PASSED) > 0


Progress = Callable[[Verdict, int, int], None]
"""(verdict, its number, of how many)."""


def find_device(registrations: Sequence[control_pb2.Registration], *, device_id: str) -> DeviceUnderTest | None:
    """The device under test: the named one, else the first DER; None where it is not registered."""
    for message in registrations:
        for device in message.devices:
            is_der = device.device_class == control_pb2.DEVICE_CLASS_DER
            if is_der and device_id in ("", device.device_id):
                return device_under_test(device, controller_id=message.controller_id)
    return None


async def conform(
    service: PlayedService,
    *,
    rules: Sequence[Rule],
    timing: Timing,
    device_id: str = "",
    client: Restartable | None = None,
    progress: Progress | None = None,
) -> Conformance:
    """Tries the rules on the client that comes to a played service that has been started. `client` is one that the
    kit starts, and may start again. Raises AdapterError where it cannot be started."""
    start_s = service.seen.now_s()
    if client is not None:
        await client.start(service.endpoint)
    device = await _meet(service, device_id=device_id, timing=timing, client=client)
    verdicts: list[Verdict] = []

    def note(verdict: Verdict) -> None:
        verdicts.append(verdict)
        if progress is not None:
            progress(verdict, len(verdicts), len(rules))

    if device is None:
        for each in _without_client(service, rules=rules, device_id=device_id, timing=timing, client=client):
            note(each)
    else:
        stage = Stage(service=service, timing=timing, device=device, client=client)
        await stage.until(lambda: True if stage.reports_p else None, within_s=timing.reconnect_s)
        for rule in rules:
            note(await try_rule(rule, stage=stage, start_s=start_s))
    return Conformance(
        endpoint=service.endpoint,
        device_id="" if device is None else device.device_id,
        controller_id="" if device is None else device.controller_id,
        timing=timing,
        verdicts=tuple(verdicts),
        samples=() if device is None else tuple(service.seen.samples.get(device.device_id, ())),
        start_s=start_s,
        wall_s=service.seen.now_s() - start_s,
    )


async def try_rule(rule: Rule, *, stage: Stage, start_s: float) -> Verdict:
    """What comes of one rule, tried from an ordinary state of the played service."""
    began_s = stage.now_s()
    standing, expected, seen = Standing.PASSED, "", ""
    try:
        await stage.restore()
        await rule.script(stage)
    except BrokenError as broken:
        standing, expected, seen = Standing.FAILED, broken.expected, broken.seen
    except NotApplicableError as why:
        standing, seen = Standing.NOT_APPLICABLE, str(why)
    ended = None if stage.client is None else stage.client.exit_code
    if ended is not None:
        standing, expected = Standing.FAILED, expected or "the client runs on"
        seen = f"its process ended with code {ended}" + (f"; {seen}" if seen else "")
    now_s = stage.now_s()
    return Verdict(
        rule=rule, standing=standing, expected=expected, seen=seen, at_s=now_s - start_s, took_s=now_s - began_s
    )


async def _meet(
    service: PlayedService, *, device_id: str, timing: Timing, client: Restartable | None
) -> DeviceUnderTest | None:
    """Waits for the registration of the device under test, no longer than the client runs."""
    until_s = service.seen.now_s() + timing.begin_s
    while service.seen.now_s() < until_s and (client is None or client.exit_code is None):
        registrations = [stream.registration for stream in service.seen.streams if stream.registration is not None]
        found = find_device(registrations, device_id=device_id)
        if found is not None:
            return found
        await asyncio.sleep(POLL_S)
    return None


def _without_client(
    service: PlayedService, *, rules: Sequence[Rule], device_id: str, timing: Timing, client: Restartable | None
) -> list[Verdict]:
    """Where no client came: the first rule failed, and nothing else could be tried."""
    registrations = [stream.registration for stream in service.seen.streams if stream.registration is not None]
    ids = sorted({device.device_id for message in registrations for device in message.devices})
    came = f"{len(service.seen.attach_attempts_s)} control streams; registered: {', '.join(ids) or 'nothing'}"
    if client is not None and client.exit_code is not None:
        came = f"its process ended with code {client.exit_code}; {came}"
    wanted = f"device {device_id}" if device_id else "a DER"
    failed = Verdict(
        rule=rules[0],
        standing=Standing.FAILED,
        expected=f"a registration of {wanted} within {timing.begin_s:g} s",
        seen=came,
    )
    rest = [Verdict(rule=rule, standing=Standing.NOT_APPLICABLE, seen="no client registered") for rule in rules[1:]]
    return [failed, *rest]
