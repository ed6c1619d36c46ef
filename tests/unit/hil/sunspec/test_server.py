"""The listener by itself."""

from __future__ import annotations

import pytest

from hil.endpoints.sunspec import SunSpecServer
from tests.unit.hil.sunspec.units import device


async def test_an_address_that_is_taken_is_said_so() -> None:
    async with SunSpecServer(devices={1: device()}, clock=lambda: 0.0) as first:
        port = int(first.address.rpartition(":")[2])
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            await SunSpecServer(devices={1: device()}, clock=lambda: 0.0, port=port).__aenter__()
