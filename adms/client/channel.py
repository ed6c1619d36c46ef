"""Connections that outlive the service: keepalive, retries with backoff, errors as the caller's own kind."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped, unused-ignore]

from adms.core.errors import AdapterError, InputError, Problem

R = TypeVar("R")
OPTIONS = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    # A service that comes back is found within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Two clients of one process do not share a connection: each notices by itself that it is gone.
    ("grpc.use_local_subchannel_pool", 1),
)
DETAILS_KEY = "grpc-status-details-bin"
RETRYABLE = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})


def open_channel(endpoint: str) -> grpc.aio.Channel:
    """A channel to HOST:PORT. Nothing is sent before the first call."""
    return grpc.aio.insecure_channel(endpoint, options=OPTIONS)


class Backoff:
    """Waits between attempts: doubling, with jitter, so that a thousand controllers do not return at once."""

    def __init__(self, *, first_s: float = 0.05, longest_s: float = 2.0) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s
        self._chance = random.Random()

    def reset(self) -> None:
        """The last attempt worked."""
        self._next_s = self._first_s

    async def wait(self) -> None:
        """Waits before the next attempt."""
        delay_s = self._next_s * self._chance.uniform(0.5, 1.0)
        self._next_s = min(2.0 * self._next_s, self._longest_s)
        never = asyncio.get_running_loop().create_future()
        await asyncio.wait({never}, timeout=delay_s)
        never.cancel()


def as_error(error: grpc.aio.AioRpcError) -> InputError | AdapterError:
    """What the service said: InputError with its problems where the input was bad, else AdapterError."""
    if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
        return InputError(_problems(error))
    message = f"{error.code().name}: {error.details()}"
    return AdapterError(message, retryable=error.code() in RETRYABLE)


def lost() -> AdapterError:
    """The error for a CancelledError that the RPC raised because its peer went away. Where this task itself is being
    cancelled, the CancelledError goes on: call this from an `except asyncio.CancelledError` block only."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise  # noqa: PLE0704 (the block of the caller)
    return AdapterError("the service ended the call", retryable=True)


async def read_message(call: Any) -> Any:
    """The next message of a stream. Raises AioRpcError or AdapterError at its end."""
    try:
        message = await call.read()
    except asyncio.CancelledError:
        raise lost() from None
    if message is grpc.aio.EOF:
        raise await stream_end(call)
    return message


async def write_message(call: Any, message: Any) -> None:
    """Sends one message on a stream. Raises AioRpcError or AdapterError where it has ended."""
    try:
        await call.write(message)
    except asyncio.CancelledError:
        raise lost() from None


async def stream_end(call: Any) -> grpc.aio.AioRpcError | AdapterError:
    """Why a stream gave no more messages."""
    code = await call.code()
    if code is grpc.StatusCode.OK:
        return AdapterError("the service closed the stream", retryable=True)
    return grpc.aio.AioRpcError(
        code, await call.initial_metadata(), await call.trailing_metadata(), await call.details()
    )


def _problems(error: grpc.aio.AioRpcError) -> list[Problem]:
    plain = [Problem(element="request", field="", value="", message=error.details() or "refused")]
    trailers: dict[str, Any] = dict(error.trailing_metadata() or ())
    packed = trailers.get(DETAILS_KEY)
    if packed is None:
        return plain
    try:
        status = status_pb2.Status.FromString(packed)
        request = error_details_pb2.BadRequest()
        found = [v for detail in status.details if detail.Unpack(request) for v in request.field_violations]
    except DecodeError:
        return plain
    # The description already says where and which value.
    listed = [Problem(element="request", field="", value="", message=v.description) for v in found]
    return listed or plain


async def call(attempt: Callable[[float], Awaitable[R]], *, timeout_s: float) -> R:
    """Makes a call that may be repeated, again while the service is away, for at most `timeout_s` in all. `attempt`
    takes the seconds that are left, for the deadline of the RPC. Raises InputError and AdapterError."""
    backoff = Backoff()
    loop = asyncio.get_running_loop()
    until_s = loop.time() + timeout_s
    away: InputError | AdapterError | None = None
    while True:
        try:
            return await attempt(until_s - loop.time())
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and loop.time() >= until_s:
                # The service may have done it all the same.
                raise away or AdapterError(f"no answer within {timeout_s:g} s", retryable=True) from error
            away = as_error(error)
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise away from error
        except asyncio.CancelledError:
            away = lost()
        await backoff.wait()
        if loop.time() >= until_s:
            raise away
