"""From one writer to many readers that may be slow: a slow reader misses items, it never holds up the writer."""

import asyncio
import weakref
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Feed(Generic[T]):
    """Hands every item to every reader that keeps up."""

    def __init__(self, *, depth: int) -> None:
        self._depth = depth
        self._readers: weakref.WeakSet[asyncio.Queue[T]] = weakref.WeakSet()

    @property
    def readers(self) -> int:
        """How many read now."""
        return len(self._readers)

    def publish(self, item: T) -> None:
        """Gives an item to all readers; where a reader's queue is full its oldest item goes."""
        for queue in list(self._readers):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(item)

    def read(self) -> AsyncIterator[T]:
        """Items from now on, also those that come before the first is asked for."""
        queue: asyncio.Queue[T] = asyncio.Queue(maxsize=self._depth)
        self._readers.add(queue)
        return self._drained(queue)

    async def _drained(self, queue: asyncio.Queue[T]) -> AsyncIterator[T]:
        # The reader alone keeps its queue alive: when it is gone, so is the queue.
        while True:
            yield await queue.get()


class Signal:
    """Something changed; whoever waits looks again."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wakes all that wait."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def wait(self) -> None:
        """Returns at the next `notify`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)
