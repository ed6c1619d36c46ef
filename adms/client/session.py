"""A stream that is opened again and again until told to stop: the service may come and go. What was sent is kept until
the service's journal has it, and sent again after every reconnect."""

import asyncio
from collections import deque
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

import grpc.aio

from adms.client.channel import Backoff, as_error, open_channel, read_message, write_message

GREETING_S = 20.0
"""A service that accepts a stream and does not answer for so long is tried again."""
STEADY_S = 2.0
"""A stream that lasted so long was in order. One that ends sooner does not reset the back-off, although it was greeted:
two instances of one controller would else take the stream from each other at full speed."""


class Numbered(Protocol):
    """A message that the service acknowledges by its sequence number."""

    sequence: int


M = TypeVar("M", bound=Numbered)


class Reconnecting(Generic[M]):
    """Greets, then sends and hears over one channel, again after every loss."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._channel: grpc.aio.Channel | None = None
        self._running: asyncio.Task[None] | None = None
        self._backoff = Backoff()
        self._closing = False
        self._changed = asyncio.Condition()
        self._kept: deque[M] = deque()
        self._sequence = 0
        self._recorded = 0
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

    def _open(self, channel: grpc.aio.Channel) -> Any:
        """A new call of the stream."""
        raise NotImplementedError

    async def _greet(self, call: Any) -> None:
        """What is said and heard first; returns once the service has answered."""
        raise NotImplementedError

    async def _hear(self, response: Any) -> None:
        """One message of the service."""
        raise NotImplementedError

    def _request(self, message: M) -> Any:
        """A kept message as the stream carries it."""
        raise NotImplementedError

    def _keep(self, message: M) -> int:
        """Numbers a message and queues it until it is recorded; its number. Call it with `_changed` held."""
        self._sequence += 1
        message.sequence = self._sequence
        self._kept.append(message)
        self._changed.notify_all()
        return self._sequence

    async def _drop(self, recorded: int) -> None:
        """Everything up to a number is in the service's journal."""
        async with self._changed:
            self._recorded = max(self._recorded, recorded)
            while self._kept and self._kept[0].sequence <= recorded:
                self._kept.popleft()
            self._changed.notify_all()

    async def _until_recorded(self, sequence: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._recorded >= sequence)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _talk(self, channel: grpc.aio.Channel) -> None:
        """One stream from its opening to its end."""
        call = self._open(channel)
        greeted_s: float | None = None
        try:
            async with asyncio.timeout(GREETING_S):
                await self._greet(call)
            greeted_s = asyncio.get_running_loop().time()
            self.connected, self.problem = True, ""
            await self._notify()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(call))
                tasks.create_task(self._push(call))
        finally:
            if greeted_s is not None and asyncio.get_running_loop().time() - greeted_s >= STEADY_S:
                self._backoff.reset()
            call.cancel()

    async def _listen(self, call: Any) -> None:
        while True:
            await self._hear(await read_message(call))

    async def _push(self, call: Any) -> None:
        """Sends everything that is not recorded, then what is queued."""
        sent = self._recorded
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._sequence > sent)  # noqa: B023 (waited for here)
                batch = [message for message in self._kept if message.sequence > sent]
                sent = self._sequence
            for message in batch:
                await write_message(call, self._request(message))

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
