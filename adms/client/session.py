"""A stream that is opened again and again until told to stop: the service may come and go."""

import asyncio
from types import TracebackType
from typing import Self

import grpc.aio

from adms.client.channel import Backoff, as_error, open_channel


class Reconnecting:
    """Runs `_talk` over one channel, again after every loss."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._channel: grpc.aio.Channel | None = None
        self._running: asyncio.Task[None] | None = None
        self._backoff = Backoff()
        self._closing = False
        self._changed = asyncio.Condition()
        self.connected = False
        self.problem = ""
        """Why the last stream ended; empty while connected."""

    async def __aenter__(self) -> Self:
        self._channel = open_channel(self._endpoint)
        self._running = asyncio.get_running_loop().create_task(self._run(self._channel))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        if self._channel is not None:
            await self._channel.close()

    async def until_connected(self) -> None:
        """Returns once the service has answered. Bound it with `asyncio.timeout`."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.connected)

    async def _talk(self, channel: grpc.aio.Channel) -> None:
        """One stream from its opening to its end."""
        raise NotImplementedError

    async def _answered(self) -> None:
        """To be called by `_talk` once the service has answered."""
        self._backoff.reset()
        self.connected, self.problem = True, ""
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _run(self, channel: grpc.aio.Channel) -> None:
        # A cancellation that meets an error in the stream's tasks is reported as that error: hence the flag.
        while not self._closing:
            try:
                await self._talk(channel)
            except* grpc.aio.AioRpcError as group:
                self.problem = str(as_error(_first(group)))
            except* Exception as group:
                # Whatever ended it, a field device tries again: its lease lapses meanwhile.
                self.problem = "; ".join(f"{type(error).__name__}: {error}" for error in group.exceptions)
            self.connected = False
            await self._notify()
            if not self._closing:
                await self._backoff.wait()


def _first(group: BaseExceptionGroup[grpc.aio.AioRpcError]) -> grpc.aio.AioRpcError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, grpc.aio.AioRpcError)
    return found
