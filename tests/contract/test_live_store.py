"""Losing the live store loses nothing: no method raises, and the reason is told."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis.asyncio as redis
from redis.exceptions import RedisError

from adms.adapters.embedded_valkey import EmbeddedValkey
from adms.adapters.live_store import NoLiveStore, RedisLiveStore
from adms.ports.outward import LiveStore
from tests.unit.runtime.feeders import at


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path_factory.mktemp("state"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def store(valkey: EmbeddedValkey) -> AsyncIterator[RedisLiveStore]:
    store = RedisLiveStore(valkey.url, feeder="f")
    store.start()
    yield store
    await store.close()


async def published(store: LiveStore, *, v: float = 1.0) -> None:
    await store.publish(time=at(0), values={"v_min_pu": v}, facts={"mode": "OBSERVE"})


async def test_the_newest_picture_is_there_for_others(valkey: EmbeddedValkey, store: RedisLiveStore) -> None:
    await published(store, v=0.97)
    async with asyncio.timeout(5.0):
        await store.written()
    assert store.problem() == ""
    async with redis.Redis.from_url(valkey.url, protocol=3) as reader:
        packed = await reader.get("adms:f:live")
        assert packed is not None
        assert json.loads(packed)["values"] == {"v_min_pu": 0.97}
        assert await reader.xlen("adms:f:frames") >= 1


async def test_a_store_that_is_not_there_is_a_reason_and_no_error() -> None:
    store = RedisLiveStore("redis://127.0.0.1:1", feeder="f")
    store.start()
    await published(store)
    async with asyncio.timeout(5.0):
        await store.written()
    assert "127.0.0.1:1" in store.problem()
    await store.close()


async def test_a_store_that_comes_back_is_used_again(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    server.start()
    store = RedisLiveStore(server.url, feeder="f")
    store.start()
    async with asyncio.timeout(20.0):
        await published(store)
        await store.written()
        server.stop()
        await published(store)
        await store.written()
        assert store.problem() != ""
        server.start()
        await published(store)
        await store.written()
        assert store.problem() == ""
    await store.close()
    server.stop()


async def test_a_server_that_is_killed_is_started_again(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    server.start()
    try:
        async with redis.Redis.from_url(server.url, protocol=3) as client:
            before = (await client.info("server"))["process_id"]
        os.kill(before, signal.SIGKILL)
        async with asyncio.timeout(20.0):
            after = before
            while after == before:
                await asyncio.sleep(0.05)
                with contextlib.suppress(RedisError, OSError):
                    async with redis.Redis.from_url(server.url, protocol=3) as client:
                        after = (await client.info("server"))["process_id"]
    finally:
        server.stop()
    assert after != before


async def test_the_stand_in_keeps_nothing_and_says_why() -> None:
    store = NoLiveStore("no binary for this machine")
    await published(store)
    assert store.problem() == "no binary for this machine"
