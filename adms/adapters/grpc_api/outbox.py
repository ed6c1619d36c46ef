"""What waits to be sent on one stream, bounded: a reader too slow for its own stream loses the stream, nothing else."""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Outbox(Generic[T]):
    """Messages for one stream."""

    def __init__(self, *, depth: int) -> None:
        self._queue: asyncio.Queue[T | None] = asyncio.Queue()
        self._depth = depth
        self._failure: BaseException | None = None
        self.closed = False
        self.overflowed = False

    def put(self, message: T) -> bool:
        """Queues a message; False where the stream is closed or was too slow, which closes it."""
        if self.closed:
            return False
        if self._queue.qsize() >= self._depth:
            self.overflowed = True
            self.close()
            return False
        self._queue.put_nowait(message)
        return True

    def close(self, failure: BaseException | None = None) -> None:
        """Ends the stream after what is queued; `failure` is raised to whoever reads."""
        if not self.closed:
            self.closed = True
            self._failure = failure
            self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[T]:
        while (message := await self._queue.get()) is not None:
            yield message
        if self._failure is not None:
            raise self._failure
