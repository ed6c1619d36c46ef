"""Rules on coming back: a client does, and a thousand of them at once do no harm."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from hil.conformance.rules import BrokenError, rule
from hil.conformance.stage import Stage

BACKOFF = (
    "AIP-194 and the connection back-off of gRPC (doubling, with jitter); SAFETY fault D (reconnect storm of 10,000)"
)
FIRST_HALF_PER_S = 5.0
SECOND_HALF_PER_S = 2.0
"""Attempts a second while nobody lets the client in. Ten thousand controllers at the second are as many as one service
takes of anything in a second (LIBRARIES: 3,000 to 10,000 messages); sooner after the loss a client may try oftener."""


def storm(attempts_s: Sequence[float], *, began_s: float, for_s: float, streams: int = 1) -> tuple[str, str] | None:
    """(expected, seen) where a client of so many streams came too often; None where it did not. Pure."""
    half_s = 0.5 * for_s
    early = sum(began_s <= at_s < began_s + half_s for at_s in attempts_s)
    late = sum(began_s + half_s <= at_s < began_s + for_s for at_s in attempts_s)
    most_early, most_late = streams * FIRST_HALF_PER_S * half_s, streams * SECOND_HALF_PER_S * half_s
    if early <= most_early and late <= most_late:
        return None
    expected = f"at most {most_early:.0f} attempts in the first {half_s:g} s and {most_late:.0f} in the next"
    return expected, f"{early} and {late}"


def _judge(stage: Stage, attempts_s: Sequence[float], *, began_s: float, streams: int = 1) -> None:
    found = storm(attempts_s, began_s=began_s, for_s=stage.timing.storm_s, streams=streams)
    if found is not None:
        raise BrokenError(expected=found[0], seen=found[1])
    if not any(at_s >= began_s for at_s in attempts_s):
        raise BrokenError(expected=f"attempts to come back within {stage.timing.storm_s:g} s", seen="none")


@rule(
    "REC1",
    "A client comes back after its stream was cut, and obeys again",
    source="control.proto, ControlService.Attach; adms.client: a controller outlives the service",
)
async def comes_back(stage: Stage) -> None:
    """Cut, back, obedient."""
    level_w, other_w = stage.levels()
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    stage.cut(refuse=False)
    await stage.obeys(stage.command(p_w=other_w), level_w=other_w)


@rule(
    "REC2",
    "A client that is refused with UNAVAILABLE backs off",
    source=BACKOFF,
    quick=False,
)
async def backs_off_when_refused(stage: Stage) -> None:
    """The port is open and every stream is refused."""
    began_s = stage.now_s()
    stage.cut(refuse=True)
    await asyncio.sleep(stage.timing.storm_s)
    _judge(stage, stage.seen.attach_attempts_s, began_s=began_s)
    stage.manner.refuse_control = False
    await stage.registered()


@rule(
    "REC3",
    "A client whose stream ends again and again right after the registration backs off, too",
    source=f"{BACKOFF}; two instances of one controller would else take the stream from each other at full speed",
    quick=False,
)
async def backs_off_after_registration(stage: Stage) -> None:
    """Each stream is answered, then cut."""
    began_s = stage.now_s()
    stage.manner.end_after_registration = True
    stage.cut(refuse=False)
    await asyncio.sleep(stage.timing.storm_s)
    attempts_s = list(stage.seen.attach_attempts_s)
    stage.manner.end_after_registration = False
    stage.cut(refuse=False)
    _judge(stage, attempts_s, began_s=began_s)
    await stage.registered()


@rule(
    "REC4",
    "A client whose service is gone backs off between its connections",
    source=BACKOFF,
    quick=False,
)
async def backs_off_when_dead(stage: Stage) -> None:
    """Something at the port counts connections and closes each."""
    connections_s: list[float] = []

    def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections_s.append(stage.now_s())
        writer.close()

    await stage.service.die()
    host, _, port = stage.service.endpoint.rpartition(":")
    counting = await asyncio.start_server(close, host.strip("[]"), int(port), reuse_address=True)
    began_s = stage.now_s()
    await asyncio.sleep(stage.timing.storm_s)
    counting.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(counting.wait_closed(), timeout=1.0)
    await stage.service.revive()
    # Control and telemetry may have a connection each.
    _judge(stage, connections_s, began_s=began_s, streams=2 if stage.reports_p else 1)
    await stage.registered()


RULES = (comes_back, backs_off_when_refused, backs_off_after_registration, backs_off_when_dead)
