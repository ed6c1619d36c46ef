"""Live values in Redis or Valkey (`adms.ports.outward.LiveStore`): one packed frame a round, and a stream for fan-out.

A task of its own writes the newest picture; a slow or absent server costs pictures, never a round.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import redis.asyncio as redis
from redis.exceptions import RedisError

HISTORY = 1000
"""Frames kept in the stream, about."""
TIMEOUT_S = 2.0


def url_problem(url: str) -> str:
    """Why no client can be made for a URL; empty where one can. Connects to nothing."""
    try:
        redis.Redis.from_url(url, protocol=3).connection_pool.make_connection()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, RedisError) as error:
        return f"is no Redis URL such as redis://HOST:PORT/0: {error}"
    return ""


@dataclass(frozen=True, kw_only=True)
class _Frame:
    time: datetime
    values: Mapping[str, float]
    facts: Mapping[str, str]


class RedisLiveStore:
    """Writes to `adms:<feeder>:live` (a string, JSON) and `adms:<feeder>:frames` (a stream with one field `frame`)."""

    def __init__(self, url: str, *, feeder: str) -> None:
        self._client = redis.Redis.from_url(url, protocol=3, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        self._feeder = feeder
        self._newest: _Frame | None = None
        self._more = asyncio.Event()
        self._written = asyncio.Event()
        self._problem = "not connected yet"
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to write what is published."""
        self._task = asyncio.get_running_loop().create_task(self._write())

    async def publish(self, *, time: datetime, values: Mapping[str, float], facts: Mapping[str, str]) -> None:
        """Replaces the live picture; returns at once."""
        self._newest = _Frame(time=time, values=values, facts=facts)
        self._written.clear()
        self._more.set()

    async def written(self) -> None:
        """Returns once an attempt was made to write the newest picture."""
        await self._written.wait()

    def problem(self) -> str:
        """Why it is not used now; empty when it works."""
        return self._problem

    async def close(self) -> None:
        """Stops writing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._client.aclose()

    async def _write(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            frame = self._newest
            if frame is None:
                continue
            packed = json.dumps(
                {"time": frame.time.isoformat(), "facts": dict(frame.facts), "values": dict(frame.values)},
                separators=(",", ":"),
            )
            try:
                async with self._client.pipeline(transaction=False) as pipe:
                    pipe.set(f"adms:{self._feeder}:live", packed)
                    pipe.xadd(f"adms:{self._feeder}:frames", {"frame": packed}, maxlen=HISTORY, approximate=True)
                    await pipe.execute()
                self._problem = ""
            except (RedisError, OSError, TimeoutError) as error:
                self._problem = f"{type(error).__name__}: {error}"
            if not self._more.is_set():
                self._written.set()


class NoLiveStore:
    """Stands in where there is none, and says why."""

    def __init__(self, problem: str) -> None:
        self._problem = problem

    async def publish(self, *, time: datetime, values: Mapping[str, float], facts: Mapping[str, str]) -> None:
        """Keeps nothing."""

    def problem(self) -> str:
        """Why there is none."""
        return self._problem
