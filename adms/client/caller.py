"""Calls of one question and one answer, each within a time."""

from types import TracebackType
from typing import Self, TypeVar

import grpc.aio

from adms.client.channel import call, open_channel

Q = TypeVar("Q")
R = TypeVar("R")


class Caller:
    """One channel. A call is repeated while the service is away, and ends after `timeout_s` at the latest."""

    def __init__(self, endpoint: str, *, timeout_s: float) -> None:
        self._channel = open_channel(endpoint)
        self._timeout_s = timeout_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def _call(self, rpc: "grpc.aio.UnaryUnaryMultiCallable[Q, R]", request: Q) -> R:
        """The answer. Raises InputError and AdapterError."""
        return await call(lambda left_s: rpc(request, timeout=left_s), timeout_s=self._timeout_s)
