"""Streams a recording as a telemetry source. Frames that the service has not used yet are sent again by the client."""

import asyncio
from datetime import UTC, datetime, timedelta

from adms.client import AdapterError, TelemetrySource
from adms.gateway.recording import Recording

CONNECT_TIMEOUT_S = 10.0
USED_TIMEOUT_S = 30.0


async def replay(recording: Recording, *, endpoint: str, source_id: str, speed: float) -> int:
    """Send every frame, stamped with the time at which it is sent, and wait until the service has used them.

    Args:
        recording: what to send.
        endpoint: HOST:PORT of the service.
        source_id: name of this source.
        speed: recorded seconds per second; 0 is as fast as it goes.

    Returns:
        How many frames were used.

    Raises:
        AdapterError: the service does not answer, or does not use the frames in time.
    """
    began = datetime.now(UTC)
    first_s = recording.frames[0].time_s
    # Grows with every start, as the API asks of an instance.
    epoch = int(began.timestamp() * 1e3)
    async with TelemetrySource(endpoint, source_id=source_id, instance_epoch=epoch, points=recording.points) as source:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await source.until_connected()
        except TimeoutError:
            raise AdapterError(f"no service answers at {endpoint}: {source.problem}", retryable=True) from None
        for frame in recording.frames:
            if speed > 0.0:
                due = began + timedelta(seconds=(frame.time_s - first_s) / speed)
                await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
            await source.send(measure_time=datetime.now(UTC), values=frame.value, quality=frame.quality)
        try:
            async with asyncio.timeout(USED_TIMEOUT_S):
                await source.until_acknowledged(source.sequence)
        except TimeoutError:
            left = f"{source.waiting} of {len(recording.frames)} frames were not used in {USED_TIMEOUT_S:.0f} s"
            raise AdapterError(left, retryable=True) from None
        for problem in source.point_problems:
            print(f"not taken: {problem}")
        return source.acknowledged
